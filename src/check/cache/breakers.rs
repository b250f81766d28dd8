//! How soon processes ask a group no more that does not answer, and ask it again when it does.

use std::collections::BTreeMap;

use super::entity::{Entity, Guarded};
use crate::check::checker::{Checked, Context};
use crate::model::Nanos;

/// The longest of these times, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    /// From a step's start.
    opened: Option<u64>,
    /// From a step's end.
    closed: Option<u64>,
}

impl Breakers {
    /// A breaker that closes while the step lasts, because a try was answered, and opens again was open
    /// before: its first time counts.
    pub(super) fn add(&mut self, entity: &Entity, context: &Context) {
        let nanos = |from: Nanos, to: Nanos| to.since(from).as_nanos() as u64;
        let mut first: BTreeMap<((u8, u16), Nanos), Nanos> = BTreeMap::new();
        for &Guarded { instance, from, to } in &entity.guarded {
            let Some(fault) = context.fault_before(from) else { continue };
            let opened = first.entry((instance, fault.from)).or_insert(from);
            *opened = from.min(*opened);
            let healed = fault.until.filter(|until| (from..=to).contains(until));
            self.closed = self.closed.max(healed.map(|until| nanos(until, to)));
        }
        let opened = first.into_iter().map(|((_, began), opened)| nanos(began, opened)).max();
        self.opened = self.opened.max(opened);
    }

    pub(super) fn join(&mut self, other: Breakers) {
        let Breakers { opened, closed } = other;
        self.opened = self.opened.max(opened);
        self.closed = self.closed.max(closed);
    }

    pub(super) fn told(&self, told: &mut Checked) {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        told.measure("breaker.opened", self.opened.map(millis));
        told.measure("breaker.closed", self.closed.map(millis));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::checker::Fault;
    use crate::model::StepKind;

    #[test]
    fn they_count_from_the_step_that_was_the_last_one() {
        let fault = |step, from, until| Fault {
            step,
            kind: StepKind::Pause,
            text: "pause".to_owned(),
            from: Nanos(from),
            until: Some(Nanos(until)),
            loses_writes: false,
            moves_clocks: false,
        };
        let faults = vec![fault(0, 100, 200), fault(1, 1_000, 2_000)];
        let context = Context { faults, ..Context::default() };
        let of = |process: u16, from, to| Guarded {
            instance: (0, process),
            from: Nanos(from),
            to: Nanos(to),
        };
        let guarded = vec![
            of(0, 50, 60),
            of(0, 110, 140),
            of(0, 150, 240), // the same one, again
            of(1, 130, 150),
            of(1, 170, 220),
            of(1, 1_020, 2_010),
        ];
        let mut breakers = Breakers::default();
        breakers.add(&Entity { guarded, ..Entity::default() }, &context);
        assert_eq!((breakers.opened, breakers.closed), (Some(30), Some(40)));
    }
}
