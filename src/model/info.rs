//! What is known of a drill before it begins: its first event.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::Nanos;
use super::rate::{Ramp, Rate};
use super::step::{Effects, StepKind};
use super::words::words;
use super::workload::Workload;
use super::{LockRules, NodeName};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DrillInfo {
    pub id: String,
    pub redrill: String,
    /// Wall-clock time of instant zero, RFC 3339, UTC.
    pub started: String,
    pub scenario: String,
    pub summary: String,
    pub topology: String,
    pub backend: String,
    pub engine: EngineInfo,
    pub seed: u64,
    pub steps: Vec<StepInfo>,
    pub loads: Vec<LoadInfo>,
    pub expect: Vec<Expectation>,
    /// Measures of checkers whose findings do not fail the drill.
    #[serde(default)]
    pub reported: Vec<String>,
    /// The cadence and patience of probes, in milliseconds.
    pub probe_every_ms: f64,
    pub probe_deadline_ms: f64,
    /// What redrill may ask of all servers, in requests a second; 0 in records without a budget.
    #[serde(default)]
    pub probe_budget: f64,
    /// In the topology's order; empty if it has none, or if the record does not say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionInfo>,
    /// Both directions of the links between regions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkInfo>,
    /// Groups that all take writes are tied by somebody else's replicator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external_sync: bool,
    /// How long the drill is meant to take from `Phase::Steps` to the end of `Phase::Settle`.
    pub planned_ms: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EngineInfo {
    /// `redis` or `valkey`.
    pub kind: String,
    /// As the server says it: `7.0.15`.
    pub version: String,
}

/// A region, and the nodes in it, those among them that join later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionInfo {
    pub name: String,
    pub nodes: Vec<NodeName>,
}

/// One direction of a link between two regions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkInfo {
    pub from: String,
    pub to: String,
    pub latency_ns: u64,
}

/// Two groups with the same data: what is written in one comes to the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncPair {
    /// The group that is written.
    pub from: String,
    /// The group that is read.
    pub to: String,
    /// The latency of the link from the one's region to the other's, one way.
    pub link_ns: u64,
    /// In clusters each shard is measured for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepInfo {
    pub kind: StepKind,
    pub group: String,
    /// Its targets are actors, and no servers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_actors: bool,
    /// As a person would say it: `reshard cache: 1820 slots from shard 0 to shard 1`.
    pub text: String,
    pub planned_at: Nanos,
}

impl StepInfo {
    pub fn effects(&self) -> Effects {
        match self.on_actors {
            true => self.kind.effects().on_actors(),
            false => self.kind.effects(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadInfo {
    pub name: String,
    pub group: String,
    /// Where its clients are; none in a topology without regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Operations a second that the schedule asks for, at its start if it is a ramp; none if the
    /// load is closed by its clients.
    #[serde(default)]
    pub rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// How long a client waits from its answer to its next session, if the load is closed by its
    /// clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_ms: Option<f64>,
    pub clients: u32,
    pub keys: u64,
    /// How long a client waits for an answer.
    #[serde(default = "second")]
    pub timeout_ms: f64,
    #[serde(default)]
    pub workload: Workload,
    /// The nodes of its group as the history counts them, those among them that join later;
    /// in records that do not say so, those that were there from the beginning.
    #[serde(default)]
    pub nodes: Vec<NodeName>,
    /// The group that its clients turn to when no server of their own answers. Its nodes are the
    /// last of `nodes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// Each instance has a memory of its own, which servers tell of changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub near: bool,
    /// The groups that it uses besides, in their order, with their nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_groups: Vec<(String, Vec<NodeName>)>,
    /// The groups that have its keys, its own first, if each takes writes: final reads are of all
    /// of them, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same_data: Vec<String>,
    /// The replicas that each write waits for; 0 if for none.
    #[serde(default)]
    pub waits_for: u32,
    /// What locks its sessions take, if they take some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locks: Option<LocksInfo>,
    /// What it reads and writes through, if that is a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheInfo>,
    /// Whether the load's client tells of the redirects that it followed.
    #[serde(default = "yes")]
    pub sees_redirects: bool,
    /// As a person would say it: `register, 4,000/s, zipf(0.99), 50 % reads, 100 B to 1 KB`.
    pub text: String,
}

/// Keys that differed between two groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Apart {
    pub between: [String; 2],
    pub keys: u64,
}

/// The locks of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LocksInfo {
    /// How many sessions may have one at once.
    pub holders: u32,
    /// How many a session takes, one after the other.
    pub take: u32,
    /// How long one is had at most.
    pub ttl_ms: f64,
    /// Whether a library takes them, whose commands nobody counts.
    #[serde(default)]
    pub by_library: bool,
    /// Whether they may hand out numbers, of which accounts refuse older ones.
    #[serde(default = "yes")]
    pub fences: bool,
    /// Whether some holders never give them back.
    #[serde(default = "yes")]
    pub abandons: bool,
    /// The servers that are asked for each lock, which are the first of the load's groups, and how
    /// many of them must grant it. 0 in records that do not say it: then the load's groups are the
    /// servers, and a majority must grant it.
    #[serde(default)]
    pub servers: u32,
    #[serde(default)]
    pub quorum: u32,
}

/// The cache of a load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheInfo {
    /// How long after the acknowledgement of a write an old version may be served.
    pub old_for_ms: f64,
    /// Whether writers delete copies.
    pub deletes: bool,
    /// How many entities the origin has: those with lower numbers. Records that do not say it are
    /// of caches of which nobody asks for others.
    #[serde(default)]
    pub entities: Option<u64>,
    /// Whether a circuit breaker stands before the group.
    #[serde(default)]
    pub guarded: bool,
    /// Whether a library has the copies, in a way of its own, and does not tell what it leaves in the
    /// group.
    #[serde(default)]
    pub by_library: bool,
    /// If redrill's own client leaves copies in the group, under the entities' plain names: the
    /// smallest and the largest in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<(u64, u64)>,
}

impl CacheInfo {
    /// How long after the acknowledgement of a write an old version may be served.
    pub fn old_for(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.old_for_ms / 1e3).ok()
    }

