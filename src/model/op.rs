//! Operations and their outcomes: the rows of a history.
//!
//! What an operation does to its key has one type for each family of keys, so that a checker takes
//! the family that it judges and nothing else can be said.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Nanos;
use super::words::words;

words! {
    /// The two ways in which a key is asked for, as probes do.
    pub enum Access {
        Read "read",
        Write "write",
    }
}

words! {
    /// Why an operation happened; only `Load` counts as load.
    #[derive(Default)]
    pub enum Purpose {
        /// Written before the load, so that reads find something.
        Fill "fill",
        #[default]
        Load "load",
        /// Read after everything has settled: the final state that checkers judge by.
        Final "final",
        /// What an instance did or saw by itself, for no client's operation.
        Beside "beside",
    }
}

/// Whether the server did it. In Jepsen's terms: ok, fail, info.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Ok,
    /// The server certainly did not do it.
    Fail(Cause),
    /// The server may have done it, now or later.
    Unknown(Cause),
}

words! {
    /// Why an operation did not end `Ok`. As text it follows a number: `401 timed out`.
    pub enum Cause {
        /// No connection: nothing was sent.
        Refused "refused",
        /// The connection broke after sending.
        ConnectionLost "connection_lost" => "lost their connection",
        /// No answer within the operation's time-out.
        Timeout "timeout" => "timed out",
        /// Redirected (MOVED, ASK) more often than the client follows.
        Redirects "redirects" => "redirected too often",
        /// -TRYAGAIN until the operation's time-out.
        TryAgain "try_again" => "TRYAGAIN to the end",
        ClusterDown "cluster_down" => "CLUSTERDOWN",
        Loading "loading" => "LOADING",
        ReadOnly "read_only" => "READONLY",
        /// -MASTERDOWN: a replica without its primary.
        MasterDown "master_down" => "MASTERDOWN",
        /// -OOM: the server's memory limit.
        OutOfMemory "out_of_memory" => "OOM",
        /// -MISCONF: it could not write to its disk.
        Misconf "misconf" => "MISCONF",
        /// -STANDBY: another group takes the writes.
        Standby "standby" => "STANDBY",
        /// -NOREPLICAS: fewer replicas than `min-replicas-to-write` asks for.
        NoReplicas "no_replicas" => "NOREPLICAS",
        /// Done, but fewer replicas said so (WAIT) than the load waits for.
        UnderReplicated "under_replicated" => "reached too few replicas",
        /// What was watched had been changed by somebody else (WATCH).
        Conflict "conflict" => "found that somebody was quicker",
        /// The origin behind a cache had no room for it.
        Overloaded "overloaded" => "refused by the origin",
        /// Never sent: as many operations as the load allows were in flight.
        Shed "shed" => "never sent",
        /// An error of the library behind an adapter, which tells it as text.
        Library "library" => "errors of the library",
        /// The answer of a canary lacks a write that was acknowledged, or was never written.
        DataLoss "data_loss" => "found data lost",
        /// Any other error reply.
        Other "other" => "other error replies",
        /// The origin behind a cache answered with an error.
        OriginFailed "origin_failed" => "failed at the origin",
        /// The load was over while a library still waited, which it was allowed to.
        CutOff "cut_off" => "cut off by the load's end",
        /// Some of its commands were carried out, and others failed.
        Partial "partial" => "carried out in part",
    }
}

/// What was done, with what it brought and what it found. An operation that did not end ok found
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Register(RegisterOp),
    Counter(CounterOp),
    Set(SetOp),
    Queue(QueueOp),
    Transfer(TransferOp),
    Lock(LockOp),
    Cache(CacheOp),
    Expiry(ExpiryOp),
}

/// On a key that holds what the last write left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegisterOp {
    /// What was found; none if there was no key.
    Read(Option<u64>),
    Write(u64),
    /// The value becomes `to` if it is `from`; none if there must be no key. A compare-and-set
    /// that finds another value is recorded as a read.
    Cas {
        from: Option<u64>,
        to: u64,
    },
}

