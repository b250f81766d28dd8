//! How long hits take to come back after a step: from its start until the share of reads that find a
//! copy is nine tenths of what it was before the first step.
//!
//! A window of a second is bad if it has less. Bad windows that follow each other are one stretch. The
//! last step before its first window was over is its cause, and hits have come back at the instant
//! from which on no window is bad: the last bad one is bad for what its first tenth had.

use std::collections::BTreeMap;
use std::ops::Range;

use super::entity::Entity;
use crate::check::checker::{Checked, Context};

/// In nanoseconds.
pub(super) const BUCKET: u64 = 100_000_000;
/// A window has so many.
pub(super) const WINDOW: u64 = 10;
/// Of what it was before.
const SHARE: f64 = 0.9;
/// Fewer reads say nothing of what it was before.
const ENOUGH: u64 = 20;

#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// By the instant at which they were due: reads, and those of them that found a copy.
    buckets: BTreeMap<u64, (u64, u64)>,
    /// When steps began, in order.
    steps: Vec<u64>,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// In nanoseconds.
    Back(u64),
    /// Not by the load's end, so long after the step.
    Not(u64),
}

impl Recovery {
    pub(super) fn add(&mut self, entity: &Entity, context: &Context) {
        if self.steps.is_empty() {
            self.steps = context.faults.iter().map(|fault| fault.from.0).collect();
        }
        for read in &entity.reads {
            let (all, hits) = self.buckets.entry(read.intended.0 / BUCKET).or_default();
            *all += 1;
            *hits += u64::from(read.is_hit());
        }
    }

    pub(super) fn join(&mut self, other: Recovery) {
        self.steps = std::mem::take(&mut self.steps).into_iter().chain(other.steps).collect();
        self.steps.sort_unstable();
        self.steps.dedup();
        for (at, (all, hits)) in other.buckets {
            let known = self.buckets.entry(at).or_default();
            *known = (known.0 + all, known.1 + hits);
        }
    }

    pub(super) fn told(&self, told: &mut Checked) {
        Took::told(self.took(), "recovery.hits", told);
    }

    fn sum(&self, from: u64, to: u64) -> (u64, u64) {
        let within = self.buckets.range(from..to).map(|(_, counts)| *counts);
        within.fold((0, 0), |(all, hits), one| (all + one.0, hits + one.1))
    }

    fn took(&self) -> Option<Took> {
        let first = *self.steps.first()?;
        let (all, hits) = self.sum(0, first / BUCKET);
        let least = hits as f64 / all as f64 * SHARE;
        let end = self.buckets.last_key_value()?.0 + 1;
        let begin = (first / BUCKET).max(*self.buckets.first_key_value()?.0);
        let is_bad = |from: &u64| {
            let (all, hits) = self.sum(*from, from + WINDOW);
            all > 0 && (hits as f64) < all as f64 * least
        };
        took(begin..end, &self.steps, is_bad).filter(|_| all >= ENOUGH)
    }
}

/// The longest time from a cause until no window was bad any more, of the windows within these
/// buckets. Nothing is bad that was over before the first of the causes, which are in order. None if
/// there is no whole window.
pub(super) fn took(
    buckets: Range<u64>,
    causes: &[u64],
    is_bad: impl Fn(&u64) -> bool,
) -> Option<Took> {
    let last = buckets.end.checked_sub(WINDOW).filter(|last| *last >= buckets.start)?;
    let (mut longest, mut first) = (0, None);
    for bad in (buckets.start..=last).filter(is_bad) {
        let begun =
            first.take().filter(|(_, last)| last + 1 == bad).map_or(bad, |(begun, _)| begun);
        first = Some((begun, bad));
        let over = (bad + 1) * BUCKET;
        let by_then = causes.iter().rfind(|cause| **cause < (begun + WINDOW) * BUCKET);
        let Some(cause) = by_then.or(causes.first()).filter(|cause| **cause < over) else {
            continue;
        };
        if bad == last {
            return Some(Took::Not(buckets.end * BUCKET - cause));
        }
        longest = longest.max(over - cause);
    }
    Some(Took::Back(longest))
}

impl Took {
    pub(super) fn told(took: Option<Took>, name: &'static str, told: &mut Checked) {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        match took {
            Some(Took::Not(least)) => _ = told.at_least.insert(name, millis(least)),
            Some(Took::Back(took)) => told.measure(name, Some(millis(took))),
            None => told.measure(name, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred reads a second for ten seconds, with so many hits in each second; a step after four.
    fn took(hits: [u64; 10]) -> Option<Took> {
        let buckets = (0..100).map(|at| (at, (10, hits[(at / 10) as usize] / 10)));
        Recovery { buckets: buckets.collect(), steps: vec![4_000_000_000] }.took()
    }

    #[test]
    fn it_lasts_until_hits_are_nine_tenths_of_what_they_were() {
        assert_eq!(took([80; 10]), Some(Took::Back(0)));
        // The window from 5.8 s on has two tenths of bad reads at its beginning, and 74 % of hits.
        let back = took([80, 80, 80, 80, 0, 50, 80, 80, 80, 80]);
        assert_eq!(back, Some(Took::Back(1_800_000_000)));
        assert_eq!(took([80, 80, 80, 80, 0, 0, 0, 0, 0, 0]), Some(Took::Not(6_000_000_000)));
    }

    #[test]
    fn a_later_step_shortens_nothing_of_what_an_earlier_one_did() {
        let took = |steps: &[u64]| {
            let bad = |at: &u64| (40..80).contains(at);
            super::took(30..100, &steps.iter().map(|s| s * 1_000_000_000).collect::<Vec<_>>(), bad)
        };
        let four_seconds = Some(Took::Back(4_000_000_000));
        assert_eq!(took(&[4]), four_seconds);
        assert_eq!(took(&[4, 7]), four_seconds, "hits were missing all along");
        assert_eq!(took(&[6]), Some(Took::Back(2_000_000_000)), "they were before it");
        let twice = |at: &u64| (30..50).contains(at) || (70..75).contains(at);
        let steps = [3_000_000_000, 7_000_000_000];
        assert_eq!(super::took(30..100, &steps, twice), Some(Took::Back(2_000_000_000)));
    }

    #[test]
    fn where_nothing_is_known_of_before_nothing_is_told() {
        let few =
            Recovery { buckets: [(1, (5, 5)), (60, (9, 0))].into(), steps: vec![4_000_000_000] };
        assert_eq!(few.took(), None);
        assert_eq!(Recovery::default().took(), None);
    }
}
