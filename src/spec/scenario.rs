//! A checked scenario: the content of a scenario file, with every default filled in.

use std::time::Duration;

use crate::model::event::Expectation;
use crate::model::{NodeName, Pacing, Workload};

use super::Tools;
use super::cache::{Cache, CacheLoad};
use super::decode::word_enum;
use super::expiry::Expiry;
use super::lock::Lock;
use super::step::{On, Step, Target};
use super::topology::Topology;
use super::trace::Trace;

#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub name: String,
    pub summary: String,
    pub topology: Topology,
    pub loads: Vec<Load>,
    /// In the order of their instants.
    pub timeline: Vec<Step>,
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

/// How long loads go on from their start on, if all steps begin in time and none takes long.
pub fn planned(timeline: &[Step], settle: Duration) -> Duration {
    timeline.last().map_or(Duration::ZERO, |step| step.at) + settle
}

impl Scenario {
    /// Whether a relay must link its nodes and clients.
    pub fn needs_relay(&self) -> bool {
        self.topology.needs_relay() || self.timeline.iter().any(|step| step.action.needs_relay())
    }

    /// Whether the kernel must cut its nodes off from each other.
    pub fn cuts_in_kernel(&self) -> bool {
        self.timeline.iter().any(Step::cuts_in_kernel)
    }

    /// Nodes that are not there at the start, and join by a step.
    pub fn joiners(&self) -> Vec<NodeName> {
        self.timeline.iter().flat_map(|step| step.action.joiners(&step.group)).collect()
    }

    /// The programs that carry out loads, those that carry what is written from group to group,
    /// and the regions that they are put into.
    pub fn actors(&self) -> Vec<(NodeName, Option<String>)> {
        let actors = |load| Load::actors(load).map(|name| (name, load.region.clone()));
        let of_loads = self.loads.iter().flat_map(actors);
        of_loads.chain(self.topology.placed_replicators()).collect()
    }

    /// The groups that have the load's keys, its own first, if each takes writes.
    pub fn writers(&self, load: &Load) -> Vec<String> {
        let first = &load.groups[0];
        self.topology.writers(first).into_iter().map(|group| group.name.clone()).collect()
    }

    /// Where the clients of a load are: those that are put nowhere are in the first region. None
    /// without regions.
    pub fn region_of(&self, load: &Load) -> Option<String> {
        load.region.as_ref().or(self.topology.regions.first()).cloned()
    }

    /// Whether the load is put on the group, or on one that takes the writes of its data, or its
    /// clients may turn to one of these.
    pub fn uses(&self, load: &Load, group: &str) -> bool {
        let same = self.topology.followers(group);
        let mut used = load.groups.iter().chain(&load.fallback);
        used.any(|used| same.iter().any(|group| group.name == *used))
    }