/// On a key that is counted up by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CounterOp {
    /// The total; none if there was no key.
    Read(Option<u64>),
    /// The total that the increment came to.
    Add(Option<u64>),
}

/// On a key that is a set of elements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetOp {
    Insert(u64),
    /// All elements, as the server told them: one may stand twice. Only final reads keep them.
    Members(Box<[u64]>),
}

/// On a key that elements go into and come out of: a list, or a stream with a consumer group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueOp {
    /// The group of a stream's consumers is made, before the load.
    Open,
    Push(u64),
    /// What came out; none if the queue was empty.
    Pop(Option<u64>),
    /// An element of a stream, which came out before, has been dealt with.
    Ack(u64),
    /// All that was left at the end.
    Drain(Box<[u64]>),
}

/// On a bank: a key with several accounts, which are read and changed together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferOp {
    /// Each account gets so much, before the load.
    Open(Box<[i64]>),
    Move {
        from: u16,
        to: u16,
        amount: u32,
        /// They get as much as `to`, each.
        #[serde(default, skip_serializing_if = "is_default")]
        others: Box<[u16]>,
        /// One of its commands is on a key of another type, and fails.
        #[serde(default, skip_serializing_if = "is_default")]
        fails: bool,
    },
    /// What each account held.
    Balances(Box<[i64]>),
}

/// On a lock, and on the account that it guards. `token` names the session that wants it, or has
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockOp {
    /// A try to get it, alone or as one of several readers.
    Acquire {
        token: u64,
        #[serde(default, skip_serializing_if = "is_default")]
        shared: bool,
        /// The fencing token that came with it, 0 if it has none; nothing if somebody else has it.
        got: Option<u64>,
    },
    /// The session stands in line until it is its turn, or for a while.
    Wait { token: u64, woken: bool },
    /// The lease begins anew, if the session has it still.
    Extend { token: u64, held: bool },
    /// It is given back, if the session has it still.
    Release { token: u64, held: bool },
    /// It is given back because the load had found the session in a deadlock at the instant
    /// `found`. The session begins anew, with another token.
    Abort { token: u64, held: bool, found: Nanos },
    /// What the account held; none if nothing was ever written.
    Read { token: u64, balance: Option<u64> },
    /// `taken` says no if the account had heard of a newer fencing token.
    Write { token: u64, balance: u64, fence: u64, taken: bool },
}

/// On an entity of an origin, of which caches keep copies. Its versions count from 1, which is there
/// from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheOp {
    Read {
        /// What was found; none if nothing was, or what no origin ever had.
        version: Option<u64>,
        from: FoundIn,
        /// From when until when this client asked the origin itself.
        #[serde(default, skip_serializing_if = "is_default")]
        asked: Option<(Nanos, Nanos)>,
        /// Until when the copy may be served that was found, or was left in the farthest layer.
        #[serde(default, skip_serializing_if = "is_default")]
        kept: Option<Nanos>,
        /// When it was seen that the copy under the entity's name is another one's.
        #[serde(default, skip_serializing_if = "is_default")]
        met: Option<Nanos>,
    },
    /// What the origin has since `at`, whether the client heard of it or not. Version 0 is none: the
    /// origin did not take it.
    Write {
        version: u64,
        at: Nanos,
        /// How many commands were sent to the group for it; none if nobody counts them.
        #[serde(default, skip_serializing_if = "is_default")]
        commands: Option<u32>,
    },
    /// The instance had a copy in its memory, or its host had one, and could answer with it from
    /// `sent` to `done`.
    Held {
        version: u64,
        ended: Ended,
        #[serde(default, skip_serializing_if = "is_default")]
        in_host: bool,
    },
    /// The instance had acknowledged it, and ended before the origin had it.
    Lost { version: u64 },
    /// Copies that the instance left in the group or found there, since it last said so: how many,
    /// their bytes, and for how long it encoded and decoded them.
    Coded { copies: u64, bytes: u64, nanos: u64 },
    /// What the instance found at `done` in the place of the entity's copy is none, or is not what
    /// was written.
    Broken,
    /// A step, the load's one of that number, made sure from `sent` to `done` that the group has a
    /// copy. `left` is what it left there itself: the version, and until when it may be served.
    Warmed {
        step: u32,
        has: bool,
        #[serde(default, skip_serializing_if = "is_default")]
        left: Option<(u64, Nanos)>,
    },
    /// The instance did not ask the group from `sent` to `done`: its circuit breaker was open.
    Guarded,
    /// Once the load had ended, the instance compared its copies, and its share of the group's, with
    /// the origin, until none was older or it gave up; so many were older then. None if it could not
    /// ask the group.
    Swept { older: Option<u64> },
}

