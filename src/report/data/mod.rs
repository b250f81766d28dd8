//! `report.json` as types: the contract for programs.
//!
//! Instants are milliseconds since the drill's start (`timeline_ms` is the beginning of the
//! time line), durations are milliseconds, sizes bytes. `docs/report.md` describes each field;
//! `schemas/report.json` is generated from here. A change that could break a reader raises
//! [`SCHEMA`].

mod judged;
mod loads;
mod machines;
mod regions;
mod shards;
mod steps;
mod sync;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::Finding;
use crate::model::event::{EngineInfo, NodeInfo, Phase};
use crate::model::logged::LogLine;
use crate::model::slot::SlotSet;
use crate::model::{Measure, Nanos, Verdict};

pub use judged::{Crash, Disagreement, FinalRead, Judged};
pub use loads::{Adapter, Figures, Instance, Load, Met, Quantiles, Series, Silence};
pub use machines::{Container, Keeper, Own, Starved};
pub use regions::{
    Region, RegionDowntime, RegionGroup, RegionLatency, RegionLink, Traffic, TrafficSeries,
};
pub use shards::{Moment, Outage, Owned, Ownership, Probe, ProbedFrom, Shard};
pub use steps::{Failover, Hit, Job, JobPhase, Step};
pub use sync::{LagSecond, Resolution, SampleSecond, SyncLag};

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
    /// Lines of servers' logs that may explain what was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logged: Vec<LogLine>,
    /// A server's disk was full although no step had asked for that: nothing fails the drill.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disk_was_full: bool,
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

impl Report {
    /// The pairs of groups whose keys were compared.
    pub fn pairs_sampled(&self) -> Vec<&[String; 2]> {
        let first = self.samples.iter().find(|one| !one.apart.is_empty());
        first.map_or_else(Vec::new, |one| one.apart.iter().map(|one| &one.between).collect())
    }
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Absent for warnings of the report itself.
    pub at_ms: Option<f64>,
    pub text: String,
}

/// An instant as reports write it.
pub(super) fn millis(at: Nanos) -> f64 {
    at.0 as f64 / 1e6
}
