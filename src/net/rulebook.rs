//! All rules in force, and the wires that they apply to.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tracing::{Span, info, info_span};

use super::bucket::Bucket;
use super::conditions::{Conditions, Rule};
use super::pairs::Pairs;
use super::wire::Wire;
use crate::model::traffic::{End, Flow};

#[derive(Debug, Default)]
pub(super) struct Rulebook {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By number. Rules are combined in the order in which they were added.
    entries: BTreeMap<u64, Entry>,
    made: u64,
    /// A wire is created when it is first needed and kept, because its counts are needed at the
    /// end.
    wires: BTreeMap<(End, End), Arc<Wire>>,
}

#[derive(Debug)]
struct Entry {
    rule: Rule,
    pairs: Pairs,
    /// One for each way of the pairs, if the rule limits the bandwidth.
    buckets: Vec<Arc<Bucket>>,
    /// Its time in the log, which ends with the rule.
    _span: Span,
}

/// Keeps a rule in force until it is dropped. It removes its own rule and no other.
#[derive(Debug)]
#[must_use = "the rule is undone as soon as this is dropped"]
pub struct Guard {
    rulebook: Arc<Rulebook>,
    number: u64,
}

impl Guard {
    /// Removes the rule; a second call does nothing.
    pub fn undo(&self) {
        self.rulebook.strike(self.number);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.undo();
    }
}

impl Rulebook {
    pub(super) fn enter(self: &Arc<Rulebook>, rule: &Rule, pairs: Pairs) -> Guard {
        let bucket = |bits| (0..pairs.ways()).map(move |_| Arc::new(Bucket::new(bits)));
        let buckets = rule.bandwidth.into_iter().flat_map(bucket).collect();
        let mut inner = self.lock();
        inner.made += 1;
        let number = inner.made;
        let span = info_span!("rule", number, %pairs, ?rule);
        span.in_scope(|| info!("holds"));
        let entry = Entry { rule: rule.clone(), pairs: pairs.clone(), buckets, _span: span };
        inner.entries.insert(number, entry);
        inner.refresh(&pairs);
        Guard { rulebook: self.clone(), number }
    }

    fn strike(&self, number: u64) {
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.remove(&number) {
            inner.refresh(&entry.pairs);
        }
    }

    pub(super) fn wire(&self, from: &End, to: &End) -> Arc<Wire> {
        let mut inner = self.lock();
        let pair = (from.clone(), to.clone());
        if let Some(wire) = inner.wires.get(&pair) {
            return wire.clone();
        }
        let conditions = inner.conditions(from, to);
        let wire = Arc::new(Wire::new(from.clone(), to.clone(), conditions));
        inner.wires.insert(pair, wire.clone());
        wire
    }

    pub(super) fn flows(&self) -> Vec<Flow> {
        self.lock().wires.values().flat_map(|wire| wire.flows()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Inner {
    fn conditions(&self, from: &End, to: &End) -> Conditions {
        let mut conditions = Conditions::default();
        for entry in self.entries.values() {
            if let Some(way) = entry.pairs.way(from, to) {
                conditions.add(&entry.rule, entry.buckets.get(way));
            }
        }
        conditions
    }

    /// Something has changed for these pairs.
    fn refresh(&self, pairs: &Pairs) {
        for ((from, to), wire) in &self.wires {
            if pairs.has(from, to) {
                wire.set(self.conditions(from, to));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::pairs::Ends;

    const MS: Duration = Duration::from_millis(1);

    fn all() -> Pairs {
        Pairs::one_way(Ends::all(), Ends::all())
    }

    #[test]
    fn a_guard_undoes_its_own_rule_only_and_only_once() {
        let book = Arc::new(Rulebook::default());
        let wire = book.wire(&End::Outside, &End::Clients(None));
        let latency = || wire.conditions().latency();
        let one = book.enter(&Rule::latency(40 * MS), all());
        let other = book.enter(&Rule::latency(40 * MS), all());
        assert_eq!(latency(), 80 * MS);
        one.undo();
        one.undo();
        assert_eq!(latency(), 40 * MS);
        drop(one);
        assert_eq!(latency(), 40 * MS);
        drop(other);
        assert!(wire.conditions().are_none());
    }

    #[test]
    fn rules_hold_for_wires_that_come_later_and_for_no_others() {
        let book = Arc::new(Rulebook::default());
        let clients = || Ends::only([End::Clients(None)]);
        let _cut = book.enter(&Rule::cut(), Pairs::one_way(clients(), Ends::all()));
        assert!(book.wire(&End::Clients(None), &End::Outside).conditions().cut);
        assert!(!book.wire(&End::Outside, &End::Clients(None)).conditions().cut);
    }
}