/// On a key that is there for a time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpiryOp {
    /// The key has this value from now on, for so long.
    Set { value: u64, lives: Nanos },
    /// Whether it still has it. The value found is another one's if somebody else set the key since.
    Look {
        value: u64,
        /// When its time is over, at the latest.
        ends: Nanos,
        /// Whether a replica was asked.
        #[serde(default, skip_serializing_if = "is_default")]
        replica: bool,
        found: Option<u64>,
    },
}

words! {
    /// How a copy's time in the memory of a process ended.
    #[derive(Default)]
    pub enum Ended {
        /// Its own time was over.
        Expired "expired",
        /// The process heard of a change, or had to assume one.
        Invalidated "invalidated",
        /// There was no room.
        Evicted "evicted",
        /// Another copy took its place.
        Replaced "replaced",
        /// Not before the load's end.
        #[default]
        Open "open",
        /// The process ended.
        Lost "lost",
    }
}

words! {
    /// Where a version of an entity was found.
    #[derive(Default)]
    pub enum FoundIn {
        /// In the memory of the client's own process.
        Process "process",
        /// In the servers of the load's group.
        Group "group",
        #[default]
        Origin "origin",
        /// Another client asked the origin, and this one waited for that.
        Other "other",
        /// In what the processes of its host have in common.
        Host "host",
        /// In the servers of a group that stands before the load's.
        NearGroup "near-group",
    }
}

impl LockOp {
    /// Tokens of one session differ in these bits.
    const TRIES: u64 = 0xFF << 32;

    /// The session whose token that is. It takes another one when what it sent with the last one may
    /// still arrive.
    pub fn session(&self) -> u64 {
        self.token() & !LockOp::TRIES
    }

    /// The token after `token` of the same session; none if there are no more.
    pub fn next_token(token: u64) -> Option<u64> {
        (token & LockOp::TRIES != LockOp::TRIES).then_some(token + (1 << 32))
    }

    /// With which it asks, and by which the lock knows it.
    pub fn token(&self) -> u64 {
        match *self {
            LockOp::Acquire { token, .. }
            | LockOp::Wait { token, .. }
            | LockOp::Extend { token, .. }
            | LockOp::Release { token, .. }
            | LockOp::Abort { token, .. }
            | LockOp::Read { token, .. }
            | LockOp::Write { token, .. } => token,
        }
    }

    /// With the number that the server told, or that it told none.
    pub fn told(self, number: Option<u64>) -> LockOp {
        let yes = number.is_some_and(|number| number > 0);
        match self {
            LockOp::Acquire { token, shared, .. } => LockOp::Acquire { token, shared, got: number },
            LockOp::Wait { token, .. } => LockOp::Wait { token, woken: yes },
            LockOp::Extend { token, .. } => LockOp::Extend { token, held: yes },
            LockOp::Release { token, .. } => LockOp::Release { token, held: yes },
            LockOp::Abort { token, found, .. } => LockOp::Abort { token, held: yes, found },
            LockOp::Read { token, .. } => LockOp::Read { token, balance: number },
            LockOp::Write { token, balance, fence, .. } => {
                LockOp::Write { token, balance, fence, taken: yes }
            }
        }
    }
}

