//! The operations of several loads in the order in which they ended.
//!
//! Each load hands its operations over in that order, some hundred at a time. So in the file a load
//! may stand before another one whose operations ended earlier, by fractions of a second.

use std::collections::VecDeque;
use std::time::Duration;

use super::HistoryError;
use crate::model::Nanos;
use crate::model::op::Op;

/// A load of which nothing was read for so long is not waited for.
const HORIZON: Duration = Duration::from_secs(5);

type Row = Result<Op, HistoryError>;

/// Merges the loads' rows. Rows of one load stay as they stood; of two that ended at the same
/// instant the one of the first load comes first.
pub(super) struct InOrder<Rows> {
    rows: Rows,
    loads: Vec<Waiting>,
    newest: Nanos,
    /// Nothing more is read: an error, if it was one that ended it.
    ended: Option<Option<HistoryError>>,
}

/// The rows of a load that were read and not yet passed on, each with the instant by which it is put
/// into its place.
#[derive(Default)]
struct Waiting {
    rows: VecDeque<(Nanos, Op)>,
    /// Of the last that was read.
    last: Nanos,
}

impl<Rows: Iterator<Item = Row>> InOrder<Rows> {
    /// Rows of so many loads.
    pub(super) fn new(rows: Rows, loads: usize) -> InOrder<Rows> {
        let loads = (0..loads).map(|_| Waiting::default()).collect();
        InOrder { rows, loads, newest: Nanos::ZERO, ended: None }
    }

    pub(super) fn source(&self) -> &Rows {
        &self.rows
    }

    fn read(&mut self, op: Op) {
        let load = usize::from(op.load);
        if self.loads.len() <= load {
            self.loads.resize_with(load + 1, Waiting::default);
        }
        let waiting = &mut self.loads[load];
        waiting.last = waiting.last.max(op.done);
        self.newest = self.newest.max(waiting.last);
        waiting.rows.push_back((waiting.last, op));
    }

    /// The next row, if nothing that comes before it can follow.
    fn next_row(&mut self) -> Option<Op> {
        let firsts = self.loads.iter().enumerate();
        let firsts = firsts.filter_map(|(load, one)| Some((one.rows.front()?.0, load)));
        let (at, load) = firsts.min()?;
        let is_past = |(other, one): (usize, &Waiting)| {
            !one.rows.is_empty() || (one.last, other) > (at, load)
        };
        let is_known = self.ended.is_some()
            || at + HORIZON < self.newest
            || self.loads.iter().enumerate().all(is_past);
        is_known.then(|| self.loads[load].rows.pop_front())?.map(|(_, op)| op)
    }
}

impl<Rows: Iterator<Item = Row>> Iterator for InOrder<Rows> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(op) = self.next_row() {
                return Some(Ok(op));
            }
            if let Some(error) = &mut self.ended {
                return error.take().map(Err);
            }
            match self.rows.next() {
                Some(Ok(op)) => self.read(op),
                Some(Err(error)) => self.ended = Some(Some(error)),
                None => self.ended = Some(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::{Action, RegisterOp};

    /// The operations of a load, by their numbers and the milliseconds at which they ended.
    fn op((load, number, done): (u8, u64, u64)) -> Op {
        let done = Nanos(done * 1_000_000);
        Op { load, ..Op::new(number, Action::Register(RegisterOp::Read(None)), done, done) }
    }

    fn ordered(rows: &[(u8, u64, u64)]) -> Vec<(u8, u64)> {
        let rows = rows.iter().map(|row| Ok(op(*row)));
        InOrder::new(rows, 2).map(Result::unwrap).map(|op| (op.load, op.key)).collect()
    }

    #[test]
    fn rows_of_several_loads_come_in_the_order_of_their_ends() {
        let late = [(0, 0, 1), (0, 1, 5), (0, 2, 900), (1, 0, 2), (1, 1, 6), (1, 2, 901)];
        let right = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)];
        assert_eq!(ordered(&late), right);
        let other = [(1, 0, 2), (0, 0, 1), (1, 1, 6), (1, 2, 901), (0, 1, 5), (0, 2, 900)];
        assert_eq!(ordered(&other), right);
        assert_eq!(ordered(&[(1, 0, 7), (0, 0, 7)]), [(0, 0), (1, 0)], "at the same instant");
        let own = [(0, 0, 9), (0, 1, 3), (1, 0, 4)];
        assert_eq!(ordered(&own), [(1, 0), (0, 0), (0, 1)], "its own rows stay as they are");
    }

    #[test]
    fn a_load_that_is_over_keeps_nobody_waiting() {
        let rows = (0..20_000).map(|n| Ok(op((0, n, n))));
        let mut ordered = InOrder::new(rows, 2);
        assert!(ordered.by_ref().take(10_000).count() == 10_000);
        assert!(ordered.loads[0].rows.len() < 5_010, "{}", ordered.loads[0].rows.len());
    }

    #[test]
    fn an_error_comes_after_what_was_read_before_it() {
        let rows = [Ok(op((0, 0, 1))), Err(HistoryError::Ended), Ok(op((0, 1, 2)))];
        let all: Vec<Row> = InOrder::new(rows.into_iter(), 2).collect();
        assert!(matches!(all[..], [Ok(_), Err(HistoryError::Ended)]));
    }
}
