//! Counters: every acknowledged increment counts, and counts once.
//!
//! Increments are by one, starting from 0, so a total says how many took effect. The total that
//! an operation returned contains at least the increments that were acknowledged before the
//! operation was sent, and at most those that were sent before it was answered and were not
//! refused. An increment without an answer may count or not. Jepsen judges its counter in the
//! same way. INCR also returns a total, so two increments with the same total are wrong, and so
//! is a total that is less than an earlier one.

use std::collections::HashSet;

use crate::model::Nanos;
use crate::model::op::{Action, CounterOp, Op, Outcome, Purpose};

use super::parts::Kept;
use super::per_key::{Found, PerKey, Words};

/// Judges every counter.
pub struct Counters;

#[derive(Debug, Default)]
pub struct Counter {
    /// When increments were sent that may have taken effect, sorted.
    sent: Vec<Nanos>,
    /// When increments were acknowledged, sorted.
    done: Vec<Nanos>,
    totals: Vec<Total>,
}

/// The total that a read or an increment returned.
#[derive(Clone, Copy, Debug)]
struct Total {
    total: u64,
    sent: Nanos,
    done: Nanos,
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Increment,
    Read,
    FinalRead,
}

impl Kept for Counter {
    fn wants(op: &Op) -> bool {
        matches!(op.action, Action::Counter(_)) && !matches!(op.outcome, Outcome::Fail(_))
    }

    fn keep(&mut self, op: &Op) {
        let Action::Counter(action) = op.action else { return };
        let ok = op.outcome == Outcome::Ok;
        // Without a key the counter is 0. An increment need not return a total.
        let (of, total) = match (action, op.purpose) {
            (CounterOp::Add(total), _) => (Of::Increment, total),
            (CounterOp::Read(total), Purpose::Final) => (Of::FinalRead, total.or(Some(0))),
            (CounterOp::Read(total), _) => (Of::Read, total.or(Some(0))),
        };
        let adds = of == Of::Increment;
        self.sent.extend(adds.then_some(op.sent));
        self.done.extend((adds && ok).then_some(op.done));
        let told = total.filter(|_| ok);
        let (sent, done) = (op.sent, op.done);
        self.totals.extend(told.map(|total| Total { total, sent, done, of }));
    }

    fn complete(&mut self) {
        self.sent.sort_unstable();
        self.done.sort_unstable();
        self.totals.sort_unstable_by_key(|total| (total.sent, total.done));
    }
}

const WORDS: Words = Words {
    name: "counters",
    family: "counter",
    known: &["acknowledged", "repeated", "impossible"],
    sums: &[],
    text: "{lost} of {acknowledged} acknowledged increments lost, {surplus} too many, \
           {repeated} repeated, {impossible} impossible totals",
    unread: "the final totals of {unread} counters could not be read",
};

impl PerKey for Counters {
    type Key = Counter;

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn judge(&self, at: (u8, u64), counter: &Counter, found: &mut Found) {
        found.add("acknowledged", counter.done.len() as u64);
        let last = counter.totals.iter().rfind(|total| total.of == Of::FinalRead);
        match last {
            Some(last) => {
                let (least, most) = counter.bounds(last);
                found.add("lost", least.saturating_sub(last.total));
                found.add("surplus", last.total.saturating_sub(most));
            }
            None if counter.done.is_empty() => {}
            None => found.unread(),
        }
        let before = counter.told_before();
        let mut came_to = HashSet::new();
        for (total, before) in counter.totals.iter().zip(before) {
            let (least, most) = counter.bounds(total);
            let again = total.of == Of::Increment && !came_to.insert(total.total);
            found.add("repeated", u64::from(again));
            let least_now = before + u64::from(total.of == Of::Increment);
            let odd = !(least.max(least_now)..=most).contains(&total.total);
            found.add("impossible", u64::from(odd && total.of != Of::FinalRead));
            if odd || again {
                found.show(at, (total.sent.0, total.total), total.done, |zero| {
                    format!(
                        "counter {} was told to be at {} at {}, and {least} to {most} \
                         increments can have taken effect; {before} had been told before",
                        at.1,
                        total.total,
                        zero.tell(total.done)
                    )
                });
            }
        }
    }
}

impl Counter {
    /// The smallest and the greatest total that are possible for `total`.
    fn bounds(&self, total: &Total) -> (u64, u64) {
        let own = usize::from(total.of == Of::Increment);
        let least = self.done.partition_point(|done| *done < total.sent) + own;
        let most = self.sent.partition_point(|sent| *sent <= total.done);
        (least as u64, most as u64)
    }

    /// For each total, the greatest that was returned before it was requested.
    fn told_before(&self) -> Vec<u64> {
        let mut by_end: Vec<&Total> = self.totals.iter().collect();
        by_end.sort_unstable_by_key(|total| total.done);
        let mut ended = by_end.into_iter().peekable();
        let mut greatest = 0;
        let told = self.totals.iter().map(|total| {
            while let Some(other) = ended.next_if(|other| other.done < total.sent) {
                greatest = greatest.max(other.total);
            }
            greatest
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests;
