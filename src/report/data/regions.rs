//! Regions, the links between them, and what their clients felt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::loads::Silence;
use crate::model::op::Access;
use crate::model::traffic::{Class, Crossing};

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
