//! What a person sees while a drill runs.
//!
//! [`State`] hears events and keeps what a person wants to know. [`panel`] and [`log`] are pure
//! functions that make text of it, for a terminal and for a file.

pub mod log;
pub mod panel;
pub mod screen;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::model::event::{DrillInfo, Event, EventKind, Moved, Phase, Sample};
use crate::model::measure::thousands;
use crate::model::op::Access;
use crate::model::{Nanos, NodeName};

/// How many samples of each load the figures cover: 1 s.
const WINDOW: usize = 10;

/// The state of a drill, as its events have shown it.
#[derive(Clone, Debug, Default)]
pub struct State {
    drill: Option<DrillInfo>,
    ready: usize,
    nodes: usize,
    phase: Option<Phase>,
    /// When the load began.
    begun: Option<Nanos>,
    step: Option<StepState>,
    /// One second of samples, newest last, as 100 ms windows of all loads.
    window: Vec<Sample>,
    errors: u64,
    canaries: usize,
    /// The canaries that are not served now, and by which action.
    out: HashSet<(usize, Access)>,
    worst_probe_ns: u64,
    warnings: Vec<Repeated>,
}

/// The last step that began.
#[derive(Clone, Debug)]
struct StepState {
    index: usize,
    began: Nanos,
    ended: Option<Nanos>,
    /// The nodes that it acts on.
    nodes: Vec<NodeName>,
    moved: Moved,
    error: Option<String>,
}

/// A warning, and how often it came with the same words.
#[derive(Clone, Debug)]
struct Repeated {
    text: String,
    times: u64,
}

impl State {
    pub fn hear(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Drill(info) => self.drill = Some(info.clone()),
            EventKind::Forming { ready, total } => (self.ready, self.nodes) = (*ready, *total),
            EventKind::Ready { nodes } => (self.ready, self.nodes) = (nodes.len(), nodes.len()),
            EventKind::Phase { phase } => self.hear_phase(*phase, event.at),
            EventKind::Warning { text } | EventKind::Foreign { what: text } => {
                self.hear_warning(text);
            }
            EventKind::Crashed { node, status, .. } => {
                self.hear_warning(&format!("{node} crashed ({status})"));
            }
            EventKind::Canaries { canaries, .. } => self.canaries = canaries.len(),
            EventKind::StepBegan { .. }
            | EventKind::StepInjected { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepEnded { .. } => self.hear_step(event),
            EventKind::OutageBegan { canary, action, .. } => {
                self.out.insert((*canary, *action));
            }
            EventKind::OutageEnded { canary, action, .. } => {
                self.out.remove(&(*canary, *action));
            }
            EventKind::Probes { worst_ns, .. } => self.worst_probe_ns = *worst_ns,
            EventKind::Sample(sample) => self.hear_sample(sample),
            _ => {}
        }
    }

    fn hear_phase(&mut self, phase: Phase, at: Nanos) {
        self.phase = Some(phase);
        if phase == Phase::Steps {
            self.begun = Some(at);
        }
    }

    fn hear_step(&mut self, event: &Event) {
        match (&event.kind, &mut self.step) {
            (EventKind::StepBegan { step }, state) => {
                let moved = Moved::default();
                let (index, began, nodes) = (*step, event.at, Vec::new());
                *state = Some(StepState { index, began, ended: None, nodes, moved, error: None });
            }
            // Another step may have begun meanwhile.
            (EventKind::StepInjected { step, nodes, .. }, Some(state)) if state.index == *step => {
                state.nodes.clone_from(nodes);
            }
            (EventKind::StepProgress { step, moved, .. }, Some(state)) if state.index == *step => {
                state.moved = *moved;
            }
            (EventKind::StepEnded { step, moved, error, .. }, Some(state))
                if state.index == *step =>
            {
                (state.moved, state.error) = (*moved, error.clone());
                state.ended = Some(event.at);
            }
            _ => {}
        }
    }

    fn hear_sample(&mut self, sample: &Sample) {
        self.errors += sample.fail + sample.unknown;
        self.window.push(sample.clone());
        let loads = self.drill.as_ref().map_or(1, |d| d.loads.len().max(1));
        let surplus = self.window.len().saturating_sub(WINDOW * loads);
        self.window.drain(..surplus);
    }

