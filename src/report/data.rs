//! `report.json` as types: the contract for programs.
//!
//! Instants are milliseconds since the drill's start (`timeline_ms` is the beginning of the
//! time line), durations are milliseconds, sizes bytes. `docs/report.md` describes each field;
//! `schemas/report.json` is generated from here. A change that could break a reader raises
//! [`SCHEMA`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Finding, HitsByMemory, LockFigures};
use crate::model::event::{Apart, Compare, EngineInfo, Moved, NodeInfo, PaceKept, Phase};
use crate::model::op::{Access, Cause};
use crate::model::slot::SlotSet;
use crate::model::step::{Lasts, StepKind};
use crate::model::traffic::{Class, Crossing};
use crate::model::{Measure, Nanos, NodeName, Ramp, Unit, Verdict};

/// The version of `report.json`'s schema.
pub const SCHEMA: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this schema: 1.
    pub schema: u32,
    /// Version of the redrill that ran the drill.
    pub redrill: String,
    /// The run's name, which is also the name of its folder.
    pub id: String,
    pub scenario: String,
    pub summary: String,
    pub verdict: Verdict,
    /// One sentence for each reason why the verdict is not `pass`.
    pub why: Vec<String>,
    /// Servers that ended although no step had asked for that.
    #[serde(default)]
    pub crashes: Vec<Crash>,
    /// Groups whose nodes did not agree when the time to settle was over, or after what steps
    /// left had been undone.
    pub disagreements: Vec<Disagreement>,
    /// When the final state was read. Absent if it was not.
    #[serde(default)]
    pub final_read: Option<FinalRead>,
    pub engine: EngineInfo,
    pub backend: String,
    pub seed: u64,
    /// Wall-clock time of instant zero, RFC 3339, UTC.
    pub started: String,
    /// Wall-clock time of the last event, RFC 3339, UTC.
    pub ended: Option<String>,
    /// From the drill's start to its last event.
    pub duration_ms: f64,
    /// Whether the drill ended by itself, neither interrupted nor killed.
    pub completed: bool,
    /// Where the time line begins: the load's start. Absent if there was none.
    pub timeline_ms: Option<f64>,
    /// The end of the load, or of the record.
    pub timeline_end_ms: Option<f64>,
    pub phases: Vec<PhaseBegan>,
    pub topology: Topology,
    pub probe: Probe,
    pub loads: Vec<Load>,
    /// Measures that this drill can produce, by their names.
    pub measures: BTreeMap<String, Measure>,
    pub expectations: Vec<Judged>,
    pub findings: Vec<Finding>,
    /// Measures of checkers whose findings do not count for the verdict, as the scenario says.
    pub reported: Vec<String>,
    pub steps: Vec<Step>,
    /// Primaries that failed, or handed over to a replica.
    pub failovers: Vec<Failover>,
    pub shards: Vec<Shard>,
    /// The resource use of each container; empty if servers ran as processes.
    pub containers: Vec<Container>,
    /// Servers of loads whose keys are there for a time only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keepers: Vec<Keeper>,
    /// What crossed the relay; `null` if nodes and clients connected directly.
    pub traffic: Option<Traffic>,
    /// How late each group sees what another one with the same data has acknowledged.
    #[serde(default)]
    pub sync: Vec<SyncLag>,
    /// In the topology's order; empty if it has none.
    #[serde(default)]
    pub regions: Vec<Region>,
    /// How long it takes until groups agree on a key that two of them wrote at the same instant.
    #[serde(default)]
    pub resolutions: Vec<Resolution>,
    /// Keys of the loads that were compared between groups while they were written.
    #[serde(default)]
    pub samples: Vec<SampleSecond>,
    /// Both directions of the links between regions.
    #[serde(default)]
    pub links: Vec<RegionLink>,
    /// Of good answers, by the region of the clients and that of the node; empty if there are not
    /// several regions.
    #[serde(default)]
    pub region_latency: Vec<RegionLatency>,
    /// What each region felt of each group that its clients use; empty if there are not several
    /// regions.
    #[serde(default)]
    pub region_downtime: Vec<RegionDowntime>,
    /// What each load did, per 100 ms.
    pub series: Vec<Series>,
    /// In the order of their beginnings.
    pub outages: Vec<Outage>,
    /// Outages beyond the first 2,000, which are counted in every measure but not listed.
    pub outages_left_out: u64,
    /// Which shard owned which slots: before the first step, a few times during, and after.
    pub ownership: Vec<Ownership>,
    pub warnings: Vec<Warning>,
    /// When the machine was too busy: seconds in which redrill itself was not run, or a server
    /// waited for a processor.
    #[serde(default)]
    pub starved: Vec<Starved>,
    /// The same in a sentence; null if it never was.
    #[serde(default)]
    pub busy: Option<String>,
    pub own: Own,
    /// The run folder.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The scenario in the run folder.
    #[serde(skip)]
    pub yaml: Option<String>,
}

