//! From a run folder to what people and programs read.
//!
//! A report is made from a run folder alone: `events.jsonl` says what the drill did and saw,
//! `history.jsonl.zst` has the result of each operation. So reports are made in the same way,
//! and can be made again, whether a drill ended well, was killed halfway, or ran a year ago.
//!
//! [`build`] reads each of the two once, in limited memory, and returns a [`Report`]: the contents
//! of `report.json`. Everything else is made from that: [`text`] for the terminal, and the files
//! that [`write`] puts into the folder.

mod acquisitions;
mod adapters;
mod basis;
mod caches;
mod carried;
mod checked;
pub mod compare;
mod concurrency;
mod covered;
mod data;
mod degradation;
mod doubt;
mod error;
mod failover_fold;
mod failovers;
mod failures;
mod felt;
mod figures;
mod foreign;
pub mod file;
mod full_disk;
mod gaps;
pub mod html;
mod instances;
pub mod json;
mod judge;
mod keepers;
mod kept;
mod lag;
mod links;
mod load_tally;
mod locks;
mod lookup;
pub mod junit;
pub mod markdown;
pub mod matrix;
mod measures;
mod outages;
mod record;
mod recovery;
mod regions;
mod resyncs;
mod schedule;
mod settled;
mod sent;
mod series;
mod sections;
mod shards;
mod side_by_side;
pub mod spread;
pub mod suite;
mod span_tally;
mod spans;
mod starved;
mod step_record;
mod stranded;
mod table;
mod takeover;
mod tally;
pub mod text;
mod traffic;
mod usage;
mod views;
mod windows;
mod worst;

pub use data::*;
pub use error::ReportError;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::check::{Checked, Failures, Finding, OverTime};
use crate::files::make;
use crate::load::history::{self, HistoryError, Packed};
use crate::model::event::{LinkInfo, LoadInfo, NodeInfo, Phase};
use crate::model::{NodeName, Verdict};

use data::millis;
use instances::Instances;
use load_tally::LoadTally;
use measures::Parts;
use record::Record;
use regions::Regions;
use series::SeriesBuilder;
use spans::Spans;
use takeover::Takeovers;
use tally::Tally;

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
    build_telling(run, &mut |_| {})
}

/// The same, and tells again and again how much of the history has been read: from 0 to 1. Then it
/// is judged.
///
/// # Errors
/// Those of [`build`].
pub fn build_telling(run: &Path, tell: &mut dyn FnMut(f64)) -> Result<Report, ReportError> {
    let events = run.join(file::EVENTS);
    if !events.is_file() {
        return Err(ReportError::NotARun { path: run.to_owned() });
    }
    let mut record = Record::read(&events)?;
    let ends = [record.load_ended(), record.phase_at(Phase::Stop), Some(record.last)];
    record.outages.close(&ends.into_iter().flatten().collect::<Vec<_>>());
    settled::settle(&mut record);
    let mut failovers = failovers::rows(&record);
    let failures = failures::of(&record, &failovers);
    let history = History::read(run, &record, &failures, tell)?;
    if let Some(points) = &history.checked.recovery_points {
        failures::tell(&mut failovers, &failures, points);
    }
    Ok(assemble(run, record, failovers, history))
}

/// Writes `report.json`, `report.html`, `report.md` and `junit.xml` into the report's folder.
/// Each appears complete or not at all.
///
/// # Errors
/// The folder cannot be written.
pub fn write(report: &Report) -> Result<(), ReportError> {
    let contents = [
        (file::JSON, json::render(report)?),
        (file::HTML, html::render(report)?),
        (file::MARKDOWN, markdown::render(report)?),
        (file::JUNIT, junit::render(std::slice::from_ref(report))?),
    ];
    for (name, text) in contents {
        write_file(&report.folder.join(name), &text)?;
    }
    Ok(())
}

/// Writes `text` beside `path` and then moves it there.
///
/// # Errors
/// The folder cannot be written.
pub fn write_file(path: &Path, text: &str) -> Result<(), ReportError> {
    make::replace_durably(path, text).map_err(|e| ReportError::write(path, e))
}

