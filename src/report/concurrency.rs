//! How many sessions were under way at once: sent, and not yet ended.

use rustc_hash::FxHashMap;

use crate::model::Nanos;
use crate::model::op::{Cause, Op, Outcome, Purpose};

/// Sixteen bytes for each session.
#[derive(Debug, Default)]
pub(super) struct Concurrency {
    sent: Vec<Nanos>,
    ended: Vec<Nanos>,
    /// When sessions of several operations sent their first one, by load and number.
    begun: FxHashMap<(u8, u64), Nanos>,
}

/// Of all loads together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UnderWay {
    pub max: u64,
    /// Over the time from the first session's sending to the last one's end.
    pub mean: f64,
}

impl Concurrency {
    pub fn add(&mut self, op: &Op) {
        if op.purpose != Purpose::Load || op.outcome == Outcome::Fail(Cause::Shed) {
            return;
        }
        let sent = match op.part {
            None => op.sent,
            Some(part) => {
                let session = (op.load, part.session);
                if part.step == 0 {
                    let first = self.begun.entry(session).or_insert(op.sent);
                    *first = op.sent.min(*first);
                }
                match self.begun.get(&session).copied() {
                    Some(sent) if part.last => {
                        self.begun.remove(&session);
                        sent
                    }
                    _ => return,
                }
            }
        };
        self.sent.push(sent);
        self.ended.push(op.done);
    }

    /// `None` without sessions.
    pub fn under_way(mut self) -> Option<UnderWay> {
        self.sent.sort_unstable();
        self.ended.sort_unstable();
        let (first, last) = (*self.sent.first()?, *self.ended.last()?);
        let (mut ended, mut max) = (0, 0);
        for (begun, at) in self.sent.iter().enumerate() {
            while self.ended[ended] <= *at && ended < begun {
                ended += 1;
            }
            max = max.max(begun + 1 - ended);
        }
        let sum =
            |instants: &[Nanos]| instants.iter().map(|at| at.since(first).as_secs_f64()).sum();
        let (sent, ended): (f64, f64) = (sum(&self.sent), sum(&self.ended));
        let mean = (ended - sent) / last.since(first).as_secs_f64().max(1e-9);
        Some(UnderWay { max: max as u64, mean })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::{Action, Part, RegisterOp};

    fn op(sent_ms: u64, done_ms: u64) -> Op {
        let at = |ms: u64| Nanos(ms * 1_000_000);
        Op::new(1, Action::Register(RegisterOp::Read(None)), at(sent_ms), at(done_ms))
    }

    /// The most, and the mean in hundredths.
    fn under_way(ops: &[Op]) -> Option<(u64, f64)> {
        let mut concurrency = Concurrency::default();
        ops.iter().for_each(|op| concurrency.add(op));
        concurrency.under_way().map(|UnderWay { max, mean }| (max, (mean * 100.0).round()))
    }

    #[test]
    fn sessions_that_follow_each_other_are_one_at_once_and_those_that_overlap_are_more() {
        let after_each_other: Vec<Op> = (0..100).map(|n| op(n, n + 1)).collect();
        assert_eq!(under_way(&after_each_other), Some((1, 100.0)));
        let two: Vec<Op> = (0..100).map(|n| op(n / 2 * 2, n / 2 * 2 + 2)).collect();
        assert_eq!(under_way(&two), Some((2, 200.0)));
        let mostly_idle = [op(0, 10), op(4, 8), op(5, 7), op(90, 100)];
        assert_eq!(under_way(&mostly_idle), Some((3, 26.0)));
        assert_eq!(under_way(&[]), None);
    }

    #[test]
    fn a_session_of_several_stages_is_under_way_from_its_first_to_its_last() {
        let part = |session, step, last| {
            Some(Part { session, step, began: Nanos(0), late: Nanos::ZERO, last })
        };
        let stages = [
            Op { part: part(1, 0, false), ..op(0, 1) },
            Op { part: part(2, 0, false), ..op(5, 6) },
            Op { part: part(1, 1, true), ..op(8, 9) },
            Op { part: part(2, 1, true), ..op(19, 20) },
        ];
        assert_eq!(under_way(&stages), Some((2, 120.0)));
    }

    #[test]
    fn what_was_not_sent_and_what_redrill_reads_at_the_end_is_not_under_way() {
        let shed = Op { outcome: Outcome::Fail(Cause::Shed), ..op(1, 1) };
        let final_read = Op { purpose: Purpose::Final, ..op(0, 9) };
        assert_eq!(under_way(&[shed, final_read]), None);
    }
}
