//! From a run folder to what people and programs read.
//!
//! A report is made from a run folder alone: `events.jsonl` says what the drill did and saw,
//! `history.jsonl.zst` has the result of each operation. So reports are made in the same way,
//! and can be made again, whether a drill ended well, was killed halfway, or ran a year ago.
//!
//! [`build`] reads the folder once for events, once for latencies and a few times for the
//! checkers, in limited memory, and returns a [`Report`]: the contents of `report.json`.
//! Everything else is made from that: [`text`] for the terminal, and the files that [`write`]
//! puts into the folder.

mod adapters;
mod advice;
mod checked;
pub mod compare;
mod containers;
mod data;
mod doubt;
mod error;
mod failover_fold;
mod failovers;
mod figures;
pub mod file;
mod files;
pub mod html;
pub mod json;
mod judge;
mod longest;
mod lookup;
pub mod junit;
pub mod markdown;
pub mod matrix;
mod measures;
mod members;
mod met;
mod outages;
mod ownership;
mod quantiles;
mod record;
mod schedule;
mod series;
mod sections;
mod shards;
mod side_by_side;
pub mod spread;
pub mod suite;
mod spans;
mod stats;
mod step_record;
mod table;
mod tally;
pub mod text;
mod traffic;
mod windows;

pub use data::*;
pub use error::ReportError;
pub use files::{write, write_file};

use std::path::Path;

use crate::check::Checked;
use crate::load::history;
use crate::model::event::{LoadInfo, Phase};
use crate::model::{NodeKind, NodeName};

use adapters::Silences;
use data::millis;
use measures::Sources;
use record::Record;
use series::SeriesBuilder;
use spans::Spans;
use tally::{Since, Tally};

/// The report at `path`: made from a run folder, or read from a `report.json`.
///
/// # Errors
/// Those of [`build`] and of [`json::read`].
pub fn open(path: &Path) -> Result<Report, ReportError> {
    if path.is_file() { json::read(path) } else { build(path) }
}

/// Makes the report of the run folder `run`.
///
/// # Errors
/// `run` is not a run folder, or its files are damaged elsewhere than at their ends.
pub fn build(run: &Path) -> Result<Report, ReportError> {
    let events = run.join(file::EVENTS);
    if !events.is_file() {
        return Err(ReportError::NotARun { path: run.to_owned() });
    }
    let mut record = Record::read(&events)?;
    let ends = [record.phase_at(Phase::Verify), record.phase_at(Phase::Stop), Some(record.last)];
    record.outages.close(&ends.into_iter().flatten().collect::<Vec<_>>());
    let history = History::read(run, &record)?;
    Ok(assemble(run, record, history))
}

/// The results of the history.
#[derive(Default)]
struct History {
    tally: Option<Tally>,
    checked: Checked,
    silences: Vec<Silences>,
    warnings: Vec<String>,
}

impl History {
    fn read(run: &Path, record: &Record) -> Result<History, ReportError> {
        let path = run.join(file::HISTORY);
        let Some(spans) = Spans::of(record).filter(|_| !record.info.loads.is_empty()) else {
            return Ok(History::default());
        };
        if !path.is_file() {
            let warning = format!("{} is missing: nothing is known of latency", file::HISTORY);
            return Ok(History { warnings: vec![warning], ..History::default() });
        }
        let mut tally = Tally::new(spans, record.info.loads.len());
        let mut silences = Silences::of(record, spans.line);
        let mut rows = history::read(&path)?;
        for op in &mut rows {
            let op = op?;
            tally.add(&op);
            silences.get_mut(usize::from(op.load)).into_iter().for_each(|load| load.add(&op));
        }
        let whole = !rows.was_cut() && record.phase_at(Phase::Stop).is_some();
        let checked = checked::checked(&path, record, spans.line.from, whole)?;
        let mut made = History { checked, ..History::default() };
        if rows.was_cut() {
            made.warnings.push(format!("{} breaks off: its end is missing", file::HISTORY));
        }
        (made.tally, made.silences) = (Some(tally), silences);
        Ok(made)
    }
}

fn assemble(run: &Path, mut record: Record, mut history: History) -> Report {
    let late = history.tally.as_ref().map_or(0, |tally| tally.latencies.of(Since::Intended).late);
    if late > 0 {
        history.warnings.push(format!(
            "{late} operations ended more than 30 s after newer ones and are not in latency.p99.worst"
        ));
    }
    let measures = measures::measures(Sources {
        record: &record,
        tally: history.tally.as_mut(),
        checked: &history.checked,
    });
    let doubts = doubt::doubts(&record, history.tally.as_mut(), &measures);
    let expectations = judge::expectations(&record, &measures, &doubts);
    let (verdict, why) = judge::verdict(&record, &expectations, &history.checked.findings);
    let spans = Spans::of(&record);
    let failovers = failovers::rows(&record);
    Adapter::add_silences(&mut record.series, history.silences, &failovers);
    let (outages, outages_left_out) = record.outages.list(&record.canaries);
    let lost = history.checked.over_time.get("writes.lost");
    let lost = |load| lost.map_or(Vec::new(), |lost| lost.counts(load).to_vec());
    let lost: Vec<_> = (0..record.series.len()).map(lost).collect();
    Report {
        schema: SCHEMA,
        redrill: record.info.redrill.clone(),
        id: record.info.id.clone(),
        scenario: record.info.scenario.clone(),
        summary: record.info.summary.clone(),
        verdict,
        why,
        disagreements: record.disagreements.clone(),
        engine: record.info.engine.clone(),
        backend: record.info.backend.clone(),
        seed: record.info.seed,
        started: record.info.started.clone(),
        ended: ended(&record),
        duration_ms: millis(record.last),
        completed: record.completed(),
        timeline_ms: spans.map(|s| millis(s.line.from)),
        timeline_end_ms: spans.map(|s| millis(s.line.to)),
        phases: phases(&record),
        topology: topology(&record),
        probe: probe(&record),
        loads: loads(&record, history.tally.as_ref()),
        measures,
        expectations,
        findings: history.checked.findings,
        reported: record.info.reported.clone(),
        steps: steps(&record),
        failovers,
        shards: shards::rows(&record),
        containers: record.usage.rows(),
        traffic: record.traffic.done(),
        outages,
        outages_left_out,
        ownership: record.views.shown(),
        warnings: warnings(&record, history.warnings),
        own: Own {
            cpu_percent: record.own.cpu_percent(),
            memory_max_bytes: record.own.memory_max_bytes(),
        },
        series: record.series.into_iter().zip(lost).map(|(s, lost)| s.done(lost)).collect(),
        folder: run.to_owned(),
        yaml: std::fs::read_to_string(run.join(file::SCENARIO)).ok(),
    }
}

