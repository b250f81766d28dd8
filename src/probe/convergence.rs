//! Since when all nodes have agreed after a step.
//!
//! A group that agrees now may disagree a moment later: an election may follow, or gossip may
//! still be under way. So an agreement is reported only after it has held for a while past the
//! step's end, and is dated back to its beginning. If it breaks before another step begins, the
//! next agreement is reported again: nodes agree for seconds on a primary that has died, until
//! they miss it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::agreement::Agreement;
use crate::model::Nanos;
use crate::model::event::EventKind;

/// The steps of a drill that have begun.
#[derive(Debug)]
pub(super) struct StepTracker {
    steps: BTreeMap<usize, TrackedStep>,
    /// How long an agreement must have held past a step's end.
    hold: Duration,
}

#[derive(Debug, Default)]
struct TrackedStep {
    began: Nanos,
    ended: Option<Nanos>,
    /// When the agreement that was reported last began.
    view_told: Option<Nanos>,
    told: Option<Nanos>,
    /// Another step has begun since. Once that one has converged, a later disagreement is its
    /// effect.
    overtaken: bool,
}

impl StepTracker {
    pub(super) fn new(hold: Duration) -> StepTracker {
        StepTracker { steps: BTreeMap::new(), hold }
    }

    pub(super) fn began(&mut self, step: usize, at: Nanos) {
        // From now on, steps that were reported get no more news.
        self.steps.retain(|_, step| step.told.is_none());
        self.steps.values_mut().for_each(|step| step.overtaken = true);
        self.steps.insert(step, TrackedStep { began: at, ..TrackedStep::default() });
    }

    pub(super) fn ended(&mut self, step: usize, at: Nanos) {
        if let Some(step) = self.steps.get_mut(&step) {
            step.ended = Some(at);
        }
    }

    /// No step is reported any more.
    pub(super) fn clear(&mut self) {
        self.steps.clear();
    }

    /// The events to emit, now that all groups agree like this, or do not agree.
    pub(super) fn hear(&mut self, agreement: Option<Agreement>) -> Vec<EventKind> {
        let mut news = self.broken(agreement);
        let Some(agreement) = agreement else { return news };
        for (&number, step) in &mut self.steps {
            let held = |ended: Nanos, since: Nanos| {
                agreement.asked >= ended + self.hold && agreement.asked >= since + self.hold
            };
            let Some(ended) = step.ended else { continue };
            // If nothing has changed since before the step, it converged at its beginning.
            let since = agreement.since.max(step.began);
            if step.view_told.is_none_or(|told| told < since) && held(ended, since) {
                step.view_told = Some(since);
                news.push(EventKind::ViewConverged { step: number, since });
            }
            let Some(since) = agreement.linked_since.map(|at| at.max(step.began)) else { continue };
            if step.told.is_none_or(|told| told < since) && held(ended, since) {
                step.told = Some(since);
                news.push(EventKind::Converged { step: number, since });
            }
        }
        self.steps.retain(|_, step| !(step.overtaken && step.told.is_some()));
        news
    }

    /// Takes back an agreement that was reported and no longer holds.
    fn broken(&mut self, agreement: Option<Agreement>) -> Vec<EventKind> {
        let linked = agreement.is_some_and(|agreement| agreement.linked_since.is_some());
        let mut news = Vec::new();
        for (&number, step) in &mut self.steps {
            let view = agreement.is_none() && step.view_told.take().is_some();
            if view || (!linked && step.told.is_some()) {
                step.told = None;
                news.push(EventKind::Diverged { step: number, view });
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(since: u64, linked: Option<u64>, asked: u64) -> Agreement {
        let linked_since = linked.map(Nanos);
        Agreement { since: Nanos(since), linked_since, asked: Nanos(asked) }
    }

    fn steps() -> StepTracker {
        let mut steps = StepTracker::new(Duration::from_nanos(100));
        steps.began(3, Nanos(1000));
        steps
    }

    #[test]
    fn an_agreement_is_told_once_it_has_held_past_the_end() {
        let mut steps = steps();
        assert_eq!(steps.hear(Some(agreement(1050, Some(1050), 9000))), [], "the step goes on");
        steps.ended(3, Nanos(2000));
        assert_eq!(steps.hear(Some(agreement(1990, Some(1990), 2099))), []);
        assert_eq!(steps.hear(Some(agreement(2050, Some(2060), 2149))), [], "it changed since");
        let since = Nanos(2050);
        let view = EventKind::ViewConverged { step: 3, since };
        assert_eq!(steps.hear(Some(agreement(2050, None, 2150))), [view]);
        let since = Nanos(2200);
        let all = EventKind::Converged { step: 3, since };
        assert_eq!(steps.hear(Some(agreement(2050, Some(2200), 2300))), [all]);
        assert_eq!(steps.hear(Some(agreement(2050, Some(2200), 2400))), [], "each is told once");
        let anew = steps.hear(Some(agreement(2500, Some(2500), 2600)));
        let since = Nanos(2500);
        let view = EventKind::ViewConverged { step: 3, since };
        assert_eq!(anew, [view, EventKind::Converged { step: 3, since }], "unless it did not last");
        let lost = EventKind::Diverged { step: 3, view: false };
        assert_eq!(steps.hear(Some(agreement(2500, None, 2700))), [lost], "a link is down");
        assert_eq!(steps.hear(None), [EventKind::Diverged { step: 3, view: true }]);
        assert_eq!(steps.hear(None), [], "told once");
        steps.hear(Some(agreement(2800, Some(2800), 2900)));
        steps.began(4, Nanos(3000));
        assert_eq!(
            steps.hear(Some(agreement(3050, Some(3050), 3200))),
            [],
            "that is of the next step"
        );
    }

    #[test]
    fn what_breaks_after_another_step_began_is_that_ones() {
        let mut steps = steps();
        steps.ended(3, Nanos(1100));
        steps.began(4, Nanos(1150));
        let since = Nanos(1120);
        let view = EventKind::ViewConverged { step: 3, since };
        let told = steps.hear(Some(agreement(1120, Some(1120), 1250)));
        assert_eq!(told, [view, EventKind::Converged { step: 3, since }]);
        assert_eq!(steps.hear(None), [], "step 4 is at work");
        steps.ended(4, Nanos(1300));
        let news = steps.hear(Some(agreement(1350, Some(1350), 1500)));
        assert!(news.iter().all(|what| !matches!(what, EventKind::Converged { step: 3, .. })));
        assert_eq!(news.len(), 2, "{news:?}");
    }

    #[test]
    fn convergence_does_not_date_from_before_the_step() {
        let mut steps = steps();
        steps.ended(3, Nanos(1001));
        let since = Nanos(1000);
        let told = steps.hear(Some(agreement(5, Some(7), 1500)));
        let view = EventKind::ViewConverged { step: 3, since };
        assert_eq!(told, [view, EventKind::Converged { step: 3, since }]);
    }
}
