//! The panel of a terminal: a few lines that stay in their places.
//!
//! Figures have columns of a fixed width, so that only digits change from frame to frame. No
//! line is longer than the terminal is wide: cells that do not fit are left out, from the
//! right.

use super::{Repeated, State, StepState, list};
use crate::model::event::Phase;
use crate::model::measure::thousands;
use crate::model::{Nanos, Unit, printable};

/// The longest text that [`State::doing`] returns.
const DOING: usize = 23;
/// A wider bar shows nothing more.
const BAR: usize = 20;
/// A narrower bar is left out.
const LEAST_BAR: usize = 5;
const LABEL: usize = 11;
const GAP: &str = "   ";

impl State {
    /// The panel at the instant `now`, at most seven lines of at most `width` columns.
    pub fn lines(&self, now: Nanos, width: usize) -> Vec<String> {
        let mut lines = vec![self.head(now, width), self.phase_line(now, width)];
        if let Some(load) = self.load_line(width) {
            lines.push(load);
            lines.push(self.probe_line(width));
        }
        lines.extend(self.step_lines(now, width));
        lines.extend(self.warnings.last().map(|last| warning_line(last, width)));
        // Names come from files, and a control character in a name could control the terminal.
        lines.into_iter().map(|line| cut(&printable(line.trim_end()), width)).collect()
    }

    fn head(&self, now: Nanos, width: usize) -> String {
        let elapsed = format!("{:.1} s", now.as_secs_f64());
        let Some(drill) = &self.drill else { return elapsed };
        let engine = format!("{} {}", drill.engine.kind, drill.engine.version);
        let cells = [&drill.scenario, &engine, &drill.topology, &drill.backend];
        let room = width.saturating_sub(elapsed.len() + 2);
        let name = join(&cells.map(String::as_str), " · ", room);
        let space = width.saturating_sub(name.chars().count() + elapsed.len());
        format!("{name}{}{elapsed}", " ".repeat(space))
    }

    fn phase_line(&self, now: Nanos, width: usize) -> String {
        let doing = format!("{:<DOING$}", self.doing());
        let (share, far) = match (self.phase, self.timeline(now)) {
            (Some(Phase::Form), _) if self.nodes > 0 => {
                let far = format!("{} of {} nodes are ready", self.ready, self.nodes);
                (self.ready as f64 / self.nodes as f64, far)
            }
            (Some(Phase::Steps | Phase::Settle), Some((gone, end))) => {
                (gone / end.max(0.001), format!("{gone:.1} of {end:.1} s"))
            }
            (Some(Phase::Drain | Phase::Sweep | Phase::Undo | Phase::Verify | Phase::Stop), _) => {
                (1.0, String::new())
            }
            _ => (0.0, String::new()),
        };
        // Room for the widest figures, so that the bar keeps its length.
        let room = width.saturating_sub(LABEL + DOING + 2 + 2 + "100.0 of 100.0 s".len());
        labelled("phase", &[&doing, &bar(share, room), &far], "  ", width)
    }

    fn load_line(&self, width: usize) -> Option<String> {
        let (rate, p99) = self.pace()?;
        let errors = format!("errors {:<5}", thousands(self.errors as f64));
        if !self.loaded() {
            return Some(labelled("load", &["has ended", &errors], GAP, width));
        }
        let rate = format!("{:<13}", format!("{} ops/s", thousands(rate)));
        let p99 = format!("p99 {:<8}", p99.map_or("-".to_owned(), |ms| Unit::Millis.show(ms)));
        let in_flight = format!("in flight {}", thousands(self.in_flight() as f64));
        Some(labelled("load", &[&rate, &p99, &errors, &in_flight], GAP, width))
    }

    fn probe_line(&self, width: usize) -> String {
        if !self.loaded() {
            return labelled("probes", &["have ended"], GAP, width);
        }
        let (served, all) = (self.served(), self.canaries);
        let served = match served == all {
            true => format!("all {all} canaries served"),
            false => format!("{served} of {all} canaries served, {} NOT", all - served),
        };
        let slowest = Unit::Millis.show(self.worst_probe_ns as f64 / 1e6);
        labelled("probes", &[&served, &format!("slowest {slowest}")], GAP, width)
    }

    /// The step as the scenario describes it, and its progress.
    fn step_lines(&self, now: Nanos, width: usize) -> Vec<String> {
        let (Some(step), Some(text)) = (&self.step, self.step_text()) else { return Vec::new() };
        let steps = self.drill.as_ref().map_or(0, |drill| drill.steps.len());
        let label = format!("step {}/{steps}", step.index + 1);
        vec![labelled(&label, &[text], GAP, width), step_progress(step, now, width)]
    }
}

fn step_progress(step: &StepState, now: Nanos, width: usize) -> String {
    if let Some(error) = &step.error {
        return labelled("", &[&format!("failed: {}", one_line(error))], GAP, width);
    }
    let took = step.ended.unwrap_or(now).since(step.began).as_secs_f64();
    if !step.nodes.is_empty() {
        let cells = [format!("{took:>5.1} s"), list(&step.nodes)];
        return labelled("", &cells.each_ref().map(String::as_str), GAP, width);
    }
    let share = step.moved.slots as f64 / step.moved.slots_total.max(1) as f64;
    let room = width.saturating_sub(LABEL + 2 * GAP.len() + "12,345 of 12,345 slots".len() + 8);
    let (took, slots) = (format!("{took:>5.1} s"), step.slots().unwrap_or_default());
    let cells = [&bar(share, room), &took, &format!("{slots:<22}"), &step.keys()];
    labelled("", &cells.map(String::as_str), GAP, width)
}

/// The count stands at the end and is never cut off.
fn warning_line(warning: &Repeated, width: usize) -> String {
    let times = match warning.times {
        1 => String::new(),
        n => format!(" ({n} times)"),
    };
    let room = width.saturating_sub(LABEL + times.len());
    format!("{:<LABEL$}{}{times}", "  warning", cut(&one_line(&warning.text), room))
}

/// `  phase    baseline   …`: as many cells as fit.
fn labelled(label: &str, cells: &[&str], gap: &str, width: usize) -> String {
    let cells = join(cells, gap, width.saturating_sub(LABEL));
    format!("{:<LABEL$}{cells}", format!("  {label}"))
}

/// As many cells as fit in `room`, at least the first. Empty cells do not count.
fn join(cells: &[&str], gap: &str, room: usize) -> String {
    let mut joined = String::new();
    for cell in cells.iter().filter(|cell| !cell.is_empty()) {
        let longer =
            if joined.is_empty() { (*cell).to_owned() } else { format!("{joined}{gap}{cell}") };
        if !joined.is_empty() && longer.chars().count() > room {
            break;
        }
        joined = longer;
    }
    joined
}

/// `█████░░░░░`; empty if there is little room.
fn bar(share: f64, room: usize) -> String {
    let width = room.min(BAR);
    if width < LEAST_BAR {
        return String::new();
    }
    let full = (share.clamp(0.0, 1.0) * width as f64).floor() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Line breaks and other control characters would tear the panel.
pub(super) fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
