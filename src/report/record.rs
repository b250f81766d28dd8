//! Reads `events.jsonl`: one pass over its lines collects what a report needs.
//!
//! The file may end in the middle of a line if redrill was killed. Any other line that is not
//! an event is an error.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use crate::check::Failure;
use crate::files::read;
use crate::model::event::{Canary, DrillInfo, End, Event, EventKind, LoadInfo, NodeInfo, Phase};
use crate::model::logged::LogLine;
use crate::model::owners::Owners;
use crate::model::slot::SlotSet;
use crate::model::{Nanos, NodeName, ShardName, Workload, from_json};

use super::carried::{Backlog, CarriedFold};
use super::data::{Adapter, Crash, Disagreement, Probe, SampleSecond, Warning, millis};
use super::error::ReportError;
use super::failover_fold::FailoverFold;
use super::kept::KeptFold;
use super::lag::LagFold;
use super::outages::Outages;
use super::series::SeriesBuilder;
use super::starved::StarvedTimes;
use super::step_record::{NOT_THE_SERVERS, StepRecord};
use super::traffic::TrafficFold;
use super::usage::{ContainerUsage, ShardUsage};
use super::views::{Members, Views};

/// The contents of `events.jsonl`.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub info: DrillInfo,
    pub phases: Vec<(Phase, Nanos)>,
    pub nodes: Vec<NodeInfo>,
    pub ready_at: Option<Nanos>,
    pub canaries: Vec<Canary>,
    pub probe: Probe,
    pub steps: Vec<StepRecord>,
    pub outages: Outages,
    pub failovers: FailoverFold,
    pub views: Views,
    pub members: Members,
    /// By group.
    pub owners: BTreeMap<String, Owners>,
    /// Steps ended these primaries, or made them forget what they held.
    pub ended: Vec<Failure>,
    pub stats: ShardUsage,
    pub kept: KeptFold,
    pub usage: ContainerUsage,
    pub traffic: TrafficFold,
    pub lag: LagFold,
    pub samples: Vec<SampleSecond>,
    pub series: Vec<SeriesBuilder>,
    pub own: OwnFold,
    pub carried: CarriedFold,
    /// Percent of a second.
    pub waited_max: Option<f64>,
    pub warnings: Vec<Warning>,
    /// Servers that are not the drill's.
    pub foreign: Vec<String>,
    pub crashes: Vec<Crash>,
    pub disagreements: Vec<Disagreement>,
    pub stranded: Vec<Stranded>,
    pub logged: Vec<LogLine>,
    /// When what steps left was undone, and since when all nodes agreed after that.
    pub returned: Option<(Nanos, Option<Nanos>)>,
    pub starved: StarvedTimes,
    /// When groups were compared although not all was carried, and why that may be the machine's
    /// doing and not that of whoever carries.
    pub not_carried: Option<Nanos>,
    pub carried_late: Option<String>,
    /// What of redrill's own ended although no step had ended it.
    pub own_lost: Vec<(Nanos, String)>,
    pub end: Option<End>,
    /// The last event's instant.
    pub last: Nanos,
    /// The file ends in the middle of a line.
    pub cut: bool,
}

/// Keys of these slots are on nodes that do not own them.
#[derive(Clone, Debug)]
pub(super) struct Stranded {
    pub step: usize,
    pub group: String,
    pub slots: SlotSet,
    pub keys: u64,
}

/// redrill's own use of the machine, collected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnFold {
    told: u64,
    cpu_sum: f64,
    pub memory_max: u64,
    probes: Requests,
    lags: Requests,
    views: Requests,
}

/// Requests that were counted from time to time.
#[derive(Clone, Copy, Debug, Default)]
struct Requests {
    /// The first and the last counting.
    span: Option<(Nanos, Nanos)>,
    since: u64,
}

impl Requests {
    fn hear(&mut self, at: Nanos, more: u64) {
        match &mut self.span {
            Some((_, last)) => (*last, self.since) = (at, self.since + more),
            none => *none = Some((at, at)),
        }
    }

