//! Events: everything that a drill reports while it runs, one a line in `events.jsonl`.
//!
//! Events go one way, to [`Sink`]s. A report is made from this file and the history alone, so
//! everything that a report shows must be emitted here.

use std::collections::BTreeMap;
use std::sync::mpsc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::{Clock, Nanos};
use super::ids::{HostId, NodeName};
use super::logged::LogLine;
use super::op::{Access, Cause};
use super::slot::SlotSet;
use super::traffic::Crossing;
use super::words::words;

pub use super::info::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub at: Nanos,
    #[serde(flatten)]
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "the large one is told once in a drill")]
pub enum EventKind {
    /// Always the first event.
    Drill(DrillInfo),
    Phase {
        phase: Phase,
    },
    /// Something a person should know although the drill goes on.
    Warning {
        text: String,
    },
    /// A server that is not the drill's was found where only its own should be.
    Foreign {
        what: String,
    },
    /// So many of so many nodes are ready.
    Forming {
        ready: usize,
        total: usize,
    },
    /// All nodes are ready for use. The time that this took is this event's instant less that
    /// of `Phase::Form`.
    Ready {
        nodes: Vec<NodeInfo>,
    },
    /// `turn_ns` is the time between two probes of a shard in which none has failed: its
    /// canaries take turns. Records that do not say it are of drills without turns.
    Canaries {
        canaries: Vec<Canary>,
        #[serde(default)]
        turn_ns: Option<u64>,
    },
    /// The slot owners and roles of a group, whether its nodes agree on them or not.
    View(View),
    /// What each node reported about itself (INFO), about once a second.
    Stats {
        nodes: Vec<NodeStats>,
        /// The requests for views since the last such event.
        #[serde(default)]
        asked: u64,
        /// How long the thread that reads views was behind, since the last such event.
        #[serde(default)]
        behind_ns: u64,
    },
    /// The resource use of the nodes' containers, about once a second.
    Containers {
        nodes: Vec<ContainerStats>,
    },
    /// What has crossed the relay since the drill's start, about once a second. Not emitted if
    /// nodes and clients connect directly.
    Traffic {
        by: Grain,
        crossings: Vec<Crossing>,
    },
    StepBegan {
        step: usize,
    },
    StepProgress {
        step: usize,
        moved: Moved,
    },
    /// The method of a step that moves slots: `migrate` or `atomic`.
    StepMethod {
        step: usize,
        method: String,
    },
    /// How a step that moves slots by `migrate` keeps to its pace, as far as is known. The last
    /// one stands.
    StepPace {
        step: usize,
        kept: PaceKept,
    },
    /// A server's own job of moving slots from shard to shard has reached a phase, in the
    /// server's own term.
    StepJob {
        step: usize,
        from: u32,
        to: u32,
        state: String,
    },
    /// A server ended, and no step had asked for that. The drill goes on without it.
    Crashed {
        node: NodeName,
        /// As text for a person: `signal: 11 (SIGSEGV)`.
        status: String,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// What servers logged that may explain what the drill saw. Emitted once, before they are ended.
    Logged {
        lines: Vec<LogLine>,
    },
    /// From now on, the step acts on these nodes. Emitted again for each node if it acts on one
    /// after the other.
    StepInjected {
        step: usize,
        nodes: Vec<NodeName>,
        /// For a step on links: the nodes at their other ends.
        #[serde(default)]
        against: Vec<NodeName>,
    },
    /// What the step does is in force on all its nodes. `StepInjected` is told before it is done:
    /// until this event, a server that is killed may still answer. Told of steps that hold until they
    /// are undone, and of none that flaps; older records do not have it.
    StepInForce {
        step: usize,
    },
    /// The step has been undone, on all its nodes if none are named.
    StepUndone {
        step: usize,
        #[serde(default)]
        nodes: Vec<NodeName>,
    },
    /// A flapping step pauses until its next turn, or begins again. (`StepInjected` was its
    /// first turn.)
    StepTurn {
        step: usize,
        holds: bool,
    },
    /// What a person should know of what the step did: how many connections a node ended.
    StepNote {
        step: usize,
        text: String,
    },
    /// Nodes that the step started have joined their cluster.
    StepJoined {
        step: usize,
        nodes: Vec<NodeName>,
    },
    /// The cluster has forgotten nodes, and their servers have ended.
    StepLeft {
        step: usize,
        nodes: Vec<NodeName>,
    },
    /// The step could not be undone when the load had ended.
    StepNotUndone {
        step: usize,
        error: String,
        /// As of [`EventKind::StepEnded`].
        #[serde(default)]
        doubtful: bool,
        #[serde(default)]
        own: bool,
    },
    /// A step that moved slots has left keys of these slots on nodes that do not own them. Clients
    /// do not find them there: that is redrill's fault, and not the servers'.
    Stranded {
        step: usize,
        group: String,
        slots: SlotSet,
        keys: u64,
    },
    StepEnded {
        step: usize,
        moved: Moved,
        error: Option<String>,
        /// The error is that something was not seen, or did not happen, in time.
        #[serde(default)]
        doubtful: bool,
        /// The error is not of a server, but of redrill or of what runs the servers.
        #[serde(default)]
        own: bool,
    },
    /// Since `since`, all live nodes have agreed. Emitted again if that did not last.
    ViewConverged {
        step: usize,
        since: Nanos,
    },
    /// The same, and every replica's link has been up since then.
    Converged {
        step: usize,
        since: Nanos,
    },
    /// A phase of a failover, when a node reported it for the first time. The answer came `at`;
    /// the phase itself may have come up to one round of requests earlier.
    Failover {
        group: String,
        shard: u32,
        phase: FailoverPhase,
        /// The primary that fails, the one that is elected, or the replica that follows it.
        node: NodeName,
        /// The node that reported it.
        by: NodeName,
    },
    /// The agreement of `Converged` did not last; with `view`, that of `ViewConverged` did not
    /// either.
    Diverged {
        step: usize,
        view: bool,
    },
    /// When the time to settle was over, or the time for nodes to come back after what steps
    /// left was undone, the nodes of a group did not agree, or a replica was not linked. A
    /// sentence for each difference.
    Disagreed {
        group: String,
        how: Vec<String>,
        /// The last instant at which all agreed and were linked.
        #[serde(default)]
        agreed: Option<Nanos>,
    },
    /// What steps left was undone at `undone`. Since `since` all nodes have agreed, with every
    /// replica linked; `None` if they did not in time.
    Returned {
        undone: Nanos,
        since: Option<Nanos>,
    },
    /// A canary's probes began to fail. `from` is the intended instant of the first one that
    /// failed.
    OutageBegan {
        canary: usize,
        action: Access,
        from: Nanos,
        cause: Cause,
    },
    /// `to` is the instant of the first good answer after that. For `blind_ns` of the time
    /// between, redrill itself was not run and saw nothing.
    OutageEnded {
        canary: usize,
        action: Access,
        from: Nanos,
        to: Nanos,
        #[serde(default)]
        blind_ns: u64,
    },
    /// Probes since the last such event, over all canaries, and how long redrill itself was not
    /// run in that time: in total, and the longest stretch.
    Probes {
        sent: u64,
        failed: u64,
        /// Reads with a wrong answer ([`Cause::DataLoss`]).
        #[serde(default)]
        wrong: u64,
        worst_ns: u64,
        #[serde(default)]
        blind_ns: u64,
        #[serde(default)]
        blind_max_ns: u64,
    },
    /// The groups between which the lag is measured. Emitted once, if there are some.
    SyncPairs {
        pairs: Vec<SyncPair>,
    },
    /// How late the writes of one group were seen in another one, since the last such event.
    SyncLag {
        /// The number of the pair.
        pair: usize,
        /// From the acknowledgement of a write to the first answer that shows it.
        lags_ns: Vec<u64>,
        /// When each of these writes was acknowledged.
        #[serde(default)]
        since_ns: Vec<u64>,
        /// Of the writes that nobody waits for any more, because their group failed or the drill
        /// has ended: how long they had not been seen.
        unseen_ns: Vec<u64>,
        /// For writes that were seen: from their acknowledgement until the last request whose
        /// answer did not show them. What was written later was not there either.
        #[serde(default)]
        hidden: Vec<(Nanos, Nanos)>,
        /// Requests.
        sent: u64,
    },
    /// Keys that were written in two groups at the same instant, to see when all groups agree,
    /// since the last such event.
    SyncConflicts {
        between: [String; 2],
        /// From the acknowledgement of the later write until all groups showed the same, for good.
        ended_ns: Vec<u64>,
        /// Of those that had not ended when the probing did: how long they had lasted.
        open_ns: Vec<u64>,
        /// Requests.
        sent: u64,
    },
    /// Keys of the loads that were compared between groups since the last such event.
    SyncSampled {
        equal: u64,
        /// They differed, and still did when all that had been there was carried to all groups.
        different: u64,
        /// The same, of each pair of groups. Older records do not have it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        apart: Vec<Apart>,
        /// They differed, and were written before that.
        changed: u64,
        /// Requests.
        sent: u64,
    },
    /// The program that carries out a load is ready, and how long it takes to do nothing: in the
    /// median, and at the 99th percentile.
    Adapter {
        load: u8,
        name: String,
        version: String,
        noop_p50_ns: u64,
        noop_p99_ns: u64,
    },
    /// What such a program told since the last such event: errors by their text, and how many
    /// answers came after their time-out; how long its library took, since its start.
    AdapterTold {
        load: u8,
        errors: BTreeMap<String, u64>,
        late: u64,
        own_p50_ns: Option<u64>,
        own_p99_ns: Option<u64>,
    },
    /// How far a replicator is: what its target has of its source. Emitted up to ten times a
    /// second, when it has changed. Counts are since the drill's start.
    Replicated {
        pair: NodeName,
        /// Entries that changed something.
        applied: u64,
        /// Entries that were thrown away by the rule.
        discarded: u64,
        /// Entries that are still to be applied.
        behind: u64,
        /// What they take in the memory of their source. Drills of before do not tell.
        #[serde(default)]
        behind_bytes: Option<u64>,
    },
    /// Groups that have the same data are compared, although not all was carried in time, and
    /// whoever carries may only be late. A warning says what is missing.
    NotCarried,
    /// Something of redrill's own that the drill needs has ended, and no step had ended it: what, and
    /// how, as text for a person. What is missing from then on may be for that alone.
    OwnLost {
        what: String,
    },
    /// What one load did in one window of 100 ms, by the instants at which operations ended.
    Sample(Sample),
    /// The server that waited longest for a processor in the last second, though it was ready
    /// to run, and how much of the second it waited, in percent.
    Waited {
        node: NodeName,
        percent: f64,
    },
    /// redrill's own use of the machine since the last such event.
    Own {
        cpu_percent: f64,
        memory_bytes: u64,
    },
    /// Always the last event of a drill that was not killed.
    Ended {
        end: End,
    },
}

words! {
    /// The ends of a [`Crossing`].
    pub enum Grain {
        /// Regions, or without regions nodes and clients.
        Places "places",
        /// Single nodes, and clients by their places. Emitted once, at the end, if there are few
        /// nodes.
        Nodes "nodes",
    }
}

words! {
    /// The phases of a failover, in their order.
    pub enum FailoverPhase {
        /// A node cannot reach the primary (PFAIL).
        Suspected "suspected",
        /// A majority of primaries cannot reach it (FAIL).
        Agreed "agreed",
        /// A node names another primary.
        Elected "elected",
        /// All live nodes name it.
        Propagated "propagated",
        /// A replica of the new primary is linked.
        Redundant "redundant",
    }
}

words! {
    /// A drill's phases, in their order.
    pub enum Phase {
        /// Servers start and form their groups.
        Form "form",
        /// Keys are written, so that reads find something.
        Fill "fill",
        /// The load runs and the steps are played. A drill's time line starts here.
        Steps "steps",
        /// The load goes on after the last step.
        Settle "settle",
        /// Loads begin nothing more, and wait for what is in flight.
        Drain "drain",
        /// The copies of redrill's own caches are compared with the origin. Left out without any.
        Sweep "sweep",
        /// The load has stopped; what steps left is undone, and nodes come back. Left out if
        /// there is nothing to undo.
        Undo "undo",
        /// The final state is read.
        Verify "verify",
        /// Servers stop.
        Stop "stop",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeInfo {
    #[schemars(with = "String")]
    pub name: NodeName,
    /// `127.64.0.1:6379`
    pub address: String,
    pub role: Role,
    /// The cluster's own name for the node, or a sentinel's own: 40 hex digits. Else empty.
    pub id: String,
    /// The machine that it runs on; left out if that is the one redrill runs on.
    #[serde(default, skip_serializing_if = "HostId::is_here")]
    pub host: HostId,
}

words! {
    pub enum Role {
        Primary "primary",
        Replica "replica",
        /// It holds no keys and watches nodes that do.
        Sentinel "sentinel",
    }
}

/// A key that is probed to see whether its slot is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    pub group: String,
    /// The shard that owned the slot at the drill's start.
    pub shard: u32,
    /// 0 outside a cluster.
    pub slot: u16,
    pub key: String,
    /// Whether a step of this drill moves the slot.
    pub moves: bool,
    /// Where it is probed from, if clients are in several regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub group: String,
    /// All live nodes have this same view.
    pub agreed: bool,
    /// By shard number; where nodes differ, what most of them report.
    pub shards: Vec<ShardView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardView {
    pub shard: u32,
    pub slots: SlotSet,
    pub primary: Option<NodeName>,
    pub replicas: Vec<NodeName>,
}

/// Counters are since the server's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStats {
    pub name: NodeName,
    pub role: Role,
    pub keys: u64,
    pub memory_bytes: u64,
    pub commands: u64,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
    /// User and system time of the server process, in seconds.
    pub cpu_seconds: f64,
    /// Records of before do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptStats>,
}

/// What a server says of the keys that it keeps, and of those that it had to let go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptStats {
    /// Another one after each start.
    pub run: String,
    /// Keys that it let go for want of memory, since its start.
    pub evicted: u64,
    /// Keys that it deleted because their time was over, since its start.
    pub expired: u64,
    /// Its `maxmemory`; 0 if it has none.
    pub limit_bytes: u64,
    /// What keys and values take, without what the server itself needs.
    pub data_bytes: u64,
    /// Its `maxmemory-policy`.
    pub policy: String,
    /// Replicas to which it has sent all its data, since its start. Older records do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_syncs: Option<u64>,
    /// The longest time for which each kind of work stopped it, in milliseconds (LATENCY LATEST).
    /// None if it does not watch that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalls_ms: Option<BTreeMap<String, u64>>,
}

/// The engine's figures for a node's container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerStats {
    pub node: NodeName,
    #[serde(flatten)]
    pub usage: Usage,
}