fn ended(record: &Record) -> Option<String> {
    let started: jiff::Timestamp = record.info.started.parse().ok()?;
    let ended = started.checked_add(record.last.elapsed()).ok()?;
    Some(format!("{ended:.3}"))
}

fn phases(record: &Record) -> Vec<PhaseBegan> {
    record.phases.iter().map(|&(phase, at)| PhaseBegan { phase, at_ms: millis(at) }).collect()
}

fn topology(record: &Record) -> Topology {
    let mut groups: Vec<Group> = Vec::new();
    for node in &record.nodes {
        let name = &node.name;
        let group = match groups.iter().position(|g| g.name == name.group) {
            Some(i) => &mut groups[i],
            None => {
                groups.push(Group {
                    name: name.group.clone(),
                    shards: Vec::new(),
                    sentinels: Vec::new(),
                });
                groups.last_mut().expect("one was just pushed")
            }
        };
        let number = match name.kind {
            NodeKind::Shard(number) => number,
            NodeKind::Sentinel => {
                group.sentinels.push(node.clone());
                continue;
            }
            NodeKind::Actor => continue,
        };
        match group.shards.iter_mut().find(|shard| shard.shard == number) {
            Some(shard) => shard.nodes.push(node.clone()),
            None => {
                let views = record.views.before(&name.group).unwrap_or_default();
                let view = views.iter().find(|view| view.shard == number);
                let slots = view.map(|view| view.slots.clone()).unwrap_or_default();
                let nodes = vec![node.clone()];
                group.shards.push(ShardNodes { shard: number, slots, nodes });
            }
        }
    }
    for group in &mut groups {
        group.shards.sort_by_key(|shard| shard.shard);
        group.shards.iter_mut().for_each(|s| s.nodes.sort_by_key(|n| n.name.ordinal));
    }
    Topology { name: record.info.topology.clone(), groups }
}

fn probe(record: &Record) -> Probe {
    Probe {
        every_ms: record.info.probe_every_ms,
        deadline_ms: record.info.probe_deadline_ms,
        canaries: record.canaries.len(),
        sent: record.probes_sent,
        failed: record.probes_failed,
        blind_ms: record.blind.total.as_secs_f64() * 1e3,
        blind_max_ms: record.blind.longest.as_secs_f64() * 1e3,
    }
}

fn loads(record: &Record, tally: Option<&Tally>) -> Vec<Load> {
    let figures = |index: usize| Some(tally?.loads.get(index)?.figures());
    let load = |(index, (load, series)): (usize, (&LoadInfo, &SeriesBuilder))| Load {
        name: load.name.clone(),
        group: load.group.clone(),
        rate: load.rate,
        clients: load.clients,
        keys: load.keys,
        text: load.text.clone(),
        figures: figures(index).unwrap_or_default(),
        met: series.met.clone(),
        adapter: series.adapter.clone(),
    };
    record.info.loads.iter().zip(&record.series).enumerate().map(load).collect()
}

fn steps(record: &Record) -> Vec<Step> {
    let step = |step: &step_record::StepRecord| Step {
        kind: step.info.kind.clone(),
        group: step.info.group.clone(),
        text: step.info.text.clone(),
        planned_ms: millis(step.info.planned_at),
        began_ms: step.began.map(millis),
        ended_ms: step.ended.map(millis),
        view_converged_ms: step.view_converged.map(millis),
        converged_ms: step.converged.map(millis),
        nodes: hit_nodes(&step.hits),
        hits: step.hits.clone(),
        undone_ms: step.undone.map(millis),
        joined: step.joined.clone(),
        left: step.left.clone(),
        moved: step.moved,
        method: step.method.clone(),
        jobs: step.jobs.clone(),
        error: step.error.clone(),
    };
    record.steps.iter().map(step).collect()
}

/// Each node once, in the order in which they were first hit.
fn hit_nodes(hits: &[Hit]) -> Vec<NodeName> {
    let mut nodes: Vec<NodeName> = Vec::new();
    for hit in hits {
        if !nodes.contains(&hit.node) {
            nodes.push(hit.node.clone());
        }
    }
    nodes
}

fn warnings(record: &Record, own: Vec<String>) -> Vec<Warning> {
    let told = record.warnings.iter().map(|(at, text)| (Some(millis(*at)), text.clone()));
    let cut = record.cut.then(|| format!("{} breaks off in the middle of a line", file::EVENTS));
    let own = own.into_iter().chain(cut).map(|text| (None, text));
    told.chain(own).map(|(at_ms, text)| Warning { at_ms, text }).collect()
}