    fn per_second(&self) -> Option<f64> {
        let (first, last) = self.span.filter(|(first, last)| first < last)?;
        Some(self.since as f64 / last.since(first).as_secs_f64())
    }
}

impl OwnFold {
    /// Probes, and questions for views, of all servers together; and what measures lags, where
    /// that is done.
    pub fn requests_per_second(&self) -> Option<f64> {
        let lags = self.lags.per_second().unwrap_or(0.0);
        Some(self.probes.per_second()? + self.views.per_second()? + lags)
    }

    pub fn cpu_percent(&self) -> Option<f64> {
        (self.told > 0).then(|| self.cpu_sum / self.told as f64)
    }

    pub fn memory_max_bytes(&self) -> Option<u64> {
        (self.told > 0).then_some(self.memory_max)
    }
}

impl Record {
    pub fn read(path: &Path) -> Result<Record, ReportError> {
        let file = read::open_inside(path).map_err(|e| ReportError::read(path, e))?;
        let mut lines = BufReader::new(file);
        let (mut line, mut number) = (Vec::new(), 0u64);
        let mut record: Option<Record> = None;
        loop {
            let n = read::line(&mut lines, &mut line, read::LINE);
            if n.map_err(|e| ReportError::read(path, e))? == 0 {
                break;
            }
            number += 1;
            let whole = line.ends_with(b"\n");
            match (from_json::<Event>(&line), &mut record) {
                (Ok(event), Some(record)) => record.hear(event),
                (Ok(Event { kind: EventKind::Drill(info), at }), none) => {
                    *none = Some(Record::new(info, at));
                }
                (Ok(_), None) => return Err(ReportError::NoDrill { path: path.to_owned() }),
                (Err(_), Some(record)) if !whole => record.cut = true,
                (Err(_), None) if !whole => {}
                (Err(source), _) => {
                    return Err(ReportError::BadEvent { path: path.to_owned(), number, source });
                }
            }
        }
        let mut record = record.ok_or_else(|| ReportError::NoDrill { path: path.to_owned() })?;
        record.excuse();
        Ok(record)
    }

    /// Says of what went wrong whether the machine was too busy to tell whose fault it is.
    fn excuse(&mut self) {
        let ns = |ms: f64| Nanos((ms * 1e6) as u64);
        for one in &mut self.disagreements {
            let Some((from, to)) = one.agreed_ms.zip(one.at_ms) else { continue };
            one.unsure = self.starved.decides(ns(from), ns(to));
        }
        if let Some((from, to)) = self.phase_at(Phase::Verify).zip(self.not_carried) {
            self.carried_late = self.starved.decides(from, to);
        }
        for step in self.steps.iter_mut().filter(|step| step.doubtful) {
            let Some((from, to)) = step.began.zip(step.not_undone.or(step.ended)) else { continue };
            step.unsure = self.starved.around(from, to);
        }
        for step in self.steps.iter_mut().filter(|step| step.own) {
            step.unsure = Some(NOT_THE_SERVERS.to_owned());
        }
    }

    fn new(info: DrillInfo, at: Nanos) -> Record {
        Record {
            steps: info.steps.iter().cloned().map(StepRecord::new).collect(),
            series: info.loads.iter().map(SeriesBuilder::new).collect(),
            probe: Probe {
                every_ms: info.probe_every_ms,
                deadline_ms: info.probe_deadline_ms,
                budget_per_s: info.probe_budget,
                ..Probe::default()
            },
            info,
            last: at,
            ..Record::default()
        }
    }

