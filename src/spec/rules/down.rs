//! Nodes that an earlier step has ended, for certain: what is done to them then fails.
//!
//! Only steps that name a node say which one they end, and only of a name is it known who is
//! meant. A step that may go well is not refused.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{NodeName, StepKind};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Time;
use crate::spec::source::Span;
use crate::spec::step::{On, Step, Target};

#[derive(Debug, Default)]
pub struct Down(HashMap<NodeName, Ended>);

#[derive(Debug)]
struct Ended {
    kind: StepKind,
    at: Duration,
    /// It is gone by then at the latest,
    from: Duration,
    /// and is started again then at the soonest; `None` when the load has ended.
    until: Option<Duration>,
}

impl Down {
    /// Tells it if `step` is done to a node that is down; what it ends is down from then on. To
    /// be asked of all steps in the order of their instants.
    pub fn look(&mut self, step: &Step, span: &Span, diagnostics: &mut Vec<Diagnostic>) {
        let On::Nodes(Target::Node(name)) = &step.on else { return };
        let at = step.at;
        let known = self.0.get(name);
        if let Some(ended) = known.filter(|ended| ended.is_certain(at)) {
            diagnostics.push(ended.refuse(name, span));
            return;
        }
        let Some(grace) = step.action.ends_servers_in() else { return };
        let from = at + grace;
        // Whichever of two steps is over first starts it again.
        let other = known.and_then(|ended| ended.until).filter(|until| *until > at);
        let until = step.lasts.map(|lasts| at + lasts).into_iter().chain(other).min();
        let kind = step.action.kind();
        self.0.insert(name.clone(), Ended { kind, at, from, until });
    }
}

impl Ended {
    fn is_certain(&self, at: Duration) -> bool {
        self.from < at && self.until.is_none_or(|until| at < until)
    }

    fn refuse(&self, name: &NodeName, span: &Span) -> Diagnostic {
        let (word, at) = (&self.kind, Time(self.at));
        let message = format!("{name} is down at that time: the `{word}` at {at} has ended it");
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
