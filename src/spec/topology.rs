//! A checked topology: the content of a topology file, with every default filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::decode::word_enum;
use super::network::Jitter;
use super::sync::{self, DataSync, SyncRule};
use crate::model::{NodeKind, NodeName};

#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    pub name: String,
    pub summary: String,
    pub engine: Engine,
    pub auth: Auth,
    pub regions: Vec<String>,
    pub links: Vec<Link>,
    /// In the order of the file. Never empty.
    pub groups: Vec<Group>,
    pub sync: Option<DataSync>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Engine {
    /// `None`: any that is found.
    pub kind: Option<EngineKind>,
    /// The server to run as a process: a path, or a bare name on PATH.
    pub binary: Option<PathBuf>,
    /// The image to run in containers.
    pub image: Option<String>,
}

impl Engine {
    /// The image for containers if the topology names none: a public one.
    pub fn image_or_default(&self) -> &str {
        match (&self.image, self.kind) {
            (Some(image), _) => image,
            (None, Some(EngineKind::Valkey)) => "valkey/valkey:9.1",
            (None, Some(EngineKind::Redis) | None) => "redis:8.0",
        }
    }
}

word_enum! {
    /// What servers ask of whoever connects.
    Auth "auth" {
        /// A password that is drawn whenever the topology is brought up.
        Password "password",
        None "none",
    }
}

word_enum! {
    EngineKind "engine" {
        Redis "redis",
        Valkey "valkey",
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub name: String,
    pub mode: Mode,
    pub placement: Placement,
    /// Directives of redis.conf, passed on unchanged.
    pub config: BTreeMap<String, String>,
    /// The port of every node of the group; `None` lets redrill choose.
    pub port: Option<u16>,
    pub limits: Limits,
}

/// How much of the machine each node of a group may use; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Processors; 0.5 is half the time of one.
    pub cpus: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    Standalone,
    Replication {
        replicas: u32,
    },
    Sentinel {
        replicas: u32,
        sentinels: Sentinels,
    },
    Cluster {
        shards: u32,
        /// Of each shard.
        replicas: u32,
    },
}

/// How a group is watched. See the Sentinel documentation:
/// <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentinels {
    pub count: u32,
    /// Sentinels that must agree that the primary is down.
    pub quorum: u32,
    /// `down-after-milliseconds`
    pub down_after: Duration,
    /// `failover-timeout`
    pub failover_timeout: Duration,
    /// `parallel-syncs`: how many replicas may switch to a new primary at a time.
    pub parallel_syncs: u32,
}

/// Regions are indices into [`Topology::regions`].
#[derive(Clone, Debug, PartialEq)]
pub enum Placement {
    /// One place for all; the group has no regions.
    Anywhere,
    Region(usize),
    /// None of them is ever empty.
    Stretched {
        /// Of the first primaries, by shard in turn.
        primaries: Vec<usize>,
        /// Of the first replicas, by shard in turn; each further one of a shard is in the next.
        replicas: Vec<usize>,
        /// Of the sentinels, in turn.
        sentinels: Vec<usize>,
    },
}

/// One direction of a link; a `between` gives two.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub from: usize,
    pub to: usize,
    pub latency: Duration,
    pub jitter: Jitter,
    /// Bits a second.
    pub bandwidth: Option<u64>,
}

impl Topology {
    /// Whether it adds distance, so that a relay must link its nodes.
    pub fn needs_relay(&self) -> bool {
        !self.regions.is_empty()
    }

    /// The group that the group of this name copies at first.
    pub fn source_of(&self, name: &str) -> Option<&Group> {
        let (from, to) = self.sync.as_ref()?.one_way()?;
        let copies = to.iter().any(|index| self.groups[*index].name == name);
        copies.then(|| &self.groups[from])
    }

    /// The same, if its servers follow those of that group.
    pub fn replicates(&self, name: &str) -> Option<&Group> {
        self.source_of(name).filter(|source| !source.is_cluster())
    }

    /// The region of the group's first primary; none without regions.
    pub fn home_of(&self, name: &str) -> Option<String> {
        let group = self.groups.iter().find(|group| group.name == name)?;
        let region = group.region_of(&NodeName::new(name, 0, 0))?;
        self.regions.get(region).cloned()
    }

    /// The latency of the link from region to region, one way; none within one.
    pub fn latency(&self, from: Option<usize>, to: Option<usize>) -> Duration {
        let between = |link: &&Link| (Some(link.from), Some(link.to)) == (from, to);
        self.links.iter().find(between).map_or(Duration::ZERO, |link| link.latency)
    }