    /// Each kind of event stands here, so that a new one does not compile without an answer.
    fn hear(&mut self, Event { at, kind }: Event) {
        self.last = self.last.max(at);
        match kind {
            EventKind::Drill(_) | EventKind::Forming { .. } => {}
            EventKind::Phase { phase } => {
                self.phases.push((phase, at));
                self.stats.phase(phase);
                self.kept.phase(phase);
                self.usage.phase(phase);
            }
            EventKind::Warning { text } => {
                self.warnings.push(Warning { at_ms: Some(millis(at)), text });
            }
            EventKind::Foreign { what } => {
                let text = what.clone();
                self.warnings.push(Warning { at_ms: Some(millis(at)), text });
                self.foreign.push(what);
            }
            EventKind::Ready { nodes } => {
                self.members.join(nodes.iter().map(|node| &node.name));
                (self.nodes, self.ready_at) = (nodes, Some(at));
            }
            EventKind::Canaries { canaries, turn_ns } => {
                self.probe.turn_ms = turn_ns.map(|ns| millis(Nanos(ns)));
                self.probe.canaries += canaries.len();
                self.canaries.extend(canaries);
            }
            EventKind::View(view) => {
                let begun = self.steps.iter().any(|step| step.began.is_some());
                self.members.hear(&view);
                self.owners.entry(view.group.clone()).or_default().hear(at, &view.shards);
                self.views.hear(at, view, begun);
            }
            EventKind::Stats { nodes, asked, behind_ns } => {
                self.starved.behind(at, Duration::from_nanos(behind_ns));
                self.own.views.hear(at, asked);
                self.kept.hear(at, &nodes);
                self.stats.hear(at, nodes, &self.members);
            }
            EventKind::SyncPairs { pairs } => self.lag.pairs(pairs),
            EventKind::SyncLag { pair, lags_ns, since_ns, unseen_ns, hidden, sent } => {
                self.own.lags.hear(at, sent);
                self.lag.hear(at, pair, (since_ns, lags_ns), unseen_ns);
                self.lag.hidden(pair, hidden);
            }
            EventKind::SyncConflicts { between, ended_ns, open_ns, sent } => {
                self.own.lags.hear(at, sent);
                self.lag.conflicts(at, between, (ended_ns, open_ns));
            }
            EventKind::SyncSampled { equal, different, apart, changed, sent } => {
                self.own.lags.hear(at, sent);
                let at_ms = millis(at);
                self.samples.push(SampleSecond { at_ms, equal, different, apart, changed });
            }
            EventKind::Containers { nodes } => self.usage.hear(at, nodes),
            EventKind::Traffic { by, crossings } => self.traffic.hear(at, by, crossings),
            EventKind::Probes { sent, failed, wrong, blind_ns, blind_max_ns, .. } => {
                self.own.probes.hear(at, sent);
                self.starved.blind(at, Duration::from_nanos(blind_ns));
                self.probe.sent += sent;
                self.probe.failed += failed;
                self.probe.wrong += wrong;
                self.probe.blind_ms += millis(Nanos(blind_ns));
                self.probe.blind_max_ms = self.probe.blind_max_ms.max(millis(Nanos(blind_max_ns)));
            }
            EventKind::OutageBegan { canary, action, from, cause } => {
                self.outages.began(canary, action, from, cause);
            }
            EventKind::OutageEnded { canary, action, from, to, blind_ns } => {
                let blind = Duration::from_nanos(blind_ns);
                self.outages.ended((canary, action), (from, to), blind);
            }
            EventKind::Sample(sample) => self.load(sample.load, |series| series.hear(&sample)),
            told @ (EventKind::Adapter { load, .. } | EventKind::AdapterTold { load, .. }) => {
                self.load(load, |series| Adapter::hear(&mut series.adapter, told));
            }
            EventKind::Replicated { pair, discarded, behind, behind_bytes, .. } => {
                let loaded = self.phase_at(Phase::Steps).is_some();
                let behind = Backlog { entries: behind, bytes: behind_bytes };
                let nothing = Backlog { entries: 0, bytes: behind_bytes.and(Some(0)) };
                self.carried.hear(pair, discarded, if loaded { behind } else { nothing });
            }
            EventKind::NotCarried => self.not_carried = Some(at),
            EventKind::OwnLost { what } => self.own_lost.push((at, what)),
            EventKind::Own { cpu_percent, memory_bytes } => {
                self.own.told += 1;
                self.own.cpu_sum += cpu_percent;
                self.own.memory_max = self.own.memory_max.max(memory_bytes);
            }
            EventKind::Waited { node, percent } => {
                self.starved.waited(at, node, percent);
                self.waited_max = Some(self.waited_max.map_or(percent, |max| max.max(percent)));
            }
            EventKind::Failover { group, shard, phase, node, by } => {
                let shard = ShardName { group, shard };
                let members = self.members.of(&shard);
                // The remaining faults are undone when the load has ended. What that causes is
                // no failover.
                if self.load_ended().is_none() {
                    self.failovers.hear(at, (shard, members), phase, (node, by));
                }
            }
            EventKind::Crashed { node, status, log } => {
                self.crashes.push(Crash { node, at_ms: millis(at), status, log });
            }
            EventKind::Disagreed { group, how, agreed } => {
                let after_undoing = self.phase_at(Phase::Undo).is_some();
                let (at_ms, agreed_ms) = (Some(millis(at)), agreed.map(millis));
                let unsure = None;
                let one = Disagreement { group, how, after_undoing, at_ms, agreed_ms, unsure };
                self.disagreements.push(one);
            }
            EventKind::Stranded { step, group, slots, keys } => {
                self.stranded.push(Stranded { step, group, slots, keys });
            }
            EventKind::Logged { lines } => self.logged.extend(lines),
            EventKind::Returned { undone, since } => self.returned = Some((undone, since)),
            EventKind::Ended { end } => self.end = Some(end),
            EventKind::StepBegan { step } => self.step(step, |s| s.began = Some(at)),
            EventKind::StepInjected { step, nodes, against } => {
                self.injected(at, step, &nodes, &against);
                self.step(step, |s| s.inject(nodes, against, at));
            }
            EventKind::StepInForce { step } => self.step(step, |s| s.in_force = Some(at)),
            EventKind::StepUndone { step, nodes } => self.step(step, |s| s.undo(&nodes, at)),
            EventKind::StepTurn { step, holds } => self.step(step, |s| s.turn(holds, at)),
            EventKind::StepNotUndone { step, error, doubtful, own } => {
                self.step(step, |s| {
                    (s.error, s.not_undone) = (Some(error), Some(at));
                    (s.doubtful, s.own) = (doubtful, own);
                });
            }
            EventKind::StepNote { step, text } => self.step(step, |s| s.notes.push(text)),
            EventKind::StepJoined { step, nodes } => {
                self.members.join(&nodes);
                self.step(step, |s| s.joined.extend(nodes));
            }
            EventKind::StepLeft { step, nodes } => self.step(step, |s| s.left.extend(nodes)),
            EventKind::StepProgress { step, moved } => self.step(step, |s| s.moved = moved),
            EventKind::StepMethod { step, method } => self.step(step, |s| s.method = Some(method)),
            EventKind::StepPace { step, kept } => self.step(step, |s| s.pace = Some(kept)),
            EventKind::StepJob { step, from, to, state } => {
                self.step(step, |s| s.hear_job((from, to), state, at));
            }
            EventKind::StepEnded { step, moved, error, doubtful, own } => self.step(step, |s| {
                (s.ended, s.moved, s.error) = (Some(at), moved, error);
                (s.doubtful, s.own) = (doubtful, own);
            }),
            EventKind::ViewConverged { step, since } => {
                self.step(step, |s| s.view_converged = Some(since));
            }
            EventKind::Converged { step, since } => self.step(step, |s| s.converged = Some(since)),
            EventKind::Diverged { step, view } => self.step(step, |s| {
                s.converged = None;
                s.view_converged = s.view_converged.filter(|_| !view);
            }),
        }
    }

