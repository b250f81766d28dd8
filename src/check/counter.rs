//! Counters: every acknowledged increment counts, and counts once.
//!
//! Increments are by one, starting from 0, so a total says how many took effect. The total that
//! an operation returned contains at least the increments that were acknowledged before the
//! operation was sent, and at most those that were sent before it was answered and were not
//! refused. An increment without an answer may count or not. Jepsen judges its counter in the
//! same way. INCR also returns a total, so two increments with the same total are wrong, and so
//! is a total that is less than an earlier one.

use std::collections::HashMap;

use crate::model::op::{Action, CounterOp, Op, Outcome, Purpose};
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context, verdict};
use super::finding::{Example, Examples};
use super::history::{History, ReadError};
use super::parts::{self, HELD, Kept, Keys};

/// Judges every counter. Rows of other actions are ignored.
pub struct Counters;

impl Checker for Counters {
    fn name(&self) -> &'static str {
        "counters"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        Ok(Found::read(history, context.zero)?.told())
    }
}

#[derive(Clone, Debug, Default)]
struct Found {
    acknowledged: u64,
    /// Acknowledged increments that the final totals lack, at least.
    lost: u64,
    /// By how much the final totals exceed all increments that can have taken effect.
    surplus: u64,
    /// Increments that returned a total which another increment had returned.
    repeated: u64,
    /// Totals during the load that no order of events explains.
    impossible: u64,
    /// Counters with acknowledged increments whose final total could not be read.
    unread: u64,
    examples: Examples,
}

#[derive(Debug, Default)]
struct Counter {
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

impl Found {
    fn read(history: &dyn History, zero: Nanos) -> Result<Found, ReadError> {
        let mut found = Found { examples: Examples::counted_from(zero), ..Found::default() };
        parts::in_parts(history, HELD, |keys: Keys<Counter>, _| {
            keys.iter().for_each(|((load, key), counter)| found.judge(*load, *key, counter));
            Ok(())
        })?;
        Ok(found)
    }

    fn judge(&mut self, load: u8, key: u64, counter: &Counter) {
        self.acknowledged += counter.done.len() as u64;
        let last = counter.totals.iter().rfind(|total| total.of == Of::FinalRead);
        self.unread += u64::from(last.is_none() && !counter.done.is_empty());
        if let Some(last) = last {
            let (least, most) = counter.bounds(last);
            self.lost += least.saturating_sub(last.total);
            self.surplus += last.total.saturating_sub(most);
        }
        let before = counter.told_before();
        let mut came_to = HashMap::new();
        for (total, before) in counter.totals.iter().zip(before) {
            let (least, most) = counter.bounds(total);
            let again = total.of == Of::Increment && came_to.insert(total.total, ()).is_some();
            self.repeated += u64::from(again);
            let least_now = before + u64::from(total.of == Of::Increment);
            let odd = !(least.max(least_now)..=most).contains(&total.total);
            self.impossible += u64::from(odd && total.of != Of::FinalRead);
            if odd || again {
                self.examples.offer((total.sent.0, total.total, load, key), |zero| {
                    let text = format!(
                        "counter {key} was told to be at {} at {}, and {least} to {most} \
                         increments can have taken effect; {before} had been told before",
                        total.total,
                        zero.tell(total.done)
                    );
                    Example::new(load, key, total.done, text)
                });
            }
        }
    }

    /// The number of everything that is wrong.
    fn wrong(&self) -> u64 {
        self.lost + self.surplus + self.repeated + self.impossible
    }

    fn verdict(&self) -> Verdict {
        verdict(self.wrong(), self.unread)
    }

    fn told(&self) -> Checked {
        let Found { acknowledged, lost, surplus, repeated, impossible, unread, .. } = self;
        let wrong = self.wrong();
        let mut text = format!(
            "{lost} of {acknowledged} acknowledged increments lost, {surplus} too many, \
             {repeated} repeated, {impossible} impossible totals"
        );
        if *unread > 0 {
            text += &format!("; the final total of {unread} could not be read");
        }
        let mut told = Checked::default();
        told.find("counter.wrong", self.verdict(), (wrong, text), &self.examples);
        told.measure("counter.acknowledged", Some(*acknowledged as f64));
        let final_totals =
            [("counter.wrong", wrong), ("counter.lost", *lost), ("counter.surplus", *surplus)];
        told.counts(*unread, &final_totals);
        told.counts(0, &[("counter.repeated", *repeated), ("counter.impossible", *impossible)]);
        told
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