/// What nodes and clients sent each other through the relay, since the drill's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// Between places.
    pub places: Vec<Crossing>,
    /// Between single nodes, and clients by their places; empty if there are many nodes.
    pub nodes: Vec<Crossing>,
    /// The ends of the spans of the columns of `series`, each of about a second.
    pub at_ms: Vec<f64>,
    /// Between places, over time.
    pub series: Vec<TrafficSeries>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrafficSeries {
    pub from: String,
    pub to: String,
    pub class: Class,
    pub bytes_per_s: Vec<f64>,
}

/// One direction of a link between regions, and what crossed it while the load ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegionLink {
    pub from: String,
    pub to: String,
    /// One way.
    pub latency_ms: f64,
    /// Payload; null if the load did not last for a second.
    pub bytes_per_s: Option<f64>,
    /// The same for each write that was acknowledged, in whichever region; null if none was.
    pub bytes_per_write: Option<f64>,
    /// Indices of the steps that cut the link: each node of one region off from each of the other,
    /// in one direction at least.
    #[serde(default)]
    pub cut_by: Vec<usize>,
}

/// A region when the topology was ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Region {
    pub name: String,
    /// The groups that have nodes in it.
    pub groups: Vec<RegionGroup>,
    /// The loads whose clients are in it.
    pub loads: Vec<String>,
}

/// How many nodes of a group a region has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegionGroup {
    pub name: String,
    pub primaries: usize,
    pub replicas: usize,
    pub sentinels: usize,
}

/// The latency of the good answers that the clients of a load got from the nodes of a region, from
/// the intended instants of the operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegionLatency {
    pub load: String,
    /// The region of the clients.
    pub from: String,
    /// The region of the nodes that answered.
    pub to: String,
    /// Both are the same.
    pub local: bool,
    pub action: Access,
    pub answers: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// What the clients of a region, of all loads together, felt of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegionDowntime {
    pub region: String,
    pub group: String,
    /// The group to which these clients turn when no server of `group` answers. What it answered
    /// counts here too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    pub action: Access,
    /// Operations that were sent, and those of them that did not end ok.
    pub operations: u64,
    pub errors: u64,
    /// Of each shard, the longest time in which none of the clients had a good answer, and a
    /// shorter one if that had not ended when the load did.
    pub silences: Vec<Silence>,
    /// The longest outage of `group` that probes from this region saw, and the greatest sum of
    /// those of one canary; null if the group was not probed.
    pub outage_max_ms: Option<f64>,
    pub outage_total_ms: Option<f64>,
}

impl RegionDowntime {
    /// The groups that these clients use: `us`, or `us, then eu`.
    pub fn users_of(&self) -> String {
        match &self.fallback {
            Some(fallback) => format!("{}, then {fallback}", self.group),
            None => self.group.clone(),
        }
    }

    pub fn longest(&self) -> Option<&Silence> {
        Silence::longest(&self.silences)
    }
}