/// Counters are since the container's start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub memory_bytes: u64,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
}

/// What a step that moves slots has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    pub slots: u64,
    pub slots_total: u64,
    pub keys: u64,
    /// By MEMORY USAGE; `None` where servers move slots by themselves, and do not tell.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// How eagerly slots were to move, and how slow servers' answers to PING were meanwhile: what
/// the slowest twentieth of them took at least.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PaceKept {
    /// As a scenario has it: `fast`, `{ adds: 2ms }`.
    pub pace: String,
    /// While nothing moved. Null if the pace has no goal.
    pub floor_ms: Option<f64>,
    /// What they may take.
    pub goal_ms: Option<f64>,
    /// While slots moved, in the median tenth of a second. Null if they arrived sooner.
    pub answers_ms: Option<f64>,
    /// False if the goal was out of reach, at least for a time: slots then moved without rests.
    pub met: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub load: u8,
    /// The window's start; it lasts 100 ms.
    pub from: Nanos,
    /// Operations that ended in the window, and how.
    pub ok: u64,
    pub fail: u64,
    pub unknown: u64,
    /// Operations whose intended instant lies in the window.
    pub intended: u64,
    pub in_flight: u64,
    /// Latency of operations that ended ok, in nanoseconds from the intended instant.
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
    pub causes: BTreeMap<Cause, u64>,
    pub moved: u64,
    pub ask: u64,
    pub try_again: u64,
    pub reconnects: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Completed,
    Interrupted,
    Failed { error: String },
}

/// Receives events, in order.
pub trait Sink: Send {
    fn hear(&mut self, event: &Event);
}

/// Emits events. Cheap to clone. Emitting never blocks and never fails; events are dropped when
/// the receiver is gone.
#[derive(Clone, Debug)]
pub struct Teller {
    clock: Clock,
    events: mpsc::Sender<Event>,
}

impl Teller {
    pub fn new(clock: Clock) -> (Teller, mpsc::Receiver<Event>) {
        let (events, heard) = mpsc::channel();
        (Teller { clock, events }, heard)
    }

    pub fn clock(&self) -> Clock {
        self.clock
    }

    pub fn tell(&self, kind: EventKind) {
        // There may be no receiver any more. `or_unheard` belongs to `log`, which uses this module.
        drop(self.events.send(Event { at: self.clock.now(), kind }));
    }
}