    /// From where the canaries of the group are probed. Probes stand for users, so that is each
    /// region in which the group's data have users; without users it is where its primary is at
    /// first.
    pub fn probed_from(&self, group: &str) -> Vec<Option<String>> {
        let mut regions: Vec<Option<String>> = Vec::new();
        for load in self.loads.iter().filter(|load| self.uses(load, group)) {
            let region = self.region_of(load);
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
        if regions.is_empty() { vec![self.topology.home_of(group)] } else { regions }
    }

    /// The instances that connect from an address of their own, and their regions.
    pub fn own_instances(&self) -> Vec<(NodeName, Option<String>)> {
        let own = |load| Load::own_instances(load).map(|name| (name, load.region.clone()));
        self.loads.iter().flat_map(own).collect()
    }

    /// The instances that are told of changes, and their regions.
    pub fn subscribers(&self) -> Vec<(NodeName, Option<String>)> {
        let all = |load| Load::subscribers(load).map(|name| (name, load.region.clone()));
        self.loads.iter().flat_map(all).collect()
    }

    /// The tools that this node must be started with, because a step may act on it.
    pub fn tools(&self, node: &NodeName) -> Tools {
        self.done_to(node).map(|step| step.action.tools()).fold(Tools::default(), Tools::and)
    }

    /// Whether any server must have redrill's preload library.
    pub fn needs_preload(&self) -> bool {
        self.timeline.iter().any(|step| step.action.tools().preload)
    }

    /// Whether this node may be limited to a share of a CPU, by its group or by a step.
    pub fn may_be_slowed(&self, node: &NodeName) -> bool {
        let mut groups = self.topology.groups.iter();
        let limited = groups.any(|group| group.name == node.group && group.limits.cpus.is_some());
        limited || self.done_to(node).any(Step::limits_cpu)
    }

    /// Whether nodes of the group may move to another shard than the one in their names: a
    /// spare replica moves to a primary that has lost all of its replicas, and a primary that
    /// gave away its last slot follows the node that got it.
    fn may_change_shards(&self, group: &str) -> bool {
        let spec = self.topology.groups.iter().find(|spec| spec.name == group);
        let has_spare = spec.is_some_and(|spec| spec.replicas() > 1);
        let moves = |step: &Step| step.action.kind().effects().takes_turns();
        has_spare || self.timeline.iter().any(|step| step.group == group && moves(step))
    }

    /// The steps that may be done to this node.
    fn done_to(&self, node: &NodeName) -> impl Iterator<Item = &Step> {
        let stays = !self.may_change_shards(&node.group);
        self.timeline.iter().filter(move |step| {
            let hits = |target: &Target| target.may_be(node, stays);
            step.group == node.group && matches!(&step.on, On::Nodes(target) if hits(target))
        })
    }
}

/// As many operations are in flight at most, unless a load says it or its rate is higher.
pub const MAX_IN_FLIGHT: u32 = 10_000;

/// Clients that do operations of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub name: String,
    /// The groups that it is put on: as many as its workload acts on.
    pub groups: Vec<String>,
    /// The group that its clients turn to when no server of their own answers.
    pub fallback: Option<String>,
    /// Each instance has a memory of its own, which servers tell of changes.
    pub near: bool,
    /// Where its clients are; in the first region if there are several and none is named.
    pub region: Option<String>,
    pub workload: Workload,
    pub keyspace: Keyspace,
    /// How its changes are made, of a workload that knows several [ways](By::of).
    pub by: Option<By>,
    /// What its transfers are, if its workload is `transfer`.
    pub transfers: Transfers,
    /// What locks it takes, if its workload is `lock`.
    pub lock: Option<Lock>,
    /// What it reads and writes through, if its workload is `cache`.
    pub cache: Option<Cache>,
    /// What it sets and looks at, if its keys are there for a time only.
    pub expiry: Option<Expiry>,
    /// Application processes, each with its own slot map and connections.
    pub instances: u16,
    /// Connections of each instance to each node.
    pub connections: u32,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How often a request is sent again that a server certainly did not carry out.
    pub retries: u32,
    /// Replicas that each change is to reach before it counts as done; never none of them.
    pub wait: Option<Wait>,
    pub min_replicas: Option<MinReplicas>,
    /// What it writes goes to the outbox of its group too, from where redrill's own replicators
    /// carry it to other groups.
    pub outbox: bool,
    pub client: ClientKind,
    pub pacing: Pacing,
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

impl Load {
    /// What steps have to know of it, if it reads through a cache.
    pub fn as_cache(&self) -> Option<CacheLoad<'_>> {
        self.cache.as_ref().map(|_| CacheLoad {
            name: &self.name,
            keyspace: &self.keyspace.name,
            entities: self.keys,
            is_by_library: self.client.is_an_adapter(),
        })
    }

    /// Whether a circuit breaker stands before the group of its cache.
    pub fn is_guarded(&self) -> bool {
        self.cache.as_ref().is_some_and(|cache| cache.without.is_some())
    }

    /// The logical clients of one instance, at most.
    pub fn clients_of_each(&self) -> u32 {
        self.clients.div_ceil(u32::from(self.instances))
    }

    /// The programs that carry it out: one for each instance.
    pub fn actors(&self) -> impl Iterator<Item = NodeName> {
        self.instances(matches!(self.client, ClientKind::Adapter { .. }))
    }

    /// Its instances, named as programs are, if they are redrill's own clients and several.
    pub fn own_instances(&self) -> impl Iterator<Item = NodeName> {
        self.instances(self.client == ClientKind::Redrill && self.instances > 1)
    }

    /// Its instances, if servers or other instances tell them of changes.
    pub fn subscribers(&self) -> impl Iterator<Item = NodeName> {
        let hears = |cache: &Cache| cache.is_told();
        self.instances(self.near || self.cache.as_ref().is_some_and(hears))
    }

    /// Its instances whose own work, besides that of their programs, a `pause` step pauses: a client
    /// that has a lock of a library uses it itself.
    pub fn pausable(&self) -> impl Iterator<Item = NodeName> {
        let is_own = self.client == ClientKind::Redrill && self.instances > 1;
        self.instances(is_own || self.lock.is_some() && self.client.is_an_adapter())
    }