    fn load(&mut self, load: u8, change: impl FnOnce(&mut SeriesBuilder)) {
        if let Some(series) = self.series.get_mut(usize::from(load)) {
            change(series);
        }
    }

    fn step(&mut self, step: usize, change: impl FnOnce(&mut StepRecord)) {
        if let Some(step) = self.steps.get_mut(step) {
            change(step);
        }
    }

    fn injected(&mut self, at: Nanos, step: usize, nodes: &[NodeName], against: &[NodeName]) {
        // Nothing is done to the node at the other end of a slow link.
        let cuts = self.steps.get(step).is_some_and(|step| step.effects().cuts_links);
        let against = if cuts { against.to_vec() } else { Vec::new() };
        let shards = nodes.iter().filter_map(|node| self.members.shard_of(node)).collect();
        self.failovers.injected(at, step, (nodes.to_vec(), shards), against);
        if self.steps.get(step).is_some_and(|step| step.effects().empties) {
            let led = nodes.iter().filter_map(|node| self.leads(node));
            let ended = led.map(|ShardName { group, shard }| Failure { group, shard, at });
            let ended: Vec<Failure> = ended.collect();
            self.ended.extend(ended);
        }
    }

    /// The shard whose primary the node was when it was last seen.
    fn leads(&self, node: &NodeName) -> Option<ShardName> {
        let shard = self.members.shard_of(node)?;
        let seen = self.views.after(&shard.group)?.iter().find(|seen| seen.shard == shard.shard)?;
        (seen.primary.as_ref() == Some(node)).then_some(shard)
    }

