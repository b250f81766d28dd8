//! What each load did, and how long it took.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{HitsByMemory, LockFigures};
use crate::model::op::Cause;
use crate::model::{Measure, Ramp};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    pub name: String,
    pub group: String,
    /// Operations a second of the schedule, at its start if it is a ramp; null if the load is closed by
    /// its clients.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Absent if the rate is always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// How long each client waited from its answer to its next session, if the load was closed by its
    /// clients. Latency leaves out what they did not send while they waited for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_ms: Option<f64>,
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

impl Figures {
    /// Before, during and after.
    pub(in crate::report) fn spans(&self) -> [&Quantiles; 3] {
        [&self.before, &self.during, &self.after]
    }
}
