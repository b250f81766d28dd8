//! What was done, and the failovers that followed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::NodeName;
use crate::model::event::{Moved, PaceKept};
use crate::model::step::{Lasts, StepKind};

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

impl Step {
    /// Its effect on a node is over at once.
    pub fn is_over_at_once(&self) -> bool {
        self.kind.effects().lasts == Lasts::AtOnce
    }
}
