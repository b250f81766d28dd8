//! Reads `events.jsonl`: one pass over its lines collects what a report needs.
//!
//! The file may end in the middle of a line if redrill was killed. Any other line that is not
//! an event is an error.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use crate::model::event::{Canary, DrillInfo, End, Event, EventKind, NodeInfo, Phase};
use crate::model::{Nanos, ShardName};

use super::containers::UsageFold;
use super::data::{Adapter, Disagreement, Hit, millis};
use super::error::ReportError;
use super::failover_fold::FailoverFold;
use super::members::Members;
use super::outages::Outages;
use super::ownership::Views;
use super::series::SeriesBuilder;
use super::stats::StatsFold;
use super::step_record::StepRecord;
use super::traffic::TrafficFold;

/// The contents of `events.jsonl`.
#[derive(Debug)]
pub(super) struct Record {
    pub info: DrillInfo,
    pub phases: Vec<(Phase, Nanos)>,
    pub nodes: Vec<NodeInfo>,
    pub ready_at: Option<Nanos>,
    pub canaries: Vec<Canary>,
    pub probes_sent: u64,
    pub probes_failed: u64,
    pub blind: Blind,
    pub steps: Vec<StepRecord>,
    pub outages: Outages,
    pub failovers: FailoverFold,
    pub views: Views,
    pub members: Members,
    pub stats: StatsFold,
    pub usage: UsageFold,
    pub traffic: TrafficFold,
    pub series: Vec<SeriesBuilder>,
    pub own: OwnFold,
    /// Percent of a second.
    pub waited_max: Option<f64>,
    pub warnings: Vec<(Nanos, String)>,
    pub disagreements: Vec<Disagreement>,
    pub end: Option<End>,
    /// The last event's instant.
    pub last: Nanos,
    /// The file ends in the middle of a line.
    pub cut: bool,
}

/// How long redrill itself was not run while it probed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blind {
    pub total: Duration,
    /// The longest stretch.
    pub longest: Duration,
}

/// redrill's own use of the machine, collected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnFold {
    told: u64,
    cpu_sum: f64,
    pub memory_max: u64,
}

impl OwnFold {
    pub fn cpu_percent(&self) -> Option<f64> {
        (self.told > 0).then(|| self.cpu_sum / self.told as f64)
    }

    pub fn memory_max_bytes(&self) -> Option<u64> {
        (self.told > 0).then_some(self.memory_max)
    }
}