/// The results of the history.
#[derive(Default)]
struct History {
    tally: Option<Tally>,
    checked: Checked,
    instances: Option<Instances>,
    regions: Option<Regions>,
    takeovers: Option<Takeovers>,
    /// Its file breaks off.
    cut: bool,
    warnings: Vec<String>,
}

impl History {
    fn read(
        run: &Path,
        record: &Record,
        failures: &Failures,
        tell: &mut dyn FnMut(f64),
    ) -> Result<History, ReportError> {
        let path = run.join(file::HISTORY);
        let Some(spans) = Spans::of(record).filter(|_| !record.info.loads.is_empty()) else {
            return Ok(History::default());
        };
        // A link or a pipe in its place is refused when it is read.
        if path.symlink_metadata().is_err() {
            let warning = format!("{} is missing: nothing is known of latency", file::HISTORY);
            return Ok(History { warnings: vec![warning], ..History::default() });
        }
        // A record from elsewhere may say anything.
        let of_load = |load: &LoadInfo| {
            let timeout = Duration::try_from_secs_f64(load.timeout_ms / 1e3).unwrap_or_default();
            LoadTally::new(timeout, load.rate.is_some(), load.lock_rules())
        };
        let loads = record.info.loads.iter().map(of_load).collect();
        let mut tally = Tally::new(spans, loads, record.starved.met());
        tally.pause_instances(record);
        let mut instances = Instances::new(&record.info.loads, spans.line);
        let mut regions = Regions::new(record, spans.line);
        let mut takeovers = Takeovers::new(record);
        let full = |source| HistoryError::Keep { path: std::env::temp_dir(), source };
        let mut packed = Packed::new(path.parent().unwrap_or(Path::new("."))).map_err(full)?;
        let rows = history::read(&path)?.of_loads(&record.workloads());
        let cut = rows.in_batches(|ops, share| {
            for op in ops {
                tally.add(op);
                instances.add(op, record);
                regions.add(op, record);
                takeovers.add(op, record);
                packed.push(op).map_err(full)?;
            }
            tell(share);
            Ok(())
        })?;
        let whole = !cut && record.phase_at(Phase::Stop).is_some();
        let checked = checked::checked(&packed, record, (spans.line.from, whole), failures)?;
        let mut made = History { checked, cut, ..History::default() };
        if cut {
            made.warnings.push(format!("{} breaks off: its end is missing", file::HISTORY));
        }
        (made.tally, made.instances) = (Some(tally), Some(instances));
        (made.regions, made.takeovers) = (Some(regions), Some(takeovers));
        Ok(made)
    }
}