    /// Of the copies of an entity, in bytes: each entity has its own, which is always the same.
    pub fn size_of((least, most): (u64, u64), entity: u64) -> u64 {
        let spread = most.max(least) - least + 1;
        least + (entity.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16) % spread
    }
}

impl LocksInfo {
    /// How long one is had at most.
    pub fn lease(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.ttl_ms / 1e3).ok()
    }

    /// The same, if a session takes several.
    pub fn lease_of_several(&self) -> Option<Duration> {
        self.lease().filter(|_| self.take > 1)
    }
}

impl LoadInfo {
    /// What its schedule asks for; none if it is closed by its clients.
    pub fn rate(&self) -> Option<Rate> {
        self.rate.map(|first| Rate { first, ramp: self.ramp })
    }

    /// How many answers an acquisition of its locks needs; `None` if it takes none.
    pub fn lock_rules(&self) -> Option<LockRules> {
        let locks = self.locks?;
        let servers = match locks.servers {
            // A library asks its servers itself.
            0 if locks.by_library => 1,
            0 => 1 + self.more_groups.len(),
            servers => servers as usize,
        };
        let quorum = if locks.quorum == 0 { servers / 2 + 1 } else { locks.quorum as usize };
        let take = u64::from(locks.take).clamp(1, self.keys.max(1)) as usize;
        Some(LockRules { servers, quorum, take })
    }

    /// The groups that it uses, as operations count them, each with its nodes.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &[NodeName])> {
        let more = self.more_groups.iter().map(|(group, nodes)| (&**group, &**nodes));
        [(&*self.group, &*self.nodes)].into_iter().chain(more)
    }
}

/// Of records that do not say it: what a scenario has where it does not say it.
fn second() -> f64 {
    1_000.0
}

/// Records that do not say so are of redrill's own client.
fn yes() -> bool {
    true
}

/// A bound on a measure. `bound` has the measure's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// As the scenario writes it.
    pub text: String,
    pub measure: String,
    /// The load that it is asked of; none of what is asked of all loads together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    pub op: Compare,
    pub bound: f64,
}

impl Expectation {
    /// Whether it bounds `measure` of all loads together.
    pub fn is_on(&self, measure: &str) -> bool {
        self.measure == measure && self.load.is_none()
    }
}

words! {
    pub enum Compare {
        AtMost "<=",
        Below "<",
        AtLeast ">=",
        Above ">",
        Equal "==",
    }
}

impl Compare {
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Compare::AtMost => value <= bound,
            Compare::Below => value < bound,
            Compare::AtLeast => value >= bound,
            Compare::Above => value > bound,
            Compare::Equal => value == bound,
        }
    }
}