impl Action {
    /// What was done, in a word, without what it found.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Register(RegisterOp::Read(_)) | Action::Counter(CounterOp::Read(_)) => "read",
            Action::Register(RegisterOp::Write(_)) => "write",
            Action::Register(RegisterOp::Cas { .. }) => "compare-and-set",
            Action::Counter(CounterOp::Add(_)) => "increment",
            Action::Set(SetOp::Insert(_)) => "insert",
            Action::Set(SetOp::Members(_)) => "members",
            Action::Queue(QueueOp::Open) | Action::Transfer(TransferOp::Open(_)) => "open",
            Action::Queue(QueueOp::Push(_)) => "push",
            Action::Queue(QueueOp::Pop(_)) => "pop",
            Action::Queue(QueueOp::Ack(_)) => "acknowledge",
            Action::Queue(QueueOp::Drain(_)) => "drain",
            Action::Transfer(TransferOp::Move { .. }) => "transfer",
            Action::Transfer(TransferOp::Balances(_)) => "balances",
            Action::Lock(LockOp::Acquire { .. }) => "acquire",
            Action::Lock(LockOp::Wait { .. }) => "wait",
            Action::Lock(LockOp::Extend { .. }) => "extend",
            Action::Lock(LockOp::Release { .. }) => "release",
            Action::Lock(LockOp::Abort { .. }) => "abort",
            Action::Lock(LockOp::Read { .. }) | Action::Cache(CacheOp::Read { .. }) => "read",
            Action::Lock(LockOp::Write { .. }) | Action::Cache(CacheOp::Write { .. }) => "write",
            Action::Cache(CacheOp::Held { .. }) => "held",
            Action::Cache(CacheOp::Lost { .. }) => "lost",
            Action::Cache(CacheOp::Coded { .. }) => "coded",
            Action::Cache(CacheOp::Broken) => "broken",
            Action::Cache(CacheOp::Guarded) => "guarded",
            Action::Cache(CacheOp::Warmed { .. }) => "warmed",
            Action::Expiry(ExpiryOp::Set { .. }) => "set",
            Action::Expiry(ExpiryOp::Look { .. }) => "look",
            Action::Cache(CacheOp::Swept { .. }) => "swept",
        }
    }

    /// How it asks for its key, whatever came of it.
    pub fn access(&self) -> Access {
        let reads = match self {
            Action::Register(action) => matches!(action, RegisterOp::Read(_)),
            Action::Counter(action) => matches!(action, CounterOp::Read(_)),
            Action::Set(action) => matches!(action, SetOp::Members(_)),
            Action::Queue(action) => matches!(action, QueueOp::Drain(_)),
            Action::Transfer(action) => matches!(action, TransferOp::Balances(_)),
            Action::Lock(action) => matches!(action, LockOp::Read { .. }),
            Action::Cache(action) => !matches!(action, CacheOp::Write { .. }),
            Action::Expiry(action) => matches!(action, ExpiryOp::Look { .. }),
        };
        if reads { Access::Read } else { Access::Write }
    }

    /// How the session asks that it ends. Who looks at a key that has an end has set it before.
    pub fn access_of_session(&self) -> Access {
        match self {
            Action::Expiry(_) => Access::Write,
            Action::Register(_)
            | Action::Counter(_)
            | Action::Set(_)
            | Action::Queue(_)
            | Action::Transfer(_)
            | Action::Lock(_)
            | Action::Cache(_) => self.access(),
        }
    }

    /// Whether it changed something, if it ended ok.
    pub fn changed(&self) -> bool {
        let nothing = match self {
            Action::Queue(QueueOp::Pop(None)) => true,
            Action::Lock(LockOp::Acquire { got, .. }) => got.is_none(),
            Action::Lock(
                LockOp::Extend { held, .. }
                | LockOp::Release { held, .. }
                | LockOp::Abort { held, .. },
            ) => !held,
            Action::Lock(LockOp::Wait { woken, .. }) => !woken,
            Action::Lock(LockOp::Write { taken, .. }) => !taken,
            _ => false,
        };
        self.access() == Access::Write && !nothing
    }

    /// The value that it leaves in a register, if it ends ok.
    pub fn written(&self) -> Option<u64> {
        match self {
            Action::Register(RegisterOp::Write(value) | RegisterOp::Cas { to: value, .. }) => {
                Some(*value)
            }
            Action::Register(RegisterOp::Read(_))
            | Action::Counter(_)
            | Action::Set(_)
            | Action::Queue(_)
            | Action::Transfer(_)
            | Action::Lock(_)
            | Action::Cache(_)
            | Action::Expiry(_) => None,
        }
    }
}

