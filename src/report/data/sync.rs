//! How far groups with the same data are apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::event::Apart;

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
