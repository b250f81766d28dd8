//! What the locks of one load were like: for the report's table of locks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The locks of one load, and what was wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LockFigures {
    pub acquired: u64,
    /// Wishes that ended without the lock.
    pub in_vain: u64,
    /// Acquisitions a second; null if there were fewer than two.
    pub per_second: Option<f64>,
    /// From the wish to having it; null if nobody had one.
    pub acquire_p50_ms: Option<f64>,
    pub acquire_p99_ms: Option<f64>,
    /// Operations on locks for each acquisition.
    pub commands: Option<f64>,
    /// Acknowledged updates of the accounts.
    pub updates: u64,
    #[serde(flatten)]
    pub wrong: LocksWrong,
    /// What began during a step, or after it and before the next one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_step: Vec<LocksOfStep>,
}

/// What was wrong with locks since a step began, until the next one did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LocksOfStep {
    /// Index of the step in the report.
    pub step: usize,
    #[serde(flatten)]
    pub wrong: LocksWrong,
}

/// What can be wrong with locks, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LocksWrong {
    /// Acquisitions while somebody else certainly used the lock afterwards.
    pub overlaps: u64,
    /// Acquisitions while somebody else perhaps used it afterwards.
    pub possible: u64,
    /// Acknowledged updates of accounts that are lost.
    pub lost: u64,
    /// Updates of an older holder that the account refused.
    pub caught: u64,
}

impl LocksWrong {
    pub(super) fn add(&mut self, other: LocksWrong) {
        let LocksWrong { overlaps, possible, lost, caught } = other;
        self.overlaps += overlaps;
        self.possible += possible;
        self.lost += lost;
        self.caught += caught;
    }
}