    /// The groups that copy the group of this name at first.
    pub fn copies_of(&self, name: &str) -> Vec<&Group> {
        match &self.sync {
            Some(DataSync::Replica { from, to }) if self.groups[*from].name == name => {
                to.iter().map(|index| &self.groups[*index]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The groups of which one takes the writes for the group of this name: itself, and then the
    /// others.
    pub fn followers(&self, name: &str) -> Vec<&Group> {
        self.tied(name, DataSync::followers)
    }

    /// The groups that have the data of the group of this name: itself, and then the others.
    pub fn same_data(&self, name: &str) -> Vec<&Group> {
        self.tied(name, DataSync::members)
    }

    /// The groups that each take writes to the data of the group of this name: itself, and then the
    /// others; none if there are no others.
    pub fn writers(&self, name: &str) -> Vec<&Group> {
        let all = self.tied(name, DataSync::writers);
        if all.len() > 1 { all } else { Vec::new() }
    }

    fn tied(&self, name: &str, all: fn(&DataSync) -> Vec<usize>) -> Vec<&Group> {
        let all = self.sync.as_ref().map(all).unwrap_or_default();
        let all = || all.iter().map(|index| &self.groups[*index]);
        let is_in = all().any(|group| group.name == name);
        let own = self.groups.iter().find(|group| group.name == name);
        let others = all().filter(|group| is_in && group.name != name);
        own.into_iter().chain(others).collect()
    }

    /// The rule by which redrill's own replicators carry what is written to the group of this name.
    pub fn rule_of(&self, name: &str) -> Option<SyncRule> {
        let sync = self.sync.as_ref()?;
        let is_in = sync.members().iter().any(|index| self.groups[*index].name == name);
        sync.rule().filter(|_| is_in)
    }

    /// The programs that carry what is written, each with its source and its target: one for each
    /// shard, which is the ordinal in its name.
    pub fn replicators(&self) -> Vec<(NodeName, &Group, &Group)> {
        let pairs = self.sync.as_ref().map(DataSync::pairs).unwrap_or_default();
        let named = |(from, to): (usize, usize)| {
            let (from, to) = (&self.groups[from], &self.groups[to]);
            let name = |shard| sync::replicator(&from.name, &to.name, shard);
            (0..from.shards()).map(move |shard| (name(shard), from, to))
        };
        pairs.into_iter().flat_map(named).collect()
    }

    /// The same with their regions: each works beside its source.
    pub fn placed_replicators(&self) -> impl Iterator<Item = (NodeName, Option<String>)> {
        let region = |group: &Group| Some(self.regions.get(group.first_region()?)?.clone());
        self.replicators().into_iter().map(move |(name, from, _)| (name, region(from)))
    }

    /// Server processes of all groups, sentinels included.
    pub fn nodes(&self) -> u32 {
        self.groups.iter().map(Group::nodes).fold(0, u32::saturating_add)
    }
}

impl Group {
    /// The value of a directive of its `config`, by its lower-case name.
    pub fn directive(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(|value| value.trim().trim_matches('"'))
    }

    /// Server processes, sentinels included.
    pub fn nodes(&self) -> u32 {
        let keepers = self.shards().saturating_mul(self.replicas().saturating_add(1));
        keepers.saturating_add(self.sentinels().map_or(0, |sentinels| sentinels.count))
    }

    pub fn is_cluster(&self) -> bool {
        matches!(self.mode, Mode::Cluster { .. })
    }

    pub fn sentinels(&self) -> Option<Sentinels> {
        match self.mode {
            Mode::Sentinel { sentinels, .. } => Some(sentinels),
            _ => None,
        }
    }

    /// The region of a node. It depends on the node's name only: roles may change, places do
    /// not.
    pub fn region_of(&self, node: &NodeName) -> Option<usize> {
        match &self.placement {
            Placement::Anywhere => None,
            Placement::Region(region) => Some(*region),
            Placement::Stretched { primaries, replicas, sentinels } => {
                let in_turn =
                    |all: &[usize], at: u32| all.get(at as usize % all.len().max(1)).copied();
                match node.kind {
                    NodeKind::Shard(shard) if node.ordinal == 0 => in_turn(primaries, shard),
                    NodeKind::Shard(shard) => in_turn(replicas, shard + node.ordinal - 1),
                    NodeKind::Sentinel => in_turn(sentinels, node.ordinal),
                    NodeKind::Actor => None,
                }
            }
        }
    }

    /// The nodes that tell clients which node owns which slot, each with the group: its sentinels,
    /// or without them all that hold keys.
    pub fn guides(&self) -> impl Iterator<Item = (&Group, NodeName)> {
        let (name, replicas) = (&*self.name, self.replicas());
        let sentinels = self.sentinels().map_or(0, |sentinels| sentinels.count);
        let shards = if sentinels > 0 { 0 } else { self.shards() };
        let of_shard = move |shard| (0..=replicas).map(move |n| NodeName::new(name, shard, n));
        let sentinels = (0..sentinels).map(move |n| NodeName::sentinel(name, n));
        sentinels.chain((0..shards).flat_map(of_shard)).map(move |node| (self, node))
    }

    /// Where its first primary is.
    pub fn first_region(&self) -> Option<usize> {
        self.region_of(&NodeName::new(&self.name, 0, 0))
    }

    /// Shards of the group; 1 outside a cluster.
    pub fn shards(&self) -> u32 {
        match self.mode {
            Mode::Cluster { shards, .. } => shards,
            _ => 1,
        }
    }

    /// Replicas of each shard.
    pub fn replicas(&self) -> u32 {
        match self.mode {
            Mode::Standalone => 0,
            Mode::Replication { replicas }
            | Mode::Sentinel { replicas, .. }
            | Mode::Cluster { replicas, .. } => replicas,
        }
    }
}
