//! A checked scenario: the content of a scenario file, with every default filled in.

use std::fmt;
use std::time::Duration;

use crate::model::event::Expectation;
use crate::model::{NodeName, Workload};

use super::chaos::{Chaos, Drawn};
use super::hardship::{Hardship, Tools};
use super::network::NetworkStep;
use super::rolling::RollingRestart;
use super::scale::Scale;
use super::topology::Topology;

#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub name: String,
    pub summary: String,
    pub topology: Topology,
    pub loads: Vec<Load>,
    /// In the order of their instants.
    pub timeline: Vec<Step>,
    /// Steps to draw into the timeline before the drill begins.
    pub chaos: Vec<Chaos>,
    pub probe: Probe,
    pub settle: Duration,
    pub expect: Vec<Expectation>,
    /// Measures of checkers whose findings do not fail the drill.
    pub reported: Vec<String>,
    /// The scenario is played with each of these values in turn.
    pub over: Option<Over>,
}

/// Values for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// As for `--set`: `groups.cache.config.cluster-node-timeout`.
    pub key: String,
    pub values: Vec<String>,
}

impl Over {
    /// Parses `KEY=V1,V2`; `None` if the text does not have that form.
    pub fn parse(text: &str) -> Option<Over> {
        let (key, values) = text.split_once('=').filter(|(key, _)| !key.is_empty())?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        Some(Over { key: key.to_owned(), values })
    }

    /// Each value in the form of a `--set`.
    pub fn settings(&self) -> Vec<String> {
        self.values.iter().map(|value| format!("{}={value}", self.key)).collect()
    }
}

impl Scenario {
    /// Whether a relay must link its nodes and clients.
    pub fn needs_relay(&self) -> bool {
        let may_be = |chaos: &Chaos| chaos.faults.iter().copied().any(Drawn::is_on_links);
        self.topology.needs_relay()
            || self.network_steps().any(|step| !step.is_in_kernel())
            || self.chaos.iter().any(may_be)
    }

    /// Whether the kernel must cut its nodes off from each other.
    pub fn cuts_in_kernel(&self) -> bool {
        self.network_steps().any(NetworkStep::is_in_kernel)
    }

    fn network_steps(&self) -> impl Iterator<Item = &NetworkStep> {
        self.timeline.iter().filter_map(|step| match &step.action {
            StepAction::Network(step) => Some(step),
            _ => None,
        })
    }

    /// Nodes that are not there at the start, and join by a step.
    pub fn joiners(&self) -> Vec<NodeName> {
        let joiners = |step: &Step| match &step.action {
            StepAction::Scale(scale) => scale.joiners(&step.group),
            _ => Vec::new(),
        };
        self.timeline.iter().flat_map(joiners).collect()
    }

    /// The tools that this node must be started with, because a step may act on it.
    pub fn tools(&self, node: &NodeName) -> Tools {
        self.hardships(node).map(Hardship::tools).fold(Tools::default(), Tools::and)
    }

    /// Whether any server must have redrill's preload library.
    pub fn needs_preload(&self) -> bool {
        let needs = |step: &Step| match &step.action {
            StepAction::Fault { fault: NodeFault::Bear { hardship, .. }, .. } => {
                hardship.tools().preload
            }
            _ => false,
        };
        self.timeline.iter().any(needs)
    }

    /// Whether a step may limit this node to a share of a CPU.
    pub fn may_be_slowed(&self, node: &NodeName) -> bool {
        self.hardships(node).any(|hardship| matches!(hardship, Hardship::Slow { .. }))
    }

    /// Whether nodes of the group may move to another shard than the one in their names: a
    /// spare replica moves to a primary that has lost all of its replicas, and a primary that
    /// gave away its last slot follows the node that got it.
    fn may_change_shards(&self, group: &str) -> bool {
        let spec = self.topology.groups.iter().find(|spec| spec.name == group);
        let has_spare = spec.is_some_and(|spec| spec.replicas() > 1);
        let moves =
            |step: &Step| matches!(step.action, StepAction::Move { .. } | StepAction::Scale(_));
        has_spare || self.timeline.iter().any(|step| step.group == group && moves(step))
    }

    /// Every hardship that a step may put on this node.
    fn hardships(&self, node: &NodeName) -> impl Iterator<Item = Hardship> {
        let stays = !self.may_change_shards(&node.group);
        self.timeline.iter().filter_map(move |step| match &step.action {
            StepAction::Fault { fault: NodeFault::Bear { hardship, .. }, target }
                if step.group == node.group && target.may_be(node, stays) =>
            {
                Some(*hardship)
            }
            _ => None,
        })
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
    pub workload: Workload,
    /// Replicas that each change is to reach before it counts as done; never none of them.
    pub wait: Option<Wait>,
    pub min_replicas: Option<MinReplicas>,
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

/// WAIT after each change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub replicas: u32,
    pub timeout: Duration,
}

/// When the primaries of the load's group refuse to write: directives of redis.conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinReplicas {
    /// `min-replicas-to-write`.
    pub to_write: u32,
    /// `min-replicas-max-lag`, in whole seconds; the server's own default if it is not given.
    pub max_lag: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// redrill's own routing: every redirect and error is seen.
    Redrill,
    /// The stock cluster client of the `redis` crate: what an application on it feels.
    RedisRs,
    /// A program with a library of its own, told what to do line by line.
    Adapter { command: Vec<String> },
}