/// How late writes of the group `from` were seen in the group `to`. A lag counts from the
/// acknowledgement of a write to the first answer that shows it or a later one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncLag {
    pub from: String,
    pub to: String,
    /// The latency of the link between their regions, one way.
    pub link_ms: f64,
    /// Acknowledged writes whose lag was measured.
    pub writes: u64,
    /// Of these: not seen before the group failed, or before the drill ended. They count with the
    /// time that they had.
    pub unseen: u64,
    /// The shortest of these times.
    pub unseen_after_ms: Option<f64>,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// The most entries that were still to be carried, over all shards of clusters. Null without
    /// redrill's own replicators.
    pub backlog_max: Option<u64>,
    /// The most that such entries took in the memory of their source.
    pub backlog_max_bytes: Option<u64>,
    pub seconds: Vec<LagSecond>,
}

/// How long it took until all groups agreed on keys that two of them had written at the same
/// instant. It counts from the acknowledgement of the later write until all showed the same, for
/// good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resolution {
    /// The groups that wrote.
    pub between: [String; 2],
    pub conflicts: u64,
    /// Of these: not over when the probing ended. They count with the time that they had.
    pub open: u64,
    /// The shortest of these times.
    pub open_after_ms: Option<f64>,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub seconds: Vec<LagSecond>,
}

/// What was found of keys that were compared, in a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SampleSecond {
    /// The end of the second.
    pub at_ms: f64,
    pub equal: u64,
    /// They differed, and still did when all that had been there was carried to all groups.
    pub different: u64,
    /// How many of those differed between two groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<Apart>,
    /// They differed, and were written before that: they are not judged.
    pub changed: u64,
}

impl Report {
    /// The pairs of groups whose keys were compared.
    pub fn pairs_sampled(&self) -> Vec<&[String; 2]> {
        let first = self.samples.iter().find(|one| !one.apart.is_empty());
        first.map_or_else(Vec::new, |one| one.apart.iter().map(|one| &one.between).collect())
    }
}

impl SampleSecond {
    /// How many keys differed between these two groups.
    pub fn apart_of(&self, between: &[String; 2]) -> u64 {
        let of_pair = self.apart.iter().filter(|one| one.between == *between);
        of_pair.map(|one| one.keys).sum()
    }
}

/// The lags, or conflicts, that ended in a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LagSecond {
    /// The end of the second.
    pub at_ms: f64,
    pub p50_ms: f64,
    pub max_ms: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseBegan {
    pub phase: Phase,
    pub at_ms: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Topology {
    pub name: String,
    pub groups: Vec<Group>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    pub name: String,
    pub shards: Vec<ShardNodes>,
    /// The group's sentinels, in mode `sentinel`.
    pub sentinels: Vec<NodeInfo>,
}

/// A shard when the topology was ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShardNodes {
    pub shard: u32,
    /// As the servers write it: `0-5460 5462`. Empty outside a cluster.
    #[schemars(with = "String")]
    pub slots: SlotSet,
    pub nodes: Vec<NodeInfo>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The time between two probes of a shard. An outage's length is exact to this, or to
    /// `turn_ms` if that is more.
    pub every_ms: f64,
    /// The time between two probes of a shard in which none has failed. Absent if the canaries
    /// of a shard did not take turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_ms: Option<f64>,
    /// What redrill was allowed to ask of all servers, by probes and for views, in requests a
    /// second; 0 if there was no such bound.
    #[serde(default)]
    pub budget_per_s: f64,
    pub deadline_ms: f64,
    pub canaries: usize,
    pub sent: u64,
    pub failed: u64,
    /// Reads that lacked an acknowledged write of the canary.
    #[serde(default)]
    pub wrong: u64,
    /// How long redrill itself was not run, so that probes saw nothing: in total, and the
    /// longest stretch.
    pub blind_ms: f64,
    pub blind_max_ms: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    pub name: String,
    pub group: String,
    /// Operations a second of the schedule, at its start if it is a ramp.
    pub rate: f64,
    /// Absent if the rate is always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    pub clients: u32,
    pub keys: u64,
    pub text: String,
    pub figures: Figures,
    /// The same of its operations, by what they do: `read`, `write`. A session has several if its
    /// workload says so; each counts from the instant at which it was to be sent.
    #[serde(default)]
    pub operations: BTreeMap<String, Figures>,
    pub met: Met,
    /// From the start of the slowest step until 95 % of its operations were answered again.
    /// Absent if it never came back, and without steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_ms: Option<f64>,
    /// The same at the load's end, of a load that had not come back by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_for_ms: Option<f64>,
    /// Its application instances, by their numbers.
    #[serde(default)]
    pub instances: Vec<Instance>,
    /// What the library behind an adapter felt; absent where the client is redrill's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Adapter>,
    /// What its locks were like, if it takes some. Of loads that share keys, the first one has those of
    /// all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locks: Option<LockFigures>,
    /// What more or less memory of its group would bring, if it has a cache there and no other load
    /// has keys in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_memory: Option<HitsByMemory>,
    /// What its workload's checkers measure, of this load alone. Of loads that share keys, the first
    /// one has those of all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, Measure>,
}

