//! What a drill looks like while it runs: its events, as a few lines of text.
//!
//! [`State`] hears events and is drawn by [`State::lines`], a pure function, so
//! that the panel of a terminal and the lines of a log say the same.

use crate::model::event::{DrillInfo, End, Event, Moved, Phase, Sample, What};
use crate::model::measure::thousands;
use crate::model::{Nanos, Unit};

/// What is known of a drill so far.
#[derive(Clone, Debug, Default)]
pub struct State {
    drill: Option<DrillInfo>,
    ready: usize,
    nodes: usize,
    phase: Option<Phase>,
    /// When the load began.
    begun: Option<Nanos>,
    /// The last step that began: its index, and whether it is still going on.
    step: Option<(usize, bool)>,
    moved: Moved,
    /// One second of samples, newest last, as 100 ms windows of all loads.
    window: Vec<Sample>,
    errors: u64,
    outages: usize,
    worst_probe_ns: u64,
    now: Nanos,
}

/// How many samples of each load the panel's figures are taken over: 1 s.
const WINDOW: usize = 10;

impl State {
    pub fn hear(&mut self, event: &Event) {
        self.now = event.at;
        match &event.what {
            What::Drill(info) => self.drill = Some(info.clone()),
            What::Forming { ready, total } => (self.ready, self.nodes) = (*ready, *total),
            What::Ready { nodes } => (self.ready, self.nodes) = (nodes.len(), nodes.len()),
            What::Phase { phase } => {
                self.phase = Some(*phase);
                if *phase == Phase::Steps {
                    self.begun = Some(event.at);
                }
            }
            What::StepBegan { step } => {
                self.step = Some((*step, true));
                self.moved = Moved::default();
            }
            What::StepProgress { moved, .. } => self.moved = *moved,
            What::StepEnded { step, moved, .. } => {
                self.step = Some((*step, false));
                self.moved = *moved;
            }
            What::OutageBegan { .. } => self.outages += 1,
            What::OutageEnded { .. } => self.outages = self.outages.saturating_sub(1),
            What::Probes { worst_ns, .. } => self.worst_probe_ns = *worst_ns,
            What::Sample(sample) => self.hear_sample(sample),
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

    /// What is going on, in a few words.
    pub fn doing(&self) -> &'static str {
        let Some(phase) = self.phase else { return "starting" };
        match (phase, self.step) {
            (Phase::Form, _) => "forming the topology",
            (Phase::Fill, _) => "writing the keys",
            (Phase::Steps, None) => "baseline",
            (Phase::Steps, Some((_, true))) => "step",
            (Phase::Steps, Some((_, false))) => "between steps",
            (Phase::Settle, _) => "settling",
            (Phase::Verify, _) => "reading the final state",
            (Phase::Stop, _) => "stopping the servers",
        }
    }

    /// The share of the planned time that has passed, from 0 to 1.
    fn progress(&self) -> f64 {
        let planned = self.drill.as_ref().map_or(0.0, |d| d.planned_ms) / 1e3;
        match (self.phase, self.begun) {
            (Some(Phase::Verify | Phase::Stop), _) => 1.0,
            (_, Some(begun)) => {
                (self.now.since(begun).as_secs_f64() / planned.max(0.001)).min(0.99)
            }
            (_, None) => 0.0,
        }
    }

    /// `3,998 ops/s   p99 1.2 ms   errors 0   in flight 3`
    pub fn load_line(&self) -> String {
        let seconds = self.seconds_seen();
        let ok: u64 = self.window.iter().map(|s| s.ok).sum();
        let p99 = self.window.iter().map(|s| s.p99_ns).max().unwrap_or(0);
        let in_flight = self.window.last().map_or(0, |s| s.in_flight);
        format!(
            "{} ops/s   p99 {}   errors {}   in flight {in_flight}",
            thousands(ok as f64 / seconds),
            Unit::Millis.show(p99 as f64 / 1e6),
            thousands(self.errors as f64),
        )
    }

    fn seconds_seen(&self) -> f64 {
        match (self.window.first(), self.window.last()) {
            (Some(first), Some(last)) => last.from.since(first.from).as_secs_f64() + 0.1,
            _ => 1.0,
        }
    }

    /// The step's own words, and how far it has come.
    fn step_line(&self) -> Option<String> {
        let (step, going) = self.step?;
        let text = &self.drill.as_ref()?.steps.get(step)?.text;
        let Moved { slots, slots_total, keys, .. } = self.moved;
        let mark = if going {
            bar(slots as f64 / slots_total.max(1) as f64, 20)
        } else {
            "done".to_owned()
        };
        let (slots, keys) = (thousands(slots as f64), thousands(keys as f64));
        let total = thousands(slots_total as f64);
        Some(format!("{text}   {mark} {slots} / {total} slots   {keys} keys"))
    }

    fn probe_line(&self) -> String {
        let worst = Unit::Millis.show(self.worst_probe_ns as f64 / 1e6);
        match self.outages {
            0 => format!("all canaries served   slowest {worst}"),
            1 => "1 canary is not served".to_owned(),
            n => format!("{n} canaries are not served"),
        }
    }

    /// The panel: at most five lines.
    pub fn lines(&self) -> Vec<String> {
        let Some(drill) = &self.drill else { return vec!["starting".to_owned()] };
        let engine = &drill.engine;
        let nodes =
            if self.nodes > 0 { format!(" · {} nodes", self.nodes) } else { String::new() };
        let mut lines = vec![
            format!(
                "{} · {} {}{nodes} · {}",
                drill.scenario, engine.kind, engine.version, drill.backend
            ),
            format!(
                "  phase    {}   {} {:.1} s",
                self.doing(),
                bar(self.progress(), 20),
                self.now.as_secs_f64()
            ),
        ];
        if !self.window.is_empty() {
            lines.push(format!("  load     {}", self.load_line()));
            lines.push(format!("  probes   {}", self.probe_line()));
        }
        lines.extend(self.step_line().map(|line| format!("  step     {line}")));
        lines
    }
}

/// What an event is worth to somebody who reads a log: a line, or nothing.
pub fn log_line(event: &Event, state: &State) -> Option<String> {
    let text = match &event.what {
        What::Phase { phase: Phase::Steps } => "load and probes run: baseline".to_owned(),
        What::Phase { .. } => state.doing().to_owned(),
        What::Ready { nodes } => format!("{} nodes are ready", nodes.len()),
        What::Warning { text } => format!("warning: {text}"),
        What::StepBegan { .. } => format!("step: {}", state.step_line()?),
        What::StepEnded { error: Some(error), .. } => format!("step failed: {error}"),
        What::StepEnded { .. } => format!("step: {}", state.step_line()?),
        What::Converged { step, .. } => {
            format!("step {} has converged: all nodes agree, replicas linked", step + 1)
        }
        What::Ended { end: End::Interrupted } => "interrupted".to_owned(),
        What::Ended { end: End::Failed { error } } => format!("failed: {error}"),
        _ => return None,
    };
    Some(format!("{:>8.3} s  {text}", event.at.as_secs_f64()))
}

/// `█████░░░░░`
fn bar(share: f64, width: usize) -> String {
    let full = (share.clamp(0.0, 1.0) * width as f64).round() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}
