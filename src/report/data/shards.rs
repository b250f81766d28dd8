//! Shards, their outages, and who owned which slots.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::NodeName;
use crate::model::op::{Access, Cause};
use crate::model::slot::SlotSet;

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
