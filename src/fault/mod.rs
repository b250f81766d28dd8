//! What can be done to nodes and to the [`links`] between them, and how it is undone.
//!
//! [`target`] says which nodes a scenario means by their roles at that moment;
//! [`inject`] does it to them all at once and hands back what undoes it. Undoing twice,
//! or what time has undone already, does nothing.

mod failover;
mod kill;
pub mod links;
mod pause;
mod restart;
mod stop;
pub mod target;

use futures::future::join_all;

use crate::backend::{Backend, BackendError, Data};
use crate::model::NodeName;
use crate::node::{Node, NodeError};
use crate::spec::scenario::NodeFault;

/// Where faults are done.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    pub backend: &'a dyn Backend,
    /// All nodes of the group.
    pub nodes: &'a [Node],
}

#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    #[error("{0} is down already")]
    Down(NodeName),
    #[error("there is no node {0}")]
    NoNode(NodeName),
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

/// What a fault left to be undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// To be started again with their data.
    ended: Vec<NodeName>,
    paused: Vec<NodeName>,
}

/// Does `fault` to every node of `on`. What was done is to be undone even if something
/// went wrong with one of them; the first error is given besides.
pub async fn inject(
    field: Field<'_>,
    fault: NodeFault,
    on: &[NodeName],
) -> (Undo, Option<FaultError>) {
    let each = on.iter().map(|name| async move {
        let done = match fault {
            NodeFault::Kill { .. } => kill::kill(field, name).await,
            NodeFault::Stop { .. } => stop::stop(field, name).await,
            NodeFault::Pause { .. } => pause::pause(field, name).await,
            NodeFault::Restart { data } => restart::restart(field, name, data).await,
            NodeFault::Failover { force } => failover::failover(field, name, force).await,
        };
        done.map(|()| name.clone())
    });
    let (mut done, mut error) = (Vec::new(), None);
    for outcome in join_all(each).await {
        match outcome {
            Ok(name) => done.push(name),
            Err(e) => error = error.or(Some(e)),
        }
    }
    let undo = match fault {
        NodeFault::Kill { .. } | NodeFault::Stop { .. } => Undo { ended: done, paused: vec![] },
        NodeFault::Pause { .. } => Undo { paused: done, ended: vec![] },
        NodeFault::Restart { .. } | NodeFault::Failover { .. } => Undo::default(),
    };
    (undo, error)
}

impl Undo {
    pub fn is_nothing(&self) -> bool {
        *self == Undo::default()
    }

    /// # Errors
    /// The first server that could not be started, or go on; all have been tried.
    pub async fn undo(&self, backend: &dyn Backend) -> Result<(), BackendError> {
        let started = self.ended.iter().map(|name| backend.start_again(name, Data::Kept));
        let started = join_all(started).await.into_iter();
        let resumed = self.paused.iter().map(|name| backend.resume(name));
        let resumed = join_all(resumed).await.into_iter();
        started.chain(resumed).try_for_each(undone_before)
    }

    /// Lets paused servers go on, so that they can end.
    pub async fn release(&self, backend: &dyn Backend) {
        join_all(self.paused.iter().map(|name| backend.resume(name))).await;
    }
}

/// Another step has undone it, or the server has ended since.
fn undone_before(outcome: Result<(), BackendError>) -> Result<(), BackendError> {
    match outcome {
        Err(BackendError::Running { .. } | BackendError::NotRunning { .. }) => Ok(()),
        other => other,
    }
}

impl Field<'_> {
    fn node(&self, name: &NodeName) -> Result<&Node, FaultError> {
        let found = self.nodes.iter().find(|node| node.name == *name);
        found.ok_or_else(|| FaultError::NoNode(name.clone()))
    }
}
