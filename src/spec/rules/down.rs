//! Nodes that an earlier step has ended, for certain: what is done to them then fails.
//!
//! Only steps that name a node say which one they end, and only of a name is it known who is
//! meant. Whatever may go well is let be.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::NodeName;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Time;
use crate::spec::rolling::RollingRestart;
use crate::spec::scenario::{NodeFault, StepAction, Target};
use crate::spec::source::Span;

/// A server that is asked to end has so long; then it is killed.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Down(HashMap<NodeName, Ended>);

#[derive(Debug)]
struct Ended {
    word: &'static str,
    at: Duration,
    /// It is gone by then at the latest,
    from: Duration,
    /// and is started again then at the soonest; `None` when the load has ended.
    until: Option<Duration>,
}

impl Down {
    /// A fault, if the step at `at` is done to a node that is down; what it ends is down from
    /// then on. To be asked of all steps in the order of their instants.
    pub fn look(
        &mut self,
        at: Duration,
        action: &StepAction,
        span: &Span,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let (name, fault) = match action {
            StepAction::Fault { fault, target: Target::Node(name) } => (name, Some(*fault)),
            StepAction::Rolling(RollingRestart { target: Target::Node(name), .. }) => (name, None),
            _ => return,
        };
        let known = self.0.get(name);
        if let Some(ended) = known.filter(|ended| ended.is_certain(at)) {
            diagnostics.push(ended.refuse(name, span));
            return;
        }
        let (from, lasts) = match fault {
            Some(NodeFault::Kill { lasts }) => (at, lasts),
            Some(NodeFault::Stop { lasts }) => (at + GRACE, lasts),
            _ => return,
        };
        // Whichever of two steps is over first starts it again.
        let other = known.and_then(|ended| ended.until).filter(|until| *until > at);
        let until = lasts.map(|lasts| at + lasts).into_iter().chain(other).min();
        let word = action.word();
        self.0.insert(name.clone(), Ended { word, at, from, until });
    }
}

impl Ended {
    fn is_certain(&self, at: Duration) -> bool {
        self.from < at && self.until.is_none_or(|until| at < until)
    }

    fn refuse(&self, name: &NodeName, span: &Span) -> Diagnostic {
        let (word, at) = (self.word, Time(self.at));
        let message = format!("{name} is down by then: the `{word}` at {at} has ended it");
        let advice = match self.until {
            None => {
                "give that step `for`, so that the node is started again, or take another".into()
            }
            Some(until) => format!(
                "it is started again at {} at the soonest: let this step begin later, or take another \
                 node",
                Time(until)
            ),
        };
        Diagnostic::new(span, message).advise(advice)
    }
}