impl Load {
    /// All silences, each with the number of the instance that felt it.
    pub fn silences(&self) -> impl Iterator<Item = (usize, &Silence)> {
        let all = self.instances.iter().enumerate();
        all.flat_map(|(i, one)| one.silences.iter().map(move |silence| (i, silence)))
    }
}

/// A library that carried out a load, behind an adapter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adapter {
    pub name: String,
    pub version: String,
    /// How long an order that does nothing took, before the load and at its rate: the
    /// protocol's own cost.
    pub noop_p50_ms: f64,
    pub noop_p99_ms: f64,
    /// How long the library took, by the adapter's own clock; null if it does not tell.
    pub own_p50_ms: Option<f64>,
    pub own_p99_ms: Option<f64>,
    /// The library's errors by the first line of their text.
    pub errors: BTreeMap<String, u64>,
    /// Answers that came after their operation had timed out.
    pub late: u64,
}

/// What one application instance of a load felt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// Its sessions that were sent, and those of them that did not end ok.
    pub operations: u64,
    pub errors: u64,
    /// Of each shard, the longest time in which the instance had no good answer from its keys, and
    /// a shorter one if that had not ended when the load did.
    pub silences: Vec<Silence>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Silence {
    pub group: String,
    /// The shard that owned the keys' slots then.
    pub shard: u32,
    pub from_ms: f64,
    /// Null if it had not ended when the load did; then it counts until the load's end.
    pub to_ms: Option<f64>,
    pub duration_ms: f64,
    /// From an election in that time until the good answer.
    pub reconnect_ms: Option<f64>,
}

impl Silence {
    pub fn longest(silences: &[Silence]) -> Option<&Silence> {
        silences.iter().max_by(|a, b| a.duration_ms.total_cmp(&b.duration_ms))
    }
}

/// The results of a load's operations. The spans are those of the measures of latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    pub operations: u64,
    /// Those that ended ok.
    pub answered: u64,
    /// Those that failed, or whose outcome is unknown.
    pub errors: u64,
    /// Those that were never sent, because as many as the load allows were in flight.
    #[serde(default)]
    pub unsent: u64,
    pub before: Quantiles,
    pub during: Quantiles,
    pub after: Quantiles,
}

/// Latency of the operations that were intended in one span, from their intended instants; null
/// if none of them ended ok.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

/// Errors and reconnects of a load's operations, from its first to its last second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Met {
    /// Operations that failed or have an unknown outcome, by cause.
    pub causes: BTreeMap<Cause, u64>,
    /// Connections that were lost and made again; `null` if the client does not report them.
    pub reconnects: Option<u64>,
}