fn assemble(run: &Path, record: Record, failovers: Vec<Failover>, mut history: History) -> Report {
    let late = history.tally.as_ref().map_or(0, |tally| tally.worst.late());
    if late > 0 {
        history.warnings.push(format!(
            "{late} operations ended more than 30 s after newer ones and are not in latency.p99.worst"
        ));
    }
    history.warnings.extend(history.tally.as_ref().and_then(broken_before));
    history.checked.findings.extend(wrong_canaries(&record));
    history.checked.findings.extend(stranded::findings(&record));
    history.checked.findings.extend(foreign::finding(&record));
    judge::excuse_late(&record, &mut history.checked.findings);
    full_disk::excuse(&record, &mut history.checked.findings);
    let tally = history.tally.as_ref();
    let sent = |load: usize| {
        let load = tally.and_then(|tally| tally.loads.get(load));
        load.map_or(&[][..], |load| &load.instances)
    };
    let instances = history.instances.take().map(|all| all.done(sent, &record, &failovers));
    let (region_latency, region_downtime) =
        history.regions.take().map(|all| all.done(&record, &failovers)).unwrap_or_default();
    let mut loads = loads(&record, history.tally.as_ref(), instances.unwrap_or_default());
    for (load, locks) in std::mem::take(&mut history.checked.locks) {
        if let Some(load) = loads.get_mut(usize::from(load)) {
            load.locks = Some(locks);
        }
    }
    for (load, hits) in std::mem::take(&mut history.checked.by_memory) {
        if let Some(load) = loads.get_mut(usize::from(load)) {
            load.by_memory = Some(hits);
        }
    }
    let keepers = keepers::rows(&record);
    let traffic = record.traffic.done();
    let links = link_rows(&record, traffic.as_ref(), history.tally.as_ref());
    let (sync, resolutions) = (record.lag.rows(&record.carried), record.lag.resolutions());
    let parts = Parts {
        links: &links,
        keepers: &keepers,
        sync: &sync,
        resolutions: &resolutions,
        failovers: &failovers,
        loads: &loads,
        takeovers: history.takeovers.as_ref(),
        checked: &history.checked,
    };
    let tally = history.tally.as_mut();
    let measures = measures::measures(&record, &parts, tally);
    let workloads = record.workloads();
    for (index, told) in &history.checked.of_loads {
        let index = usize::from(*index);
        if let (Some(load), Some(workload)) = (loads.get_mut(index), workloads.get(index)) {
            load.measures = measures::of_load(*workload, told, &measures);
        }
    }
    let tally = history.tally.as_mut();
    let (doubts, of_loads) = measures::doubts(&record, &failovers, tally, &measures, &loads);
    let figures =
        judge::Figures { measures: &measures, doubts: &doubts, loads: &loads, of_loads: &of_loads };
    let expectations = judge::expectations(&record, &figures);
    let (mut verdict, mut why) =
        judge::verdict(&record, &expectations, (&history.checked.findings, &loads));
    let lacking = basis::lacking(&record, history.tally.as_ref(), history.cut);
    if !lacking.is_empty() {
        verdict = Verdict::worst([verdict, Verdict::Unknown]);
        why.extend(lacking);
    }
    let spans = Spans::of(&record);
    let (outages, outages_left_out) = record.outages.list(
        &record.canaries,
        |canary, at| record.owner(canary, at),
        |canary| record.probed_from(canary),
    );
    let counted = |load: usize| -> BTreeMap<&'static str, Vec<u64>> {
        let of_load =
            |(name, counts): (&&'static str, &OverTime)| (*name, counts.counts(load).to_vec());
        history.checked.over_time.iter().map(of_load).collect()
    };
    let counted: Vec<BTreeMap<_, _>> = (0..record.series.len()).map(counted).collect();
    Report {
        schema: SCHEMA,
        redrill: record.info.redrill.clone(),
        id: record.info.id.clone(),
        scenario: record.info.scenario.clone(),
        summary: record.info.summary.clone(),
        verdict,
        why,
        crashes: record.crashes.clone(),
        logged: record.logged.clone(),
        disk_was_full: full_disk::reason(&record).is_some(),
        disagreements: record.disagreements.clone(),
        final_read: final_read(&record),
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
        probe: record.probe,
        loads,
        measures,
        expectations,
        findings: history.checked.findings,
        reported: record.info.reported.clone(),
        steps: steps(&record),
        failovers,
        shards: shards::rows(&record),
        containers: record.usage.rows(),
        keepers,
        traffic,
        regions: regions::rows(&record),
        links,
        region_latency,
        region_downtime,
        sync,
        resolutions,
        samples: record.samples.clone(),
        outages,
        outages_left_out,
        ownership: record.views.shown(),
        warnings: warnings(&record, history.warnings),
        starved: record.starved.list(),
        busy: spans.and_then(|spans| record.starved.banner(spans.line)),
        own: Own {
            cpu_percent: record.own.cpu_percent(),
            memory_max_bytes: record.own.memory_max_bytes(),
        },
        series: record
            .series
            .into_iter()
            .zip(counted)
            .map(|(s, counted)| s.done(counted))
            .collect(),
        folder: run.to_owned(),
        yaml: file::scenario(run),
    }
}

fn link_rows(record: &Record, traffic: Option<&Traffic>, tally: Option<&Tally>) -> Vec<RegionLink> {
    let line = Spans::of(record).map(|spans| spans.line);
    let writes = tally.map_or(0, |tally| tally.changes);
    let cut_by = |link: &LinkInfo| regions::cut_by(record, link);
    line.map_or(Vec::new(), |line| links::rows(&record.info.links, traffic, (line, writes), cut_by))
}

