//! What servers and machines did and used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::NodeName;

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
