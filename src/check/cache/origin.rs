//! How long the origin takes to have no more to do than before: from the end of a step on it, or from
//! the start of any other step, until no more questions are under way than in the worst second before
//! the first step.
//!
//! A window of a second is bad if on average a tenth more are, and one more at least. So both more
//! questions and slower answers count.

use std::collections::BTreeMap;

use super::entity::Entity;
use super::recovery::{BUCKET, Took, WINDOW, took};
use crate::check::checker::{Checked, Context, Fault};
use crate::model::StepKind;

/// A window is bad with so many times what there was before, and so much more.
const TIMES: f64 = 1.1;
const MORE: f64 = 1.0;

#[derive(Debug, Default)]
pub(super) struct OriginRecovery {
    /// By the time: for how long questions were under way in it, all together, in nanoseconds.
    under_way: BTreeMap<u64, u64>,
    /// When the load's first and last reads were due.
    reads: Option<(u64, u64)>,
    /// When the first step began.
    first: Option<u64>,
    /// When steps on the origin were over, and others began, in order.
    causes: Vec<u64>,
}

impl OriginRecovery {
    pub(super) fn add(&mut self, entity: &Entity, context: &Context) {
        if self.first.is_none() {
            self.first = context.faults.iter().map(|fault| fault.from.0).min();
            let cause = |fault: &Fault| {
                let over = fault.until.filter(|_| fault.kind == StepKind::Origin);
                over.unwrap_or(fault.from).0
            };
            self.causes = context.faults.iter().map(cause).collect();
            self.causes.sort_unstable();
        }
        for read in &entity.reads {
            let due = read.intended.0;
            let (from, to) = self.reads.unwrap_or((due, due));
            self.reads = Some((from.min(due), to.max(due)));
        }
        for (from, to) in entity.asked() {
            for bucket in from.0 / BUCKET..=to.0 / BUCKET {
                let begin = bucket * BUCKET;
                let within = to.0.min(begin + BUCKET) - from.0.max(begin);
                *self.under_way.entry(bucket).or_default() += within;
            }
        }
    }

    pub(super) fn join(&mut self, other: OriginRecovery) {
        let OriginRecovery { under_way, reads, first, causes } = other;
        for (bucket, nanos) in under_way {
            *self.under_way.entry(bucket).or_default() += nanos;
        }
        let both = |(a, b): (u64, u64), (c, d): (u64, u64)| (a.min(c), b.max(d));
        self.reads = self.reads.into_iter().chain(reads).reduce(both);
        self.first = self.first.or(first);
        // All loads meet the same steps.
        if self.causes.is_empty() {
            self.causes = causes;
        }
    }

    pub(super) fn told(&self, told: &mut Checked) {
        Took::told(self.took(), "origin.recovery", told);
    }

    /// The questions under way, on average, in the window that begins so.
    fn mean(&self, from: u64) -> f64 {
        let sum: u64 = self.under_way.range(from..from + WINDOW).map(|(_, nanos)| nanos).sum();
        sum as f64 / (WINDOW * BUCKET) as f64
    }

    fn took(&self) -> Option<Took> {
        let (begin, end) = self.reads.map(|(from, to)| (from / BUCKET, to / BUCKET + 1))?;
        let first = (self.first? / BUCKET).max(begin);
        let before = (begin..first.checked_sub(WINDOW)? + 1).map(|from| self.mean(from));
        let most = before.reduce(f64::max)?;
        let is_bad = |from: &u64| self.mean(*from) > (most * TIMES).max(most + MORE);
        took(first..end, &self.causes, is_bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// So many questions are under way in each of ten seconds; the first step begins after three.
    fn took(under_way: [u64; 10], causes: &[u64]) -> Option<Took> {
        let bucket = |at: u64| (at, under_way[(at / 10) as usize] * BUCKET);
        OriginRecovery {
            under_way: (0..100).map(bucket).collect(),
            reads: Some((0, 10 * SECOND - 1)),
            first: Some(3 * SECOND),
            causes: causes.iter().map(|second| second * SECOND).collect(),
        }
        .took()
    }

    #[test]
    fn it_lasts_until_no_more_are_under_way_than_before() {
        assert_eq!(took([9, 10, 9, 10, 10, 10, 11, 9, 9, 9], &[3]), Some(Took::Back(0)));
        // The window from 5.8 s on has 18 of 1 s and 8 s of 10.
        let back = took([10, 10, 10, 50, 50, 18, 10, 10, 10, 10], &[3]);
        assert_eq!(back, Some(Took::Back(2_900_000_000)));
        let of_the_end = took([10, 10, 10, 50, 50, 18, 10, 10, 10, 10], &[5]);
        assert_eq!(of_the_end, Some(Took::Back(900_000_000)));
        assert_eq!(took([10, 10, 10, 50, 50, 10, 10, 10, 10, 10], &[7]), Some(Took::Back(0)));
        assert_eq!(took([1, 1, 1, 9, 9, 9, 9, 9, 9, 9], &[3]), Some(Took::Not(7 * SECOND)));
    }

    #[test]
    fn where_nothing_is_known_of_before_nothing_is_told() {
        let none = OriginRecovery { first: Some(SECOND / 2), ..OriginRecovery::default() };
        assert_eq!(none.took(), None);
        let soon = OriginRecovery { reads: Some((0, 5 * SECOND)), ..none };
        assert_eq!(soon.took(), None);
    }
}
