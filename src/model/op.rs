//! Operations and their outcomes: the rows of a history.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::action::{Action, CounterOp, QueueOp, RegisterOp, SetOp, TransferOp};
use super::clock::Nanos;

/// The two ways in which a key is asked for, as probes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    Read,
    Write,
}

/// Why an operation happened; only `Load` counts as load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Written before the load, so that reads find something.
    Fill,
    #[default]
    Load,
    /// Read after everything has settled: the final state that checkers judge by.
    Final,
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

/// Why an operation did not end `Ok`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No connection: nothing was sent.
    Refused,
    /// The connection broke after sending.
    ConnectionLost,
    /// No answer within the operation's time-out.
    Timeout,
    /// Redirected (MOVED, ASK) more often than the client follows.
    Redirects,
    /// -TRYAGAIN until the operation's time-out.
    TryAgain,
    ClusterDown,
    Loading,
    ReadOnly,
    /// -MASTERDOWN: a replica without its primary.
    MasterDown,
    /// -OOM: the server's memory limit.
    OutOfMemory,
    /// -MISCONF: it could not write to its disk.
    Misconf,
    /// -NOREPLICAS: fewer replicas than `min-replicas-to-write` asks for.
    NoReplicas,
    /// Done, but fewer replicas said so (WAIT) than the load waits for.
    UnderReplicated,
    /// What was watched had been changed by somebody else (WATCH).
    Conflict,
    /// Never sent: as many operations as the load allows were in flight.
    Shed,
    /// An error of the library behind an adapter, which tells it as text.
    Library,
    /// Any other error reply.
    Other,
}

impl fmt::Display for Cause {
    /// As it follows a number: `401 timed out`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Refused => "refused",
            Cause::ConnectionLost => "lost their connection",
            Cause::Timeout => "timed out",
            Cause::Redirects => "redirected too often",
            Cause::TryAgain => "TRYAGAIN to the end",
            Cause::ClusterDown => "CLUSTERDOWN",
            Cause::Loading => "LOADING",
            Cause::ReadOnly => "READONLY",
            Cause::MasterDown => "MASTERDOWN",
            Cause::OutOfMemory => "OOM",
            Cause::Misconf => "MISCONF",
            Cause::NoReplicas => "NOREPLICAS",
            Cause::UnderReplicated => "reached too few replicas",
            Cause::Conflict => "found that somebody was quicker",
            Cause::Shed => "never sent",
            Cause::Library => "errors of the library",
            Cause::Other => "other error replies",
        })
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
    /// The logical client, whose number no other has among loads that share keys: it never has two operations at once, and never
    /// another one after an outcome [`Outcome::Unknown`].
    pub process: u32,
    /// Of a session of several operations: which one it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub part: Option<Part>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub purpose: Purpose,
    /// The key's number; its name on the server is [`key_name`].
    pub key: u64,
    pub action: Action,
    /// Who answered: an index among the nodes of the load's group, as the first event counts
    /// them. None if nobody did, or the client does not tell.
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
    /// The operations of the session before this one.
    pub step: u32,
    /// When the schedule wanted the session to begin.
    pub began: Nanos,
    /// Whether the session ended with it.
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

    /// Whether its session ended with it.
    pub fn ends_session(&self) -> bool {
        self.part.is_none_or(|part| part.last)
    }

    /// The load whose key it is. With the key's number it says which key that is.
    pub fn keyspace(&self) -> u8 {
        self.shares.unwrap_or(self.load)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The name on the server of key number `key` of the load `load`.
pub fn key_name(load: &str, key: u64) -> String {
    format!("{load}:{key}")
}
