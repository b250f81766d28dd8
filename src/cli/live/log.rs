//! The lines of a log: one for each event, and one every five seconds while the load runs. A
//! nightly job prints these.

use std::time::Duration;

use super::{State, list};
use crate::model::event::{End, Event, EventKind, FailoverPhase, Phase};
use crate::model::measure::thousands;
use crate::model::{Nanos, NodeName, Unit, printable_lines};

const STATUS_EVERY: Duration = Duration::from_secs(5);

/// Turns events into lines.
#[derive(Debug, Default)]
pub struct Log {
    state: State,
    /// When the status was printed last, or when the load began.
    status: Nanos,
}

impl Log {
    /// The lines of the log for `event`.
    pub fn hear(&mut self, event: &Event) -> Vec<String> {
        self.state.hear(event);
        let mut texts: Vec<String> = self.happened(event).into_iter().collect();
        texts.extend(self.status_if_due(event));
        if matches!(event.kind, EventKind::Ended { .. }) {
            texts.extend(self.repeated());
        }
        let at = event.at.as_secs_f64();
        let line = |text: String| format!("{at:>8.3} s  {}", printable_lines(&text));
        texts.into_iter().map(line).collect()
    }

    fn happened(&self, event: &Event) -> Option<String> {
        let state = &self.state;
        Some(match &event.kind {
            EventKind::Phase { phase: Phase::Steps } => "load and probes run: baseline".to_owned(),
            EventKind::Phase { .. } => state.doing().to_owned(),
            EventKind::Ready { nodes } => match nodes.len() {
                1 => "1 node is ready".to_owned(),
                n => format!("{n} nodes are ready"),
            },
            // Printed once; the end of the log says how often it came again.
            EventKind::Warning { text } | EventKind::Foreign { what: text }
                if state.times_warned(text) == 1 =>
            {
                format!("warning: {text}")
            }
            EventKind::StepBegan { step } => format!("step {}: {}", step + 1, state.step_text()?),
            EventKind::StepEnded { step, error: Some(error), .. } => {
                format!("step {} failed: {error}", step + 1)
            }
            EventKind::StepInjected { nodes, .. } if nodes.is_empty() => "done".to_owned(),
            EventKind::StepInjected { nodes, .. } => format!("done to {}", list(nodes)),
            EventKind::StepNote { text, .. } => text.clone(),
            EventKind::StepNotUndone { step, error, .. } => format!("step {}: {error}", step + 1),
            EventKind::StepJoined { nodes, .. } => format!("joined: {}", list(nodes)),
            EventKind::StepLeft { nodes, .. } => format!("left: {}", list(nodes)),
            EventKind::StepUndone { step, nodes } if nodes.is_empty() => {
                format!("step {} is undone", step + 1)
            }
            EventKind::StepUndone { nodes, .. } => format!("undone on {}", list(nodes)),
            EventKind::Failover { phase, node, by, .. } => failover_text(*phase, node, by),
            EventKind::StepEnded { step, moved, .. } if moved.slots > 0 => {
                let began = state.step.as_ref().filter(|state| state.index == *step);
                let took = began.map(|state| event.at.since(state.began).as_secs_f64());
                let took = took.map_or(String::new(), |took| format!(" in {took:.1} s"));
                let (slots, keys) = (thousands(moved.slots as f64), thousands(moved.keys as f64));
                format!("step {} is done{took}: {slots} slots, {keys} keys", step + 1)
            }
            EventKind::Converged { step, .. } => {
                format!("step {} has converged: all nodes agree, replicas linked", step + 1)
            }
            EventKind::Crashed { node, status, log } => {
                let lines = log.iter().map(|line| format!("\n  | {line}")).collect::<String>();
                format!("{node} crashed ({status}); the last lines of its log:{lines}")
            }
            EventKind::Disagreed { group, .. } => {
                format!("{group} has not converged: nodes disagree")
            }
            EventKind::Returned { since: Some(_), .. } => {
                "what steps left is undone: all nodes agree, replicas linked".to_owned()
            }
            EventKind::Returned { since: None, .. } => {
                "what steps left is undone, and nodes did not come to rest".to_owned()
            }
            EventKind::Ended { end: End::Interrupted } => "interrupted".to_owned(),
            EventKind::Ended { end: End::Failed { error } } => format!("failed: {error}"),
            _ => return None,
        })
    }

    fn status_if_due(&mut self, event: &Event) -> Option<String> {
        match event.kind {
            EventKind::Phase { phase: Phase::Steps } => {
                self.status = event.at;
                None
            }
            EventKind::Sample(_) if event.at.since(self.status) >= STATUS_EVERY => {
                self.status = event.at;
                self.status_line()
            }
            _ => None,
        }
    }

    /// `3,998 ops/s, p99 1.21 ms, errors 0, canaries 14 of 14, 812 of 1,820 slots`
    fn status_line(&self) -> Option<String> {
        let state = &self.state;
        let (rate, p99) = state.pace()?;
        let p99 = p99.map_or("-".to_owned(), |ms| Unit::Millis.show(ms));
        let errors = thousands(state.errors as f64);
        let (served, canaries) = (state.served(), state.canaries);
        let rate = thousands(rate);
        let mut line = format!(
            "{rate} ops/s, p99 {p99}, errors {errors}, canaries served {served} of {canaries}"
        );
        let going = state.step.as_ref().filter(|step| step.ended.is_none());
        if let Some(slots) = going.and_then(|step| step.slots()) {
            line.push_str(&format!(", {slots}"));
        }
        Some(line)
    }

    fn repeated(&self) -> impl Iterator<Item = String> {
        self.state.warnings.iter().filter(|warning| warning.times > 1).map(|warning| {
            format!("warning, {} times in all: {}", thousands(warning.times as f64), warning.text)
        })
    }
}

fn failover_text(phase: FailoverPhase, node: &NodeName, by: &NodeName) -> String {
    match phase {
        FailoverPhase::Suspected => format!("{node} is suspected by {by}"),
        FailoverPhase::Agreed if by.is_sentinel() => {
            format!("{node} has failed: a quorum of sentinels agrees")
        }
        FailoverPhase::Agreed => format!("{node} has failed: a majority agrees"),
        FailoverPhase::Elected => format!("{node} is elected"),
        FailoverPhase::Propagated => format!("{node} is primary: all live nodes agree"),
        FailoverPhase::Redundant => format!("{node} is linked as a replica"),
    }
}
