//! What delayed operations or made them fail, as text: errors by cause, redirects, reconnects.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::data::{Met, Report};
use crate::model::event::Sample;
use crate::model::measure::thousands;
use crate::model::op::Cause;

impl Met {
    pub(super) fn hear(&mut self, sample: &Sample) {
        add(&mut self.causes, &sample.causes);
        self.reconnects = self.reconnects.map(|so_far| so_far + sample.reconnects);
    }
}

fn add(causes: &mut BTreeMap<Cause, u64>, more: &BTreeMap<Cause, u64>) {
    for (cause, count) in more {
        *causes.entry(*cause).or_default() += count;
    }
}

/// Errors of all loads by their cause, the most frequent first: `401 timed out · 3 refused`.
pub(super) fn errors(report: &Report) -> Option<String> {
    let mut causes = BTreeMap::new();
    report.loads.iter().for_each(|load| add(&mut causes, &load.met.causes));
    let mut causes: Vec<(Cause, u64)> = causes.into_iter().collect();
    causes.sort_by_key(|(_, count)| Reverse(*count));
    list(causes.into_iter().map(|(cause, count)| (count as f64, cause.to_string())))
}

/// Redirects that all loads followed, and connections that they made again: `12 MOVED · 40
/// ASK`. These are no errors.
pub(super) fn detours(report: &Report) -> Option<String> {
    let redirects = [
        ("redirects.moved", "MOVED"),
        ("redirects.ask", "ASK"),
        ("redirects.tryagain", "TRYAGAIN"),
    ];
    let reconnects: u64 = report.loads.iter().filter_map(|load| load.met.reconnects).sum();
    let word = if reconnects == 1 { "reconnect" } else { "reconnects" };
    let redirects = redirects.into_iter().map(|(name, kind)| (report.value(name), kind));
    let counts = redirects.chain([(Some(reconnects as f64), word)]);
    list(counts.filter_map(|(count, kind)| Some((count?, kind.to_owned()))))
}

fn list(counts: impl Iterator<Item = (f64, String)>) -> Option<String> {
    let some = counts.filter(|(count, _)| *count > 0.0);
    let texts: Vec<String> =
        some.map(|(count, what)| format!("{} {what}", thousands(count))).collect();
    (!texts.is_empty()).then(|| texts.join(" · "))
}
