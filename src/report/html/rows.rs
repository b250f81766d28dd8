//! The page's tables, row by row.

use crate::model::catalogue::{CATALOGUE, Known, known};
use crate::model::measure::thousands;
use crate::model::{NodeName, Unit, Verdict};
use crate::report::data::{Job, JobPhase, Judged, Report, Shard, Step};
use crate::report::text::mark;

use super::slots;

/// An expectation with its bar: the value, and a tick where the bound is.
pub(super) struct Expected {
    pub verdict: Verdict,
    pub mark: &'static str,
    pub text: String,
    pub value: String,
    pub about: &'static str,
    /// Percent of the bar's length; none if there is no value.
    pub filled: Option<String>,
    pub bound_at: String,
    pub bound: String,
}

impl Expected {
    pub fn new(judged: &Judged) -> Expected {
        let value = judged.value.unwrap_or(0.0);
        let full = value.max(judged.bound) * 1.15;
        let share = |v: f64| if full > 0.0 { (v / full * 100.0).clamp(0.0, 100.0) } else { 0.0 };
        Expected {
            verdict: judged.verdict,
            mark: mark(judged.verdict),
            text: judged.text.clone(),
            value: judged.value.map_or("not known".to_owned(), |v| judged.unit.show(v)),
            about: known(&judged.measure).map_or("", |known| known.about),
            filled: judged.value.map(|value| format!("{:.1}", share(value))),
            bound_at: format!("{:.1}", share(judged.bound)),
            bound: judged.unit.show(judged.bound),
        }
    }
}

/// A cell that a person reads, and the figure that is copied.
pub(super) struct Cell {
    pub shown: String,
    pub raw: String,
}

impl Cell {
    fn text(text: String) -> Cell {
        Cell { raw: text.clone(), shown: text }
    }

    fn count(n: Option<u64>) -> Cell {
        Cell::figure(n.map(|n| n as f64), Unit::Count, 0)
    }

    fn figure(value: Option<f64>, unit: Unit, decimals: usize) -> Cell {
        match value {
            Some(value) => Cell { shown: unit.show(value), raw: format!("{value:.decimals$}") },
            None => Cell { shown: "–".to_owned(), raw: String::new() },
        }
    }
}

pub(super) struct ShardRow {
    pub colour: u32,
    pub name: String,
    pub cells: Vec<Cell>,
}

impl ShardRow {
    /// In the order of the table's heads, which stand in the template.
    pub fn new(r: &Report, s: &Shard) -> ShardRow {
        let slots = |slots: Option<u32>| {
            Cell::count(slots.filter(|_| r.has_slots(&s.group)).map(u64::from))
        };
        let mut cells = vec![Cell::text(
            s.primary_after.as_ref().map_or("–".to_owned(), |node| node.to_string()),
        )];
        if r.has_cluster() {
            cells.extend([slots(s.slots_before), slots(s.slots_after)]);
        }
        cells.extend([
            Cell::count(s.keys_before),
            Cell::count(s.keys_after),
            Cell::figure(s.memory_before.map(|b| b as f64), Unit::Bytes, 0),
            Cell::figure(s.memory_after.map(|b| b as f64), Unit::Bytes, 0),
            Cell::figure(s.ops_per_s, Unit::Count, 1),
            Cell::figure(s.net_in_per_s, Unit::BytesPerSecond, 0),
            Cell::figure(s.net_out_per_s, Unit::BytesPerSecond, 0),
            Cell::figure(s.cpu_percent, Unit::Percent, 1),
            Cell::figure(s.downtime_write_max_ms, Unit::Millis, 3),
            Cell::figure(s.downtime_write_total_ms, Unit::Millis, 3),
            Cell::figure(s.downtime_read_max_ms, Unit::Millis, 3),
            Cell::figure(s.downtime_read_total_ms, Unit::Millis, 3),
        ]);
        ShardRow { colour: slots::colour(s.shard), name: format!("{}/{}", s.group, s.shard), cells }
    }
}

pub(super) struct StepRow {
    pub number: usize,
    pub text: String,
    pub error: Option<String>,
    pub began: String,
    pub took: String,
    pub view: String,
    pub converged: String,
    pub moved: String,
    /// The servers' own jobs: `0 → 1: snapshotting +2.1 ms, success +98.4 ms`.
    pub jobs: Vec<String>,
}

pub(super) fn steps(r: &Report) -> Vec<StepRow> {
    let since = |at: Option<f64>, from: Option<f64>| match (at, from) {
        (Some(at), Some(from)) => Unit::Millis.show(at - from),
        _ => "–".to_owned(),
    };
    let row = |(i, step): (usize, &Step)| StepRow {
        number: i + 1,
        text: step.text.clone(),
        error: step.error.clone(),
        began: match (step.began_ms, r.timeline_ms) {
            (Some(began), Some(line)) => format!("{:.2} s", (began - line) / 1e3),
            _ => "never".to_owned(),
        },
        took: since(step.ended_ms, step.began_ms),
        view: since(step.view_converged_ms, step.began_ms),
        converged: since(step.converged_ms, step.began_ms),
        jobs: step.jobs.iter().map(|j| job(j, step.began_ms.unwrap_or(0.0))).collect(),
        moved: done(step),
    };
    r.steps.iter().enumerate().map(row).collect()
}

/// What came of it: `cache/3/0, cache/3/1 joined; 4,096 of 4,096 slots, 10,020 keys, migrate`.
fn done(step: &Step) -> String {
    let told = |nodes: &[NodeName], what: &str| {
        (!nodes.is_empty()).then(|| format!("{} {what}", names(nodes)))
    };
    let parts = [
        told(&step.joined, "joined"),
        (step.moved.slots_total > 0).then(|| moved(step)),
        told(&step.left, "left"),
        (!step.nodes.is_empty()).then(|| format!("done to {}", names(&step.nodes))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "–".to_owned() } else { parts.join("; ") }
}

fn moved(step: &Step) -> String {
    let bytes = step.moved.bytes.map(|bytes| Unit::Bytes.show(bytes as f64));
    let bytes = bytes.map_or(String::new(), |bytes| format!(", {bytes}"));
    let method = step.method.as_ref().map(|method| format!(", {method}"));
    format!(
        "{} of {} slots, {} keys{bytes}{}",
        thousands(step.moved.slots as f64),
        thousands(step.moved.slots_total as f64),
        thousands(step.moved.keys as f64),
        method.unwrap_or_default()
    )
}

fn names(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::to_string).collect::<Vec<_>>().join(", ")
}

/// Its phases, each with the time since the step began.
fn job(job: &Job, began_ms: f64) -> String {
    let phase = |p: &JobPhase| format!("{} +{}", p.state, Unit::Millis.show(p.at_ms - began_ms));
    let phases: Vec<String> = job.phases.iter().map(phase).collect();
    format!("job {} → {}: {}", job.from, job.to, phases.join(", "))
}

pub(super) struct MeasureRow {
    pub name: &'static str,
    pub value: String,
    pub about: &'static str,
}

pub(super) fn measures(r: &Report) -> Vec<MeasureRow> {
    let known = CATALOGUE.iter().filter(|known| r.has(known.name));
    let row = |known: &Known| MeasureRow {
        name: known.name,
        value: r.show(known.name),
        about: known.about,
    };
    known.map(row).collect()
}