    /// Some warnings come every second and differ in a number only.
    fn hear_warning(&mut self, text: &str) {
        match self.warnings.iter_mut().find(|known| same_but_for_numbers(&known.text, text)) {
            Some(known) => known.times += 1,
            None => self.warnings.push(Repeated { text: text.to_owned(), times: 1 }),
        }
    }

    /// How often a warning like `text` has come.
    fn times_warned(&self, text: &str) -> u64 {
        let known = self.warnings.iter().find(|known| same_but_for_numbers(&known.text, text));
        known.map_or(0, |known| known.times)
    }

    /// What the drill is doing, in a few words.
    fn doing(&self) -> &'static str {
        let Some(phase) = self.phase else { return "starting" };
        match (phase, &self.step) {
            (Phase::Form, _) => "forming the topology",
            (Phase::Fill, _) => "writing the keys",
            (Phase::Steps, None) => "baseline",
            (Phase::Steps, Some(StepState { ended: None, .. })) => "step under way",
            (Phase::Steps, Some(_)) => "between steps",
            (Phase::Settle, _) => "settling",
            (Phase::Drain, _) => "waiting for answers",
            (Phase::Sweep, _) => "comparing copies",
            (Phase::Undo, _) => "undoing what is left",
            (Phase::Verify, _) => "reading the final state",
            (Phase::Stop, _) => "ending the drill",
        }
    }

    /// Whether the load runs. The drill's planned time counts from the load's start.
    fn loaded(&self) -> bool {
        matches!(self.phase, Some(Phase::Steps | Phase::Settle))
    }

    /// How long the load has run at `now`, and how long it will have run at the end, in
    /// seconds. The load settles after the last step has ended, so a step that takes longer
    /// than planned moves the end.
    fn timeline(&self, now: Nanos) -> Option<(f64, f64)> {
        let (drill, begun) = (self.drill.as_ref()?, self.begun?);
        let gone = now.since(begun).as_secs_f64();
        let planned = drill.planned_ms / 1e3;
        let last = drill.steps.last().map_or(0.0, |step| step.planned_at.as_secs_f64());
        let settle = planned - last;
        let calm = match &self.step {
            Some(StepState { ended: Some(at), .. }) => at.since(begun).as_secs_f64(),
            Some(_) => gone,
            None => last,
        };
        Some((gone, (calm.max(last) + settle).max(gone)))
    }

    /// Operations a second and p99 of the last second. The p99 is that of the worst 100 ms.
    fn pace(&self) -> Option<(f64, Option<f64>)> {
        let (first, last) = (self.window.first()?, self.window.last()?);
        let seconds = last.from.since(first.from).as_secs_f64() + 0.1;
        let ok: u64 = self.window.iter().map(|s| s.ok).sum();
        let p99 = self.window.iter().filter(|s| s.ok > 0).map(|s| s.p99_ns).max();
        Some((ok as f64 / seconds, p99.map(|ns| ns as f64 / 1e6)))
    }

    fn in_flight(&self) -> u64 {
        let loads = self.drill.as_ref().map_or(1, |d| d.loads.len().max(1));
        self.window.iter().rev().take(loads).map(|s| s.in_flight).sum()
    }

    /// How many of all canaries are served.
    fn served(&self) -> usize {
        let out: HashSet<usize> = self.out.iter().map(|(canary, _)| *canary).collect();
        self.canaries.saturating_sub(out.len())
    }

    fn step_text(&self) -> Option<&str> {
        let step = self.drill.as_ref()?.steps.get(self.step.as_ref()?.index)?;
        Some(&step.text)
    }
}

impl StepState {
    /// `812 of 1,820 slots`; `None` until the total is known.
    fn slots(&self) -> Option<String> {
        let Moved { slots, slots_total, .. } = self.moved;
        let (moved, total) = (thousands(slots as f64), thousands(slots_total as f64));
        (slots_total > 0).then(|| format!("{moved} of {total} slots"))
    }

    fn keys(&self) -> String {
        format!("{} keys", thousands(self.moved.keys as f64))
    }
}

/// `cache/0/0, cache/1/0`
fn list(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::to_string).collect::<Vec<_>>().join(", ")
}

fn same_but_for_numbers(a: &str, b: &str) -> bool {
    let letters = |c: &char| !c.is_ascii_digit();
    a.chars().filter(letters).eq(b.chars().filter(letters))
}
