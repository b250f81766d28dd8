//! How long after a load's end a comparison of all copies with the origin finds none that is older.

use std::collections::BTreeMap;

use super::entity::Entity;
use crate::check::checker::Checked;
use crate::model::Nanos;

#[derive(Debug, Default)]
pub(super) struct Sweeps {
    /// By load: from the first process's beginning to the last one's end.
    spans: BTreeMap<u8, (Nanos, Nanos)>,
    /// Some were older when a process gave up.
    is_any_older: bool,
    is_unknown: bool,
}

impl Sweeps {
    pub(super) fn add(&mut self, entity: &Entity) {
        for swept in &entity.swept {
            self.widen(swept.load, (swept.from, swept.to));
            self.is_any_older |= swept.older.is_some_and(|older| older > 0);
            self.is_unknown |= swept.older.is_none();
        }
    }

    fn widen(&mut self, load: u8, (from, to): (Nanos, Nanos)) {
        let span = self.spans.entry(load).or_insert((from, to));
        *span = (span.0.min(from), span.1.max(to));
    }

    pub(super) fn join(&mut self, other: Sweeps) {
        let Sweeps { spans, is_any_older, is_unknown } = other;
        spans.into_iter().for_each(|(load, span)| self.widen(load, span));
        self.is_any_older |= is_any_older;
        self.is_unknown |= is_unknown;
    }

    pub(super) fn told(&self, told: &mut Checked) {
        let longest = self.spans.values().map(|(from, to)| to.since(*from)).max();
        let Some(millis) = longest.map(|took| took.as_secs_f64() * 1e3) else { return };
        match (self.is_any_older, self.is_unknown) {
            (true, _) => _ = told.at_least.insert("consistency.sweep", millis),
            (false, false) => told.measure("consistency.sweep", Some(millis)),
            (false, true) => {}
        }
    }
}
