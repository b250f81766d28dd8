//! What operations met on their way: errors by their cause, redirects, reconnects.

use std::cmp::Reverse;

use super::data::{Load, Met};
use crate::model::event::Sample;
use crate::model::measure::thousands;

impl From<&Sample> for Met {
    fn from(sample: &Sample) -> Met {
        Met {
            causes: sample.causes.clone(),
            moved: sample.moved,
            ask: sample.ask,
            try_again: sample.try_again,
            reconnects: sample.reconnects,
        }
    }
}

impl Met {
    pub(super) fn add(&mut self, other: &Met) {
        for (cause, count) in &other.causes {
            *self.causes.entry(*cause).or_default() += count;
        }
        self.moved += other.moved;
        self.ask += other.ask;
        self.try_again += other.try_again;
        self.reconnects += other.reconnects;
    }

    pub(super) fn of_all(loads: &[Load]) -> Met {
        let mut all = Met::default();
        loads.iter().for_each(|load| all.add(&load.met));
        all
    }

    /// Errors by their cause, the most frequent first: `401 timed out · 3 refused`.
    pub(super) fn errors(&self) -> Option<String> {
        let mut causes: Vec<_> = self.causes.iter().collect();
        causes.sort_by_key(|(_, count)| Reverse(**count));
        list(causes.into_iter().map(|(cause, count)| (*count, cause.to_string())))
    }

    /// Redirects that were followed, and connections made anew: `12 MOVED · 40 ASK`.
    /// Neither is an error by itself.
    pub(super) fn detours(&self) -> Option<String> {
        let reconnects = if self.reconnects == 1 { "reconnect" } else { "reconnects" };
        let kinds = [
            (self.moved, "MOVED"),
            (self.ask, "ASK"),
            (self.try_again, "TRYAGAIN"),
            (self.reconnects, reconnects),
        ];
        list(kinds.into_iter().map(|(count, kind)| (count, kind.to_owned())))
    }
}

fn list(counts: impl Iterator<Item = (u64, String)>) -> Option<String> {
    let some = counts.filter(|(count, _)| *count > 0);
    let texts: Vec<String> =
        some.map(|(count, what)| format!("{} {what}", thousands(count as f64))).collect();
    (!texts.is_empty()).then(|| texts.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::Cause;

    #[test]
    fn the_most_frequent_cause_comes_first() {
        let causes = [(Cause::Refused, 3), (Cause::Timeout, 1_401)].into();
        let met = Met { causes, ask: 2, reconnects: 1, ..Met::default() };
        assert_eq!(met.errors().unwrap(), "1,401 timed out · 3 refused");
        assert_eq!(met.detours().unwrap(), "2 ASK · 1 reconnect");
        assert_eq!(Met::default().errors(), None);
    }
}