/// An expectation and its result. `value` and `bound` are in `unit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    pub text: String,
    pub measure: String,
    /// The load that it is asked of; absent of what is asked of all loads together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    pub op: Compare,
    pub value: Option<f64>,
    /// As in `measures`: how much it was when the load ended, if it was not over then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    pub bound: f64,
    pub unit: Unit,
    pub verdict: Verdict,
    /// Why the verdict is not `pass`.
    pub why: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    pub kind: StepKind,
    pub group: String,
    pub text: String,
    /// The planned instant, since the time line's beginning.
    pub planned_ms: f64,
    pub began_ms: Option<f64>,
    pub ended_ms: Option<f64>,
    /// Since when all live nodes reported the same owners and roles.
    pub view_converged_ms: Option<f64>,
    /// Since when every replica's link was up as well.
    pub converged_ms: Option<f64>,
    /// The nodes that it acted on.
    #[schemars(with = "Vec<String>")]
    pub nodes: Vec<NodeName>,
    /// The same with their instants. A node may be hit more than once, for example by each turn
    /// of a step that flaps.
    pub hits: Vec<Hit>,
    pub undone_ms: Option<f64>,
    /// The nodes that it added to a cluster.
    #[schemars(with = "Vec<String>")]
    pub joined: Vec<NodeName>,
    /// The nodes that it removed.
    #[schemars(with = "Vec<String>")]
    pub left: Vec<NodeName>,
    /// What else it did, a sentence each: how many connections a node ended.
    #[serde(default)]
    pub notes: Vec<String>,
    pub moved: Moved,
    /// How slots moved: `migrate`, or `atomic` by the servers' own jobs. Null if none did.
    pub method: Option<String>,
    /// How eagerly redrill moved them. Null if it moved none, or the record is older.
    #[serde(default)]
    pub pace: Option<PaceKept>,
    /// The servers' own jobs.
    pub jobs: Vec<Job>,
    pub error: Option<String>,
    /// Why the error may not be the servers' fault: the machine was too busy.
    #[serde(default)]
    pub unsure: Option<String>,
}

/// What a step did to one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    #[schemars(with = "String")]
    pub node: NodeName,
    pub at_ms: f64,
    /// Null if the step is over at once, or lasts longer than the record.
    pub undone_ms: Option<f64>,
}

/// A primary that failed, or handed over to a replica. An instant is null if its phase was not
/// reached, or not seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failover {
    pub group: String,
    pub shard: u32,
    /// Index of the step that caused it.
    pub step: Option<usize>,
    #[schemars(with = "Option<String>")]
    pub from: Option<NodeName>,
    #[schemars(with = "Option<String>")]
    pub to: Option<NodeName>,
    pub injected_ms: Option<f64>,
    /// A node could not reach the primary (PFAIL).
    pub suspected_ms: Option<f64>,
    /// A majority of primaries could not reach it (FAIL).
    pub agreed_ms: Option<f64>,
    /// A node named another primary.
    pub elected_ms: Option<f64>,
    /// All live nodes named it.
    pub propagated_ms: Option<f64>,
    /// A write to the shard succeeded again.
    pub served_ms: Option<f64>,
    /// No write had succeeded when the load ended, at this instant.
    pub unserved_until_ms: Option<f64>,
    /// A replica was linked to the new primary.
    pub redundant_ms: Option<f64>,
    /// The failover was followed until here: to the load's end, or to the next fault on its
    /// nodes. Absent in reports of versions before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_until_ms: Option<f64>,
    /// Acknowledged writes that it lost. Absent if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// How much time these writes are of; see the measure `rpo`. Absent if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_ms: Option<f64>,
}

/// A server's own job of moving slots from one shard to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    pub from: u32,
    pub to: u32,
    /// In the order in which they were seen; jobs are checked every 5 ms.
    pub phases: Vec<JobPhase>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobPhase {
    /// The server's own term: `snapshotting`, `success`.
    pub state: String,
    pub at_ms: f64,
}