impl Record {
    pub fn read(path: &Path) -> Result<Record, ReportError> {
        let file = File::open(path).map_err(|e| ReportError::read(path, e))?;
        let mut lines = BufReader::new(file);
        let (mut line, mut number) = (Vec::new(), 0u64);
        let mut record: Option<Record> = None;
        loop {
            line.clear();
            let n = lines.read_until(b'\n', &mut line).map_err(|e| ReportError::read(path, e))?;
            if n == 0 {
                break;
            }
            number += 1;
            let whole = line.ends_with(b"\n");
            match (serde_json::from_slice::<Event>(&line), &mut record) {
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
        record.ok_or_else(|| ReportError::NoDrill { path: path.to_owned() })
    }

    fn new(info: DrillInfo, at: Nanos) -> Record {
        Record {
            steps: info.steps.iter().cloned().map(StepRecord::new).collect(),
            series: info.loads.iter().map(SeriesBuilder::new).collect(),
            info,
            phases: Vec::new(),
            nodes: Vec::new(),
            ready_at: None,
            canaries: Vec::new(),
            probes_sent: 0,
            probes_failed: 0,
            blind: Blind::default(),
            outages: Outages::default(),
            failovers: FailoverFold::default(),
            views: Views::default(),
            members: Members::default(),
            stats: StatsFold::default(),
            usage: UsageFold::default(),
            traffic: TrafficFold::default(),
            own: OwnFold::default(),
            waited_max: None,
            warnings: Vec::new(),
            disagreements: Vec::new(),
            end: None,
            last: at,
            cut: false,
        }
    }

    fn hear(&mut self, event: Event) {
        let at = event.at;
        self.last = self.last.max(at);
        match event.kind {
            EventKind::Drill(_) => {}
            EventKind::Phase { phase } => {
                self.phases.push((phase, at));
                self.stats.phase(phase);
                self.usage.phase(phase);
            }
            EventKind::Warning { text } => self.warnings.push((at, text)),
            EventKind::Ready { nodes } => {
                self.members.join(nodes.iter().map(|node| &node.name));
                (self.nodes, self.ready_at) = (nodes, Some(at));
            }
            EventKind::Canaries { canaries } => self.canaries.extend(canaries),
            EventKind::View(view) => {
                let begun = self.steps.iter().any(|step| step.began.is_some());
                self.members.hear(&view);
                self.views.hear(at, view, begun);
            }
            EventKind::Stats { nodes } => self.stats.hear(at, nodes, &self.members),
            EventKind::Containers { nodes } => self.usage.hear(at, nodes),
            EventKind::Traffic { by, crossings } => self.traffic.hear(at, by, crossings),
            EventKind::Probes { sent, failed, blind_ns, blind_max_ns, .. } => {
                self.probes_sent += sent;
                self.probes_failed += failed;
                self.blind.total += Duration::from_nanos(blind_ns);
                self.blind.longest = self.blind.longest.max(Duration::from_nanos(blind_max_ns));
            }
            EventKind::OutageBegan { canary, action, from, cause } => {
                self.outages.began(canary, action, from, cause);
            }
            EventKind::OutageEnded { canary, action, from, to, blind_ns } => {
                let blind = Duration::from_nanos(blind_ns);
                self.outages.ended((canary, action), (from, to), blind);
            }
            EventKind::Sample(sample) => {
                if let Some(series) = self.series.get_mut(usize::from(sample.load)) {
                    series.hear(&sample);
                }
            }
            told @ (EventKind::Adapter { load, .. } | EventKind::AdapterTold { load, .. }) => {
                if let Some(series) = self.series.get_mut(usize::from(load)) {
                    Adapter::hear(&mut series.adapter, told);
                }
            }
            EventKind::Own { cpu_percent, memory_bytes } => {
                self.own.told += 1;
                self.own.cpu_sum += cpu_percent;
                self.own.memory_max = self.own.memory_max.max(memory_bytes);
            }
            EventKind::Waited { percent, .. } => {
                self.waited_max = Some(self.waited_max.map_or(percent, |max| max.max(percent)));
            }
            // The remaining faults are undone when the load has ended. What that causes is no
            // failover.
            EventKind::Failover { .. } if self.phase_at(Phase::Verify).is_some() => {}
            EventKind::Failover { group, shard, phase, node, by } => {
                let shard = ShardName { group, shard };
                let members = self.members.of(&shard);
                self.failovers.hear(at, (shard, members), phase, (node, by));
            }
            EventKind::Disagreed { group, how } => {
                self.disagreements.push(Disagreement { group, how });
            }
            EventKind::Ended { end } => self.end = Some(end),
            step => self.hear_step(at, step),
        }
    }

    fn hear_step(&mut self, at: Nanos, what: EventKind) {
        let index = match &what {
            EventKind::StepBegan { step }
            | EventKind::StepProgress { step, .. }
            | EventKind::StepMethod { step, .. }
            | EventKind::StepJob { step, .. }
            | EventKind::StepInjected { step, .. }
            | EventKind::StepUndone { step, .. }
            | EventKind::StepTurn { step, .. }
            | EventKind::StepNotUndone { step, .. }
            | EventKind::StepJoined { step, .. }
            | EventKind::StepLeft { step, .. }
            | EventKind::StepEnded { step, .. }
            | EventKind::ViewConverged { step, .. }
            | EventKind::Converged { step, .. }
            | EventKind::Diverged { step, .. } => *step,
            _ => return,
        };
        if let EventKind::StepInjected { nodes, against, .. } = &what {
            // Nothing is done to the node at the other end of a slow link.
            let cuts = self.steps.get(index).is_some_and(|step| step.effects().cuts_links);
            let against = if cuts { against.clone() } else { Vec::new() };
            let shards = nodes.iter().filter_map(|node| self.members.shard_of(node)).collect();
            self.failovers.injected(at, index, (nodes.clone(), shards), against);
        }
        let Some(record) = self.steps.get_mut(index) else { return };
        match what {
            EventKind::StepBegan { .. } => record.began = Some(at),
            EventKind::StepInjected { nodes, against, .. } => {
                record.against.extend(against);
                let hit = |node| Hit { node, at_ms: millis(at), undone_ms: None };
                record.hits.extend(nodes.into_iter().map(hit));
            }
            EventKind::StepUndone { nodes, .. } => {
                record.undone = Some(at);
                let is_meant = |hit: &&mut Hit| nodes.is_empty() || nodes.contains(&hit.node);
                let open = record.hits.iter_mut().filter(|hit| hit.undone_ms.is_none());
                open.filter(is_meant).for_each(|hit| hit.undone_ms = Some(millis(at)));
            }
            EventKind::StepTurn { holds, .. } => record.hear_turn(holds, at),
            EventKind::StepNotUndone { error, .. } => record.error = Some(error),
            EventKind::StepJoined { nodes, .. } => {
                self.members.join(&nodes);
                record.joined.extend(nodes);
            }
            EventKind::StepLeft { nodes, .. } => record.left.extend(nodes),
            EventKind::StepProgress { moved, .. } => record.moved = moved,
            EventKind::StepMethod { method, .. } => record.method = Some(method),
            EventKind::StepJob { from, to, state, .. } => record.hear_job((from, to), state, at),
            EventKind::StepEnded { moved, error, .. } => {
                (record.ended, record.moved, record.error) = (Some(at), moved, error);
            }
            EventKind::ViewConverged { since, .. } => record.view_converged = Some(since),
            EventKind::Converged { since, .. } => record.converged = Some(since),
            EventKind::Diverged { view, .. } => {
                record.converged = None;
                if view {
                    record.view_converged = None;
                }
            }
            _ => {}
        }
    }

    /// Faults by which writes may be lost: when each was injected, and over if it was.
    pub fn faults(&self) -> Vec<(Nanos, Option<Nanos>)> {
        let injected = self.failovers.injected_steps();
        let steps = injected.filter_map(|(step, at)| Some((self.steps.get(step)?, at)));
        let may_lose = steps.filter(|(step, _)| step.effects().loses_writes);
        may_lose.map(|(step, at)| (at, step.over(&self.steps))).collect()
    }

    /// When `phase` began.
    pub fn phase_at(&self, phase: Phase) -> Option<Nanos> {
        self.phases.iter().find(|(p, _)| *p == phase).map(|(_, at)| *at)
    }

    /// The drill ended by itself.
    pub fn completed(&self) -> bool {
        self.end == Some(End::Completed)
    }
}
