//! A checked scenario: what a scenario file means, with every default filled in.

use std::fmt;
use std::time::Duration;

use crate::model::NodeName;
use crate::model::event::Expectation;

use super::network::NetworkStep;
use super::topology::Topology;

#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub name: String,
    pub summary: String,
    pub topology: Topology,
    pub loads: Vec<Load>,
    /// By their instants.
    pub timeline: Vec<Step>,
    pub probe: Probe,
    pub settle: Duration,
    pub expect: Vec<Expectation>,
    /// Measures of checkers whose findings do not fail the drill.
    pub reported: Vec<String>,
}

impl Scenario {
    /// Whether its nodes and clients must be linked by a relay, and do not talk directly.
    pub fn needs_relay(&self) -> bool {
        let on_links = |step: &Step| matches!(step.action, StepAction::Network(_));
        self.topology.needs_relay() || self.timeline.iter().any(on_links)
    }
}

/// Open loop: operation `n` is intended `n / rate` seconds after the load's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub name: String,
    /// The group that it is put on.
    pub group: String,
    /// Where its clients are; in the first region if there are several and none is named.
    pub region: Option<String>,
    pub client: ClientKind,
    /// Operations a second.
    pub rate: f64,
    /// Logical clients.
    pub clients: u32,
    pub keys: u64,
    pub distribution: Distribution,
    /// From 0.0 (only writes) to 1.0 (only reads).
    pub reads: f64,
    /// Smallest and largest value, in bytes.
    pub value: (usize, usize),
    /// How long a client waits for an answer.
    pub timeout: Duration,
    /// Operations past this many in flight are shed, and recorded as such.
    pub max_in_flight: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// redrill's own routing: every redirect and error is seen.
    Redrill,
    /// The stock cluster client of the `redis` crate: what an application on it feels.
    RedisRs,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    Uniform,
    /// The exponent.
    Zipf(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    pub every: Duration,
    pub deadline: Duration,
    /// Canaries for each shard.
    pub canaries: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub at: Duration,
    pub group: String,
    pub action: StepAction,
}

/// Who moves the keys of slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Atomic, where the servers offer it.
    #[default]
    Auto,
    /// redrill, by MIGRATE.
    Migrate,
    /// The servers, by jobs of their own.
    Atomic,
}

impl Method {
    /// As it is written in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Method::Auto => "auto",
            Method::Migrate => "migrate",
            Method::Atomic => "atomic",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepAction {
    Move { slots: SlotMove, method: Method, pace: Pace },
    Fault { fault: NodeFault, target: Target },
    Network(NetworkStep),
}

/// Which slots go where.
#[derive(Clone, Debug, PartialEq)]
pub enum SlotMove {
    Reshard {
        from: u32,
        to: u32,
        slots: u32,
    },
    /// The shard gives all its slots to the others, evenly.
    Drain {
        shard: u32,
    },
    /// Every shard gets slots by its weight; one weight a shard.
    Rebalance {
        weights: Vec<f64>,
    },
}

/// What is done to nodes. Where it lasts, it is undone after `lasts`, or when the load has
/// ended if that is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NodeFault {
    /// The server ends at once, and is started again with its data.
    Kill {
        lasts: Option<Duration>,
    },
    /// The same, but the server is asked to end.
    Stop {
        lasts: Option<Duration>,
    },
    Pause {
        lasts: Option<Duration>,
    },
    Restart {
        data: Data,
    },
    Failover {
        force: Force,
    },
}

/// What becomes of a node's data when its server is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Kept,
    /// It starts as it was when it was started first.
    Dropped,
}

/// Whom a replica asks before it becomes primary. See CLUSTER FAILOVER:
/// <https://redis.io/docs/latest/commands/cluster-failover/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// The primary, and then the other primaries.
    None,
    /// The other primaries.
    Force,
    /// Nobody.
    Takeover,
}

/// Nodes of a group; roles are what they are when the step begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Node(NodeName),
    PrimaryOf(u32),
    /// One of them, drawn by the drill's seed.
    ReplicaOf(u32),
    Primaries,
    Replicas,
    /// As many as can be gone with a majority left; drawn by the seed.
    MinorityOfPrimaries,
    MajorityOfPrimaries,
    RandomPrimary,
    RandomReplica,
}

impl fmt::Display for Target {
    /// As it is written in a scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Node(name) => write!(f, "{name}"),
            Target::PrimaryOf(shard) => write!(f, "primary of shard {shard}"),
            Target::ReplicaOf(shard) => write!(f, "a replica of shard {shard}"),
            Target::Primaries => f.write_str("all primaries"),
            Target::Replicas => f.write_str("all replicas"),
            Target::MinorityOfPrimaries => f.write_str("a minority of primaries"),
            Target::MajorityOfPrimaries => f.write_str("a majority of primaries"),
            Target::RandomPrimary => f.write_str("random primary"),
            Target::RandomReplica => f.write_str("random replica"),
        }
    }
}

impl NodeFault {
    /// The word for it in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            NodeFault::Kill { .. } => "kill",
            NodeFault::Stop { .. } => "stop",
            NodeFault::Pause { .. } => "pause",
            NodeFault::Restart { .. } => "restart",
            NodeFault::Failover { .. } => "failover",
        }
    }

    /// How long it lasts, if a time was given.
    pub fn lasts(self) -> Option<Duration> {
        match self {
            NodeFault::Kill { lasts } | NodeFault::Stop { lasts } | NodeFault::Pause { lasts } => {
                lasts
            }
            NodeFault::Restart { .. } | NodeFault::Failover { .. } => None,
        }
    }
}

impl SlotMove {
    /// The word for it in a scenario.
    pub fn word(&self) -> &'static str {
        match self {
            SlotMove::Reshard { .. } => "reshard",
            SlotMove::Drain { .. } => "drain",
            SlotMove::Rebalance { .. } => "rebalance",
        }
    }
}

impl StepAction {
    /// The word for it in a scenario.
    pub fn word(&self) -> &'static str {
        match self {
            StepAction::Move { slots, .. } => slots.word(),
            StepAction::Fault { fault, .. } => fault.word(),
            StepAction::Network(step) => step.fault.word(),
        }
    }
}

/// How eagerly slots move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the servers can.
    Fast,
    /// Slowly enough that a shard still answers within this, 99 times of 100.
    P99(Duration),
}