/// One shard's row for a capacity planner. Rates are averages over the time line, of
/// the shard's primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    pub group: String,
    pub shard: u32,
    #[schemars(with = "Option<String>")]
    pub primary_before: Option<NodeName>,
    #[schemars(with = "Option<String>")]
    pub primary_after: Option<NodeName>,
    /// Null if no node was ever asked.
    pub slots_before: Option<u32>,
    pub slots_after: Option<u32>,
    pub keys_before: Option<u64>,
    pub keys_after: Option<u64>,
    /// The server's `used_memory`, in bytes.
    pub memory_before: Option<u64>,
    pub memory_after: Option<u64>,
    /// Commands of every kind, including those of probes and redrill's own requests.
    pub ops_per_s: Option<f64>,
    pub net_in_per_s: Option<f64>,
    pub net_out_per_s: Option<f64>,
    /// Of one core.
    pub cpu_percent: Option<f64>,
    pub canaries: usize,
    /// Canaries in slots that a step moves; they are included in the others.
    pub canaries_that_move: usize,
    /// The same by the regions that they are probed from; empty if the topology has not several.
    #[serde(default)]
    pub probed_from: Vec<ProbedFrom>,
    pub downtime_write_max_ms: Option<f64>,
    pub downtime_write_total_ms: Option<f64>,
    pub downtime_read_max_ms: Option<f64>,
    pub downtime_read_total_ms: Option<f64>,
}

/// The canaries of a shard that are probed from one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbedFrom {
    pub region: String,
    pub canaries: usize,
    pub canaries_that_move: usize,
}

/// How a server let keys go, from the load's beginning on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Keeper {
    #[schemars(with = "String")]
    pub node: NodeName,
    /// The highest `maxmemory` that it had; null if it had none.
    pub limit_bytes: Option<u64>,
    pub used_max_bytes: u64,
    /// Keys that it let go for want of memory, and because their time was over.
    pub evicted: u64,
    pub expired: u64,
    /// The longest time for which that stopped it, by its own account (LATENCY); 0 if that was less
    /// than a millisecond.
    pub stall_ms: f64,
    /// What it was doing then, in its own words.
    pub stalled_by: Option<String>,
    /// As the measure `memory.recovered`.
    pub recovered: Option<f64>,
}

/// The resource use of a node's container, by the Docker engine. Rates are averages over the
/// time line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    #[schemars(with = "String")]
    pub node: NodeName,
    /// Of one core.
    pub cpu_percent: Option<f64>,
    /// The highest value, without file pages that the kernel can reclaim.
    pub memory_max_bytes: u64,
    pub net_in_per_s: Option<f64>,
    pub net_out_per_s: Option<f64>,
}

/// Columns of equal length, one entry for each 100 ms for which the load has figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    pub load: String,
    pub every_ms: f64,
    /// Each window's start.
    pub at_ms: Vec<f64>,
    /// Operations that ended in the window.
    pub ops: Vec<u64>,
    pub ok: Vec<u64>,
    pub errors: Vec<u64>,
    /// Latency of those that ended ok, from their intended instants; null if none did.
    pub p50_ms: Vec<Option<f64>>,
    pub p99_ms: Vec<Option<f64>>,
    pub max_ms: Vec<Option<f64>>,
    /// Writes that were acknowledged in the window and are lost; empty if that is unknown.
    pub lost: Vec<u64>,
    /// Of a load that reads through a cache: how much of each of these measures falls into each
    /// window: `cache.misses.expired`, `origin.requests`, `cache.stale.late`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cache: BTreeMap<String, Vec<u64>>,
}

/// A time in which one canary's probes failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    pub group: String,
    /// The shard that owned the canary's slot when the outage began.
    pub shard: u32,
    pub slot: u16,
    /// Whether a step of the drill moves the slot.
    pub moves: bool,
    /// Where the canary was probed from, if there are several regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub action: Access,
    pub from_ms: f64,
    /// Null if it had not ended when the load did; then it counts until the load's end.
    pub to_ms: Option<f64>,
    pub duration_ms: f64,
    /// How much of it redrill itself was not run, and saw nothing. 0 for an outage that had not
    /// ended, for which it is unknown.
    pub blind_ms: f64,
    pub cause: Option<Cause>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ownership {
    pub group: String,
    pub at_ms: f64,
    pub moment: Moment,
    /// Whether all live nodes reported this; otherwise most of them did.
    pub agreed: bool,
    pub shards: Vec<Owned>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    Before,
    During,
    After,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Owned {
    pub shard: u32,
    #[schemars(with = "String")]
    pub slots: SlotSet,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Absent for warnings of the report itself.
    pub at_ms: Option<f64>,
    pub text: String,
}

/// A second in which the machine was too busy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Starved {
    pub from_ms: f64,
    pub to_ms: f64,
    /// How much of it counts.
    pub lost_ms: f64,
    /// The server that waited longest for a processor; null if redrill itself was not run.
    #[schemars(with = "Option<String>")]
    pub node: Option<NodeName>,
    pub waited_percent: Option<f64>,
}