/// Redirects that an operation met on its way, whatever its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirects {
    #[serde(default, skip_serializing_if = "is_default")]
    pub moved: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub ask: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub try_again: u16,
}

/// The process of a write that stands for what a key held at the beginning. Only histories from
/// elsewhere have some.
pub const BEGINNING: u32 = u32::MAX;

/// One operation of a load, as `history.jsonl.zst` holds it, one a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Index of the load in the scenario.
    pub load: u8,
    /// The load whose keys it uses, if they are not its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shares: Option<u8>,
    /// Which of the load's application instances did it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub instance: u16,
    /// The logical client, whose number no other has among loads that share keys: it never has
    /// two operations at once on one group, and none after an outcome [`Outcome::Unknown`].
    pub process: u32,
    /// Of a session of several operations: which one it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub part: Option<Part>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub purpose: Purpose,
    /// On which of its load's groups, from 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub group: u8,
    /// The key's number; its name on the server is [`key_name`].
    pub key: u64,
    pub action: Action,
    /// Who answered: an index among the nodes of that group, as the first event counts them, or
    /// [`OWN_MEMORY`]. None if nobody did, or the client does not tell.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: Option<u16>,
    /// When it was due: the session's own instant, or when the operation before it let it go on.
    /// Latency counts from here.
    pub intended: Nanos,
    /// When it was sent.
    pub sent: Nanos,
    /// When its answer (or error, or time-out) came.
    pub done: Nanos,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "is_default")]
    pub redirects: Redirects,
}

/// An operation's part in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The session's number in the load, among those of several operations.
    pub session: u64,
    /// Its stage in the session, from 0. Operations of one stage were sent at once.
    pub step: u32,
    /// When the schedule wanted the session to begin.
    pub began: Nanos,
    /// How late redrill sent the stages before, all in all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub late: Nanos,
    /// Whether the session ended with it. Of a stage of several, with the one that went worst,
    /// or else ended last; of a lock on several servers, with the one that made the quorum.
    pub last: bool,
}

impl Op {
    /// An operation of the first client of the first load that was sent in time and ended ok.
    pub fn new(key: u64, action: Action, sent: Nanos, done: Nanos) -> Op {
        Op {
            load: 0,
            shares: None,
            instance: 0,
            process: 0,
            part: None,
            purpose: Purpose::Load,
            group: 0,
            key,
            action,
            by: None,
            intended: sent,
            sent,
            done,
            outcome: Outcome::Ok,
            redirects: Redirects::default(),
        }
    }

    /// When its session was to begin: users wait from there on.
    pub fn began(&self) -> Nanos {
        self.part.map_or(self.intended, |part| part.began)
    }

    /// How late redrill sent the stages of its session that came before, all in all.
    pub fn late_before(&self) -> Duration {
        self.part.map_or(Duration::ZERO, |part| part.late.elapsed())
    }

    /// Whether its session ended with it.
    pub fn ends_session(&self) -> bool {
        self.part.is_none_or(|part| part.last)
    }

    /// The load whose key it is. With the key's number it says which key that is.
    pub fn keyspace(&self) -> u8 {
        self.head().keyspace()
    }

    pub fn head(&self) -> OpHead {
        OpHead { load: self.load, shares: self.shares, key: self.key }
    }
}

/// Which load did an operation, and on which key: enough to see that it is of no concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpHead {
    pub load: u8,
    pub shares: Option<u8>,
    pub key: u64,
}

impl OpHead {
    pub fn keyspace(self) -> u8 {
        self.shares.unwrap_or(self.load)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// In the place of a node that answered: the instance's own memory did.
pub const OWN_MEMORY: u16 = u16::MAX;

/// The name on the server of key number `key` of the load `load`.
pub fn key_name(load: &str, key: u64) -> String {
    format!("{load}:{key}")
}

/// What the names of all keys of the load `load` begin with.
pub fn key_prefix(load: &str) -> String {
    format!("{load}:")
}