/// No load need have keys that were lost with them.
fn wrong_canaries(record: &Record) -> Option<Finding> {
    let count = Some(record.probe.wrong).filter(|wrong| *wrong > 0)?;
    Some(Finding {
        kind: "canaries".to_owned(),
        verdict: Verdict::Fail,
        text: format!("data was lost: {count} reads of canaries lacked an acknowledged write"),
        count,
        examples: Vec::new(),
    })
}

fn final_read(record: &Record) -> Option<FinalRead> {
    let at_ms = millis(record.phase_at(Phase::Verify)?);
    let (undone, agreed) = record.returned.unzip();
    let agreed_ms = agreed.flatten().map(millis);
    Some(FinalRead { at_ms, undone_ms: undone.map(millis), agreed_ms })
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
    for NodeInfo { name, .. } in &record.nodes {
        if !groups.iter().any(|known| known.name == name.group) {
            groups.push(group(record, &name.group));
        }
    }
    Topology { name: record.info.topology.clone(), groups }
}

fn group(record: &Record, name: &str) -> Group {
    let mut nodes: Vec<&NodeInfo> = record.nodes.iter().filter(|n| n.name.group == name).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let views = record.views.before(name).unwrap_or_default();
    let shard = |nodes: &[&NodeInfo]| {
        let shard = nodes[0].name.shard()?;
        let slots = views.iter().find(|view| view.shard == shard).map(|view| view.slots.clone());
        let nodes = nodes.iter().copied().cloned().collect();
        Some(ShardNodes { shard, slots: slots.unwrap_or_default(), nodes })
    };
    let sentinels = nodes.iter().filter(|node| node.name.is_sentinel()).copied().cloned();
    Group {
        name: name.to_owned(),
        sentinels: sentinels.collect(),
        shards: nodes.chunk_by(|a, b| a.name.kind == b.name.kind).filter_map(shard).collect(),
    }
}

fn loads(record: &Record, tally: Option<&Tally>, instances: Vec<Vec<Instance>>) -> Vec<Load> {
    let recovered = tally.map_or_else(Vec::new, |tally| tally.recovered(record));
    let mut instances = instances.into_iter();
    let of = |index: usize| tally?.loads.get(index);
    let recovered = |index: usize| recovered.get(index).copied().flatten();
    let load = |(index, (load, series)): (usize, (&LoadInfo, &SeriesBuilder))| Load {
        name: load.name.clone(),
        group: load.group.clone(),
        rate: load.rate,
        ramp: load.ramp,
        think_ms: load.think_ms,
        clients: load.clients,
        keys: load.keys,
        text: load.text.clone(),
        figures: of(index).map(|load| load.figures()).unwrap_or_default(),
        operations: of(index).map(|load| load.operations()).unwrap_or_default(),
        met: series.met.clone(),
        recovered_ms: recovered(index).and_then(|load| load.after_ms()),
        down_for_ms: recovered(index).and_then(|load| load.down_for_ms()),
        instances: instances.next().unwrap_or_default(),
        adapter: series.adapter.clone(),
        locks: None,
        by_memory: None,
        measures: BTreeMap::new(),
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
        notes: step.notes.clone(),
        moved: step.moved,
        method: step.method.clone(),
        pace: step.pace.clone(),
        jobs: step.jobs.clone(),
        error: step.error.clone(),
        unsure: step.unsure.clone(),
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

/// From so many errors on, in percent of the operations before the first step, they are told.
const MANY_ERRORS: f64 = 5.0;

/// Says that many operations failed before the first step: steps do not explain these errors.
fn broken_before(tally: &Tally) -> Option<String> {
    let share = tally.failed_before().filter(|share| *share >= MANY_ERRORS)?;
    Some(format!(
        "{share:.1} % of the operations failed before the first step began: these errors are not its \
         doing; look at the load's rate, its time-out and what it asks first"
    ))
}

fn warnings(record: &Record, own: Vec<String>) -> Vec<Warning> {
    let cut = record.cut.then(|| format!("{} breaks off in the middle of a line", file::EVENTS));
    let own = own.into_iter().chain(cut).map(|text| Warning { at_ms: None, text });
    record.warnings.iter().cloned().chain(own).collect()
}