impl ClientKind {
    /// Whether it is a library's, which retries and follows redirects by itself.
    pub fn is_of_a_library(&self) -> bool {
        match self {
            ClientKind::Redrill => false,
            ClientKind::RedisRs | ClientKind::Adapter { .. } => true,
        }
    }
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
    /// It was drawn, and not written out.
    pub drawn: bool,
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
    Rolling(RollingRestart),
    Scale(Scale),
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
    /// The server runs on with too little of something.
    Bear {
        hardship: Hardship,
        lasts: Option<Duration>,
    },
}

/// What becomes of a node's data when its server is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Kept,
    /// It starts as it was when it was started first.
    Dropped,
}

/// Whom a replica asks before it becomes primary. See CLUSTER FAILOVER, and FAILOVER for
/// groups without a cluster:
/// <https://redis.io/docs/latest/commands/cluster-failover/>
/// <https://redis.io/docs/latest/commands/failover/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// The primary, and then the other primaries.
    None,
    /// The other primaries. Without a cluster: the primary, which waits a second at most until
    /// the replica has all its writes.
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
    All,
    /// Those that were put there, whatever their roles.
    Region(String),
    Primaries,
    Replicas,
    /// As many as can be gone with a majority left; drawn by the seed.
    MinorityOfPrimaries,
    MajorityOfPrimaries,
    RandomPrimary,
    RandomReplica,
    Sentinels,
    /// As many as can be gone with a majority left; drawn by the seed.
    MinorityOfSentinels,
    MajorityOfSentinels,
    RandomSentinel,
}

impl Target {
    /// Whether it may mean this node of its group, whatever role it has by then; a node that
    /// `stays` does so in the shard of its name.
    fn may_be(&self, node: &NodeName, stays: bool) -> bool {
        match self {
            Target::Node(name) => name == node,
            Target::PrimaryOf(shard) | Target::ReplicaOf(shard) if stays => {
                Some(*shard) == node.shard()
            }
            Target::Region(_) => true,
            _ => self.is_of_sentinels() == node.is_sentinel(),
        }
    }

    /// Whether it names sentinels, by whatever name, and nobody else.
    pub fn is_of_sentinels(&self) -> bool {
        match self {
            Target::Node(name) => name.is_sentinel(),
            Target::Sentinels
            | Target::MinorityOfSentinels
            | Target::MajorityOfSentinels
            | Target::RandomSentinel => true,
            _ => false,
        }
    }
}

impl fmt::Display for Target {
    /// As it is written in a scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Node(name) => write!(f, "{name}"),
            Target::PrimaryOf(shard) => write!(f, "primary of shard {shard}"),
            Target::ReplicaOf(shard) => write!(f, "a replica of shard {shard}"),
            Target::All => f.write_str("all nodes"),
            Target::Region(region) => write!(f, "region {region}"),
            Target::Primaries => f.write_str("all primaries"),
            Target::Replicas => f.write_str("all replicas"),
            Target::MinorityOfPrimaries => f.write_str("a minority of primaries"),
            Target::MajorityOfPrimaries => f.write_str("a majority of primaries"),
            Target::RandomPrimary => f.write_str("random primary"),
            Target::RandomReplica => f.write_str("random replica"),
            Target::Sentinels => f.write_str("all sentinels"),
            Target::MinorityOfSentinels => f.write_str("a minority of sentinels"),
            Target::MajorityOfSentinels => f.write_str("a majority of sentinels"),
            Target::RandomSentinel => f.write_str("random sentinel"),
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
            NodeFault::Bear { hardship, .. } => hardship.word(),
        }
    }

    /// How long it lasts, if a time was given.
    pub fn lasts(self) -> Option<Duration> {
        match self {
            NodeFault::Kill { lasts } | NodeFault::Stop { lasts } | NodeFault::Pause { lasts } => {
                lasts
            }
            // One sleep ends by itself.
            NodeFault::Bear { hardship: Hardship::Sleep { sleep, every: None }, .. } => Some(sleep),
            NodeFault::Bear { lasts, .. } => lasts,
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
            StepAction::Rolling(_) => RollingRestart::WORD,
            StepAction::Scale(scale) => scale.word(),
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