    fn instances(&self, all: bool) -> impl Iterator<Item = NodeName> {
        let count = if all { u32::from(self.instances) } else { 0 };
        (0..count).map(|n| NodeName::actor(&self.name, n))
    }

    /// A load with the defaults of everything else.
    pub fn new(name: &str, group: &str, rate: f64) -> Load {
        Load {
            name: name.to_owned(),
            groups: vec![group.to_owned()],
            fallback: None,
            near: false,
            region: None,
            workload: Workload::Register,
            keyspace: Keyspace::own(name),
            by: None,
            transfers: Transfers::default(),
            lock: None,
            cache: None,
            expiry: None,
            instances: 1,
            connections: 1,
            connect_timeout: Duration::from_secs(1),
            retries: 0,
            wait: None,
            min_replicas: None,
            outbox: false,
            client: ClientKind::Redrill,
            pacing: Pacing::steady(rate),
            clients: 32,
            keys: 10_000,
            distribution: Distribution::Uniform,
            reads: 0.5,
            value: (100, 100),
            timeout: Duration::from_secs(1),
            max_in_flight: MAX_IN_FLIGHT,
        }
    }
}

word_enum! {
    /// How a change that follows from what was there is made: an amount moves, or a counter is
    /// counted up.
    By "way to make changes" {
        /// INCR.
        Incr "incr",
        /// MULTI and EXEC.
        Multi "multi",
        /// EVAL.
        Script "script",
        /// WATCH, and then MULTI and EXEC with what follows from what was read.
        Watch "watch",
        /// GET and SET, while the client has a lock.
        Lock "lock",
        /// Nothing holds GET and SET together.
        GetSet "get-set",
        /// Nothing: two commands are sent in one go.
        Pipeline "pipeline",
    }
}

impl By {
    /// Those that a workload knows; the first one is usual.
    pub fn of(workload: Workload) -> &'static [By] {
        match workload {
            Workload::Counter => &[By::Incr, By::Script, By::Watch, By::Lock, By::GetSet],
            Workload::Transfer => &[By::Multi, By::Script, By::Watch, By::Pipeline],
            Workload::Register
            | Workload::Cas
            | Workload::Set
            | Workload::Queue
            | Workload::Stream
            | Workload::DualWrite
            | Workload::Lock
            | Workload::Cache
            | Workload::Expiry => &[],
        }
    }
}

/// What the transfers of a load are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transfers {
    /// How many accounts of a bank each changes.
    pub accounts: u16,
    /// The share of transfers of which one command fails, of one.
    pub failing: f64,
    /// The accounts of a bank have its name as their hash tag, so they are in one slot.
    pub tagged: bool,
}

impl Default for Transfers {
    fn default() -> Transfers {
        Transfers { accounts: 2, failing: 0.0, tagged: true }
    }
}

/// The keys that a load uses. Loads that share keys take turns with the numbers of their values
/// and clients, so that no two have one in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    /// The load whose keys they are: they bear its name.
    pub name: String,
    /// The index of that load, if it is another one.
    pub of: Option<u8>,
    /// The load's own turn, from 0, and how many there are.
    pub turn: u64,
    pub turns: u64,
    /// The instances of all these loads.
    pub instances: u32,
}

impl Keyspace {
    /// Of a load of one instance that shares its keys with nobody.
    pub fn own(name: &str) -> Keyspace {
        Keyspace { name: name.to_owned(), of: None, turn: 0, turns: 1, instances: 1 }
    }

    /// The load's `n`th number, from 0.
    pub fn number(&self, n: u64) -> u64 {
        n * self.turns + self.turn
    }
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
    pub fn is_an_adapter(&self) -> bool {
        matches!(self, ClientKind::Adapter { .. })
    }

    /// Whether it is a library's, which retries and follows redirects by itself.
    pub fn is_of_a_library(&self) -> bool {
        match self {
            ClientKind::Redrill => false,
            ClientKind::RedisRs | ClientKind::Adapter { .. } => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    Uniform,
    /// The exponent.
    Zipf(f64),
    Trace(Trace),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    pub every: Duration,
    pub deadline: Duration,
    /// Canaries for each shard.
    pub canaries: u32,
    /// Requests a second of probes and of questions for views together; half of it for each.
    pub budget: f64,
}

impl Probe {
    /// Of short deadlines.
    pub const LEAST_MAP_PATIENCE: Duration = Duration::from_millis(25);

    /// How long a node may take to say which node owns which slot. Far away nothing comes sooner:
    /// who is far has longer deadlines.
    pub fn map_patience(&self) -> Duration {
        Probe::LEAST_MAP_PATIENCE.max(self.deadline / 4)
    }
}