    /// The shard that owned the canary's slot at `at`.
    pub fn owner(&self, canary: &Canary, at: Nanos) -> u32 {
        let seen = self.owners.get(&canary.group).and_then(|owners| owners.at(canary.slot, at));
        seen.unwrap_or(canary.shard)
    }

    /// Whether the canary stands for the data of the group, which may be those that it copies.
    pub fn stands_for(&self, canary: &Canary, group: &str) -> bool {
        let has_own = || self.canaries.iter().any(|one| one.group == group);
        let same_data = |name: &str| self.lag.groups().any(|one| one == name);
        canary.group == group || same_data(group) && same_data(&canary.group) && !has_own()
    }

    /// The region from which the canary is probed: where all clients of its data are, if it does
    /// not say so. None in a topology without several regions.
    pub fn probed_from<'a>(&'a self, canary: &'a Canary) -> Option<&'a str> {
        let uses =
            |load: &&LoadInfo| load.groups().any(|(group, _)| self.stands_for(canary, group));
        let turns_to = |load: &&LoadInfo| {
            load.fallback.as_ref().is_some_and(|group| self.stands_for(canary, group))
        };
        let default = || match &self.info.regions[..] {
            [] | [_] => None,
            [first, ..] => {
                let loads = &self.info.loads;
                let user = loads.iter().find(uses).or_else(|| loads.iter().find(turns_to));
                user.and_then(|load| load.region.as_deref()).or(Some(&first.name))
            }
        };
        canary.region.as_deref().or_else(default)
    }

    /// What each load does.
    pub fn workloads(&self) -> Vec<Workload> {
        self.info.loads.iter().map(|load| load.workload).collect()
    }

    /// When `phase` began.
    pub fn phase_at(&self, phase: Phase) -> Option<Nanos> {
        self.phases.iter().find(|(p, _)| *p == phase).map(|(_, at)| *at)
    }

    /// When the load ended: from then on, only what steps left is undone.
    pub fn load_ended(&self) -> Option<Nanos> {
        let is_after = |phase: Phase| match phase {
            Phase::Sweep | Phase::Undo | Phase::Verify => true,
            Phase::Form | Phase::Fill | Phase::Steps | Phase::Settle | Phase::Drain => false,
            // A drill may stop before its load has ended.
            Phase::Stop => false,
        };
        self.phases.iter().find(|(phase, _)| is_after(*phase)).map(|(_, at)| *at)
    }

    /// The end of the load, if the record reaches it.
    pub fn line_end(&self) -> Option<Nanos> {
        self.load_ended().or(self.phase_at(Phase::Stop))
    }

    /// The drill ended by itself.
    pub fn completed(&self) -> bool {
        self.end == Some(End::Completed)
    }
}