/// redrill's own use of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Own {
    /// Of one core, on average.
    pub cpu_percent: Option<f64>,
    /// The highest resident memory.
    pub memory_max_bytes: Option<u64>,
}

/// An instant as reports write it.
pub(super) fn millis(at: Nanos) -> f64 {
    at.0 as f64 / 1e6
}

impl Figures {
    /// Before, during and after.
    pub(super) fn spans(&self) -> [&Quantiles; 3] {
        [&self.before, &self.during, &self.after]
    }
}

impl Judged {
    /// The value as a person would write it.
    pub(super) fn shown(&self) -> String {
        let Judged { value, unit, at_least, .. } = *self;
        Measure { value, unit, at_least }.show()
    }

    /// Whether value and bound alone explain the verdict.
    pub(super) fn is_plain(&self) -> bool {
        self.verdict != Verdict::Unknown
    }
}

/// The reading of the final state, which lost writes are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FinalRead {
    pub at_ms: f64,
    /// When what steps left had been undone; null if they left nothing.
    pub undone_ms: Option<f64>,
    /// Since when all nodes agreed after that, with every replica linked; null if they did not.
    pub agreed_ms: Option<f64>,
}

impl FinalRead {
    /// Relative to the undoing, for a person; `None` if nothing was undone.
    pub(super) fn text(&self) -> Option<String> {
        let after = Unit::Millis.show(self.at_ms - self.undone_ms?);
        let nodes = if self.agreed_ms.is_some() {
            "when all nodes agreed"
        } else {
            "though nodes did not agree"
        };
        Some(format!("read {after} after all was undone, {nodes}"))
    }
}

/// A server that ended although no step had asked for that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Crash {
    #[schemars(with = "String")]
    pub node: NodeName,
    pub at_ms: f64,
    /// How it ended: `signal: 11 (SIGSEGV)`.
    pub status: String,
    /// The last lines of its log.
    pub log: Vec<String>,
}

impl Crash {
    /// One sentence. Its instant counts from the load's start, at `zero_ms`.
    pub(super) fn text(&self, zero_ms: f64) -> String {
        let at = (self.at_ms - zero_ms) / 1e3;
        let Crash { node, status, .. } = self;
        format!("the server of {node} crashed at {at:.3} s ({status}): no step had asked for that")
    }

    /// Where its whole log is, in the run folder.
    pub(super) fn log_path(&self) -> String {
        format!("logs/{}.log", self.node.file_name())
    }
}

/// Nodes of a group that did not agree in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    pub group: String,
    /// How they differed, a sentence each.
    pub how: Vec<String>,
    /// It was not when `settle` was over, but after what steps left had been undone.
    #[serde(default)]
    pub after_undoing: bool,
    /// When they were asked.
    #[serde(default)]
    pub at_ms: Option<f64>,
    /// When all agreed and were linked for the last time.
    #[serde(default)]
    pub agreed_ms: Option<f64>,
    /// Why it may not be the servers' fault: the machine was too busy.
    #[serde(default)]
    pub unsure: Option<String>,
}

impl Disagreement {
    pub(super) fn text(&self) -> String {
        let when = match self.after_undoing {
            true => "after what steps left had been undone",
            false => "within `settle`",
        };
        format!("`{}` did not converge {when}: {}", self.group, self.how.join("; "))
    }
}

impl Step {
    /// Its effect on a node is over at once.
    pub fn is_over_at_once(&self) -> bool {
        self.kind.effects().lasts == Lasts::AtOnce
    }
}
