//! Honest load: logical clients that do operations of one workload on a fixed
//! schedule, and a record of every one of them.
//!
//! The load is an *open loop*, unless it is closed by its clients. Operation `n` is intended at an instant that follows from `n` alone
//! (`start + n / rate` if the rate is steady), whatever became of the operations before it, and its latency counts from
//! that instant. A server that stalls for a second therefore shows as a second
//! of latency for all that should have happened meanwhile. A closed loop, where
//! a client sends its next request only after the last answer, sends nothing
//! while the server stalls and so leaves the stall out of its own figures; Gil
//! Tene named that *coordinated omission*.
//!
//! The parts, in the order in which an operation meets them:
//!
//! - `tally::Schedule`: when operation `n` is intended.
//! - `workload`: what it is: seeded, so that a seed always gives the same load. One file for
//!   each workload, with what its clients remember.
//! - `wake::Alarm`: waking up at that instant, to some tens of microseconds.
//! - `processes`: which logical client does it.
//! - `client`: doing it, and saying truthfully what came of it.
//! - `cache`: reading and writing through layers of copies before an origin, as one operation.
//! - `waits_for`: which sessions wait for each other, of those that take several locks.
//! - `tally`: figures for every window of 100 ms.
//! - [`history`]: the operation itself, as one line of `history.jsonl.zst`.
//!
//! `open` and `closed` decide when sessions begin, and `running` counts those that are under way.
//! `sweep` fills the keys before a load and reads them after it, and [`LoadRunner`] runs all that in
//! a thread of its own. [`saturate`] is for the bench only.

pub(crate) mod cache;
mod closed;
mod context;
pub(crate) mod client;
pub mod history;
mod open;
mod processes;
mod runner;
mod running;
pub mod saturate;
mod sweep;
mod tally;
mod waits_for;
pub(crate) mod workload;

pub use cache::{Application, Applications, Origin, applications, time_near_hits};
pub use runner::{LoadError, LoadRunner};
pub use sweep::FinalRead;
pub use tally::Totals;
pub use waits_for::WaitsFor;

use std::net::{IpAddr, SocketAddr};

use crate::model::Password;
use crate::sync::shard::Shard;

/// What a load is put on.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Whom to ask first: nodes, or the sentinels that watch them. Others are learned from
    /// them.
    pub seeds: Vec<SocketAddr>,
    pub lookup: Lookup,
    /// The nodes of the group, in the order in which the history counts them. Clients connect to
    /// these and the seeds only. A drill names them all; where there are none, clients go wherever
    /// servers send them.
    pub nodes: Vec<SocketAddr>,
    /// The addresses to connect from, by which a relay knows whose connections they are: one for
    /// each instance, or one for all; any, if there is none.
    pub from: Vec<IpAddr>,
    /// The same of the connections on which an instance is told of changes: one for each, or none.
    pub told_at: Vec<IpAddr>,
    /// What all of them ask of clients.
    pub password: Option<Password>,
}

impl Targets {
    /// The address from which an instance connects.
    pub(crate) fn from(&self, instance: u16) -> Option<IpAddr> {
        self.from.get(usize::from(instance)).or(self.from.first()).copied()
    }

    /// The address from which an instance connects to be told of changes.
    pub(crate) fn told_at(&self, instance: u16) -> Option<IpAddr> {
        self.told_at.get(usize::from(instance)).copied().or_else(|| self.from(instance))
    }
}

/// How clients find the node that has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// CLUSTER SLOTS of any node.
    Cluster,
    /// All keys are at the primary, which any node names: ROLE.
    Primary,
    /// The same, but the sentinels are asked for the primary of the group of this name
    /// (SENTINEL GET-MASTER-ADDR-BY-NAME), and tell of a new one (`+switch-master`).
    Sentinels(String),
    /// The same as with a cluster, of several, each by its name with those to ask first. One of
    /// them takes the writes of a shard, as its term says.
    Standby { groups: Vec<(String, Vec<SocketAddr>)>, shards: Vec<Shard> },
}
