//! How soon processes ask a group no more that does not answer, and ask it again when it does.

use super::entity::Entity;
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
    pub(super) fn add(&mut self, entity: &Entity, context: &Context) {
        let since = |from: Nanos, to: Nanos| Some(to.since(from).as_nanos() as u64);
        for (from, to) in &entity.guarded {
            let Some(fault) = context.fault_before(*from) else { continue };
            self.opened = self.opened.max(since(fault.from, *from));
            let healed = fault.until.filter(|until| from <= until && until <= to);
            self.closed = self.closed.max(healed.and_then(|until| since(until, *to)));
        }
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

    #[test]
    fn they_count_from_the_step_that_was_the_last_one() {
        let fault = |step, from, until| Fault {
            step,
            text: "pause".to_owned(),
            from: Nanos(from),
            until: Some(Nanos(until)),
        };
        let faults = vec![fault(0, 100, 200), fault(1, 1_000, 2_000)];
        let context = Context { faults, ..Context::default() };
        let spans = [(50, 60), (130, 150), (170, 240), (250, 900), (1_020, 2_010)];
        let guarded = spans.map(|(from, to)| (Nanos(from), Nanos(to))).to_vec();
        let mut breakers = Breakers::default();
        breakers.add(&Entity { guarded, ..Entity::default() }, &context);
        assert_eq!((breakers.opened, breakers.closed), (Some(150), Some(40)));
    }
}
