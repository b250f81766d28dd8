//! Why a fault could not be injected, or not be undone.

use std::time::Duration;

use super::sides::NoLinks;
use super::target::NoTarget;
use crate::backend::BackendError;
use crate::model::NodeName;
use crate::model::op::Cause;
use crate::node::NodeError;

#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    #[error("{0} is down already")]
    Down(NodeName),
    #[error("the load `{0}` is no cache; this is a bug in redrill")]
    NoCache(String),
    #[error("the entities of `{load}` were not changed, or not all copies are gone: {cause}")]
    NotChanged { load: String, cause: Cause },
    #[error("there is no node {0}")]
    NoNode(NodeName),
    #[error("{0} has no live primary that could hand over: write `force: takeover`")]
    NoPrimary(NodeName),
    #[error(
        "{0} does not know FAILOVER, which came with Redis 6.2: write `force: takeover`, or run a \
         newer server"
    )]
    NoFailover(NodeName),
    #[error("{name} is not primary {} s later{}", waited.as_secs(), if *aborted { "; its primary has gone on" } else { "" })]
    NotTaken { name: NodeName, waited: Duration, aborted: bool },
    #[error(
        "{by} has named no other primary of `{group}` {} s after SENTINEL FAILOVER",
        waited.as_secs()
    )]
    NoneElected { by: NodeName, group: String, waited: Duration },
    #[error("no node leads the group `{0}` now")]
    NoHead(String),
    #[error("no node leads shard {shard} of `{group}` now")]
    NoShardHead { group: String, shard: u32 },
    #[error("{0} cannot take the writes over: no other group takes them")]
    NoSource(NodeName),
    #[error("{0} and {1} both take writes of the same data: nobody can have all of both")]
    SeveralSources(NodeName, NodeName),
    #[error(
        "{name} has not copied all data after {} s, and writes go on where they were",
        waited.as_secs()
    )]
    NotCopied { name: NodeName, waited: Duration },
    #[error(
        "within {} s not everything was carried to {name}, so writes go on where they were: look at the \
         replicators",
        waited.as_secs()
    )]
    NotCarried { name: NodeName, waited: Duration },
    #[error(
        "another step has decided meanwhile who takes the writes of shard {shard}{}",
        match by.as_str() { "" => String::new(), by => format!(": `{by}`") }
    )]
    Overtaken { shard: u32, by: String },
    #[error("{0} is a replica, and takes no notice of `maxmemory` (`replica-ignore-maxmemory`)")]
    IgnoresMemory(NodeName),
    #[error(
        "the server of {0} has not loaded redrill's preload library: it is statically linked, or \
         built for another processor"
    )]
    NoLibrary(NodeName),
    #[error("the clock of {0} has not moved: its server does not have redrill's preload library")]
    ClockStays(NodeName),
    #[error("the nodes are not linked by a relay; this is a bug in redrill")]
    NoRelay,
    #[error(transparent)]
    NoTarget(#[from] NoTarget),
    #[error(transparent)]
    NoLinks(#[from] NoLinks),
    #[error(transparent)]
    Backend(BackendError),
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl FaultError {
    /// Whether something was not seen, or did not happen, in time.
    pub fn is_of_time(&self) -> bool {
        match self {
            FaultError::NotTaken { .. }
            | FaultError::NoneElected { .. }
            | FaultError::NotChanged { .. }
            | FaultError::NotCopied { .. }
            | FaultError::NotCarried { .. }
            | FaultError::NoHead(_)
            | FaultError::NoShardHead { .. }
            | FaultError::NoSource(_)
            | FaultError::ClockStays(_)
            | FaultError::NoTarget(_)
            | FaultError::NoLinks(_)
            | FaultError::Backend(BackendError::Undying { .. }) => true,
            FaultError::Node(error) => error.is_silence(),
            FaultError::Down(_)
            | FaultError::NoNode(_)
            | FaultError::NoCache(_)
            | FaultError::NoPrimary(_)
            | FaultError::SeveralSources(..)
            | FaultError::Overtaken { .. }
            | FaultError::NoFailover(_)
            | FaultError::IgnoresMemory(_)
            | FaultError::NoLibrary(_)
            | FaultError::NoRelay
            | FaultError::Backend(_) => false,
        }
    }
}

impl From<BackendError> for FaultError {
    fn from(error: BackendError) -> FaultError {
        match error {
            BackendError::NotRunning { name } => FaultError::Down(name),
            other => FaultError::Backend(other),
        }
    }
}
