//! Applied can be done to nodes and to the [`links`] between them, and how it is undone.
//!
//! [`target`] says which nodes a scenario means by their roles at that moment;
//! [`inject`] does it to them all at once and hands back what undoes it. Undoing twice,
//! or what time has undone already, does nothing.

mod active;
mod clock;
mod disk;
mod failover;
mod kill;
mod handover;
pub mod links;
mod memory;
mod pause;
mod restart;
mod sleep;
mod slow;
mod stop;
pub mod target;

use std::time::Duration;

use futures::future::join_all;

use crate::backend::{Backend, BackendError, Data};
use crate::cluster::DeployedGroup;
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::{Node, NodeError};
use crate::spec::hardship::Hardship;
use crate::spec::scenario::NodeFault;

pub use active::ActiveFaults;
pub use failover::follows;

/// For servers to follow, before they are ended anyway.
const RELEASE: Duration = Duration::from_secs(1);

/// Where faults are done.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    pub backend: &'a dyn Backend,
    /// Whose nodes are meant.
    pub group: &'a DeployedGroup,
    /// Applied nodes of all groups have to bear.
    pub active: &'a ActiveFaults,
}

#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    #[error("{0} is down already")]
    Down(NodeName),
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
    #[error("{0} is a replica, and takes no notice of `maxmemory` (`replica-ignore-maxmemory`)")]
    IgnoresMemory(NodeName),
    #[error(
        "the server of {0} has not loaded redrill's preload library: it is statically linked, or \
         built for another processor"
    )]
    NoLibrary(NodeName),
    #[error("the clock of {0} has not moved: its server does not have redrill's preload library")]
    ClockStays(NodeName),
    #[error(transparent)]
    Backend(BackendError),
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl From<BackendError> for FaultError {
    fn from(error: BackendError) -> FaultError {
        match error {
            BackendError::NotRunning { name } => FaultError::Down(name),
            other => FaultError::Backend(other),
        }
    }
}

/// Applied a fault left to be undone.
#[derive(Clone, Debug, Default)]
pub struct Undo {
    /// To be started again with their data.
    ended: Vec<NodeName>,
    borne: Vec<active::FaultHandle>,
    /// Servers that may have ended by themselves for want of room.
    full_disks: Vec<NodeName>,
}

/// Does `fault` to every node of `on`. Applied was done is to be undone even if something
/// went wrong with one of them; the first error is given besides.
pub async fn inject(
    field: Field<'_>,
    fault: NodeFault,
    on: &[NodeName],
) -> (Undo, Option<FaultError>) {
    let each = on.iter().map(|name| async move {
        let mut borne = None;
        match fault {
            NodeFault::Bear { hardship, .. } => {
                borne = Some(field.active.lay(field, &field.node(name)?, hardship).await?);
            }
            NodeFault::Pause { .. } => borne = Some(pause::pause(field, name).await?),
            NodeFault::Kill { .. } => kill::kill(field, name).await?,
            NodeFault::Stop { .. } => stop::stop(field, name).await?,
            NodeFault::Restart { data } => restart::restart(field, name, data).await?,
            NodeFault::Failover { force } => failover::failover(field, name, force).await?,
        }
        Ok((name.clone(), borne))
    });
    let (mut done, mut borne, mut error) = (Vec::new(), Vec::new(), None);
    for outcome in join_all(each).await {
        match outcome {
            Ok((name, id)) => {
                done.push(name);
                borne.extend(id);
            }
            Err(e) => error = error.or(Some(e)),
        }
    }
    let undo = match fault {
        NodeFault::Kill { .. } | NodeFault::Stop { .. } => Undo { ended: done, ..Undo::default() },
        NodeFault::Bear { hardship: Hardship::DiskFull { .. }, .. } => {
            Undo { borne, full_disks: done, ..Undo::default() }
        }
        NodeFault::Bear { .. } | NodeFault::Pause { .. } => Undo { borne, ..Undo::default() },
        NodeFault::Restart { .. } | NodeFault::Failover { .. } => Undo::default(),
    };
    (undo, error)
}

impl Undo {
    /// These have left: they are not to be started again.
    pub fn forget(&mut self, gone: &[NodeName]) {
        self.ended.retain(|name| !gone.contains(name));
        self.full_disks.retain(|name| !gone.contains(name));
    }

    pub fn is_nothing(&self) -> bool {
        self.ended.is_empty() && self.borne.is_empty()
    }

    /// Gives what a person should know of how it went meanwhile.
    ///
    /// # Errors
    /// The first server that could not be started, or go on, or does not follow; all have
    /// been tried.
    pub async fn undo(
        &self,
        backend: &dyn Backend,
        active: &ActiveFaults,
    ) -> Result<Vec<String>, FaultError> {
        let started = self.ended.iter().map(|name| backend.start_again(name, Data::Kept));
        let started = join_all(started).await.into_iter().try_for_each(undone_before);
        let ended = self.borne.iter().map(|id| active.end(backend, id));
        let ended: Result<Vec<_>, _> = join_all(ended).await.into_iter().collect();
        started?;
        Ok(ended?.into_iter().flatten().collect())
    }

    /// Servers that are started again.
    pub fn started(&self) -> &[NodeName] {
        &self.ended
    }

    /// Servers that may have ended by themselves, and are then to be started again.
    pub fn full_disks(&self) -> &[NodeName] {
        &self.full_disks
    }

    /// Lets servers go on as fast as they can, so that they can end.
    pub async fn release(&self, backend: &dyn Backend, active: &ActiveFaults) {
        let ended = join_all(self.borne.iter().map(|id| active.end(backend, id)));
        // Where a server does not answer, its end will be the end of this too.
        tokio::time::timeout(RELEASE, ended).await.or_logged("undo all faults in time");
    }
}

/// Another step has started it.
fn undone_before(outcome: Result<(), BackendError>) -> Result<(), BackendError> {
    match outcome {
        Err(BackendError::Running { .. }) => Ok(()),
        other => other,
    }
}

impl Field<'_> {
    fn node(&self, name: &NodeName) -> Result<Node, FaultError> {
        let found = self.group.all().find(|node| node.name == *name);
        found.map(Node::apart).ok_or_else(|| FaultError::NoNode(name.clone()))
    }
}
