//! A fault's life: it is injected, holds for a time, and is undone.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all, ready};

use super::error::FaultError;
use super::hit::Hit;
use super::strains::{Strain, StrainHandle, Strains};
use crate::backend::{Backend, preload};
use crate::cluster::{DeployedGroup, Deployment};
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::Node;

/// How long servers have to follow before they are ended anyway.
const RELEASE: Duration = Duration::from_secs(1);

/// Where a fault is done.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    pub backend: &'a dyn Backend,
    pub deployment: &'a Deployment,
    /// The group whose nodes are meant.
    pub group: &'a DeployedGroup,
    pub strains: &'a Strains,
}

/// Something that can be done to nodes or links.
pub trait Fault: Send + Sync {
    /// Whether it must know who is primary, even where its target is a node's name.
    fn asks_for_roles(&self, _site: Site<'_>) -> bool {
        false
    }

    /// Nodes that it does something to besides those that are its target.
    fn also_hits(&self, _site: Site<'_>, _hit: &Hit) -> Vec<NodeName> {
        Vec::new()
    }

    /// Whether servers may end by themselves because of it.
    fn may_end_servers(&self) -> bool {
        false
    }

    /// Does it to all that it hits at once. What was done is to be undone even if something went
    /// wrong with one of them; the first error is given besides.
    fn inject<'f>(
        &'f self,
        site: Site<'f>,
        hit: &'f Hit,
    ) -> BoxFuture<'f, (ActiveFault, Option<FaultError>)>;

    /// Ends when what it has begun has taken place.
    fn takes_place<'f>(&'f self, _site: Site<'f>, _hit: &'f Hit) -> BoxFuture<'f, ()> {
        ready(()).boxed()
    }
}

/// What is to be undone of a fault, on one node or on links.
pub trait Undo: Send + Sync {
    /// Gives what a person should know of how it went meanwhile. What has been undone, or has
    /// ended by itself, is no error.
    fn undo<'u>(
        &'u mut self,
        backend: &'u dyn Backend,
    ) -> BoxFuture<'u, Result<Option<String>, FaultError>>;

    /// The server that is started again by it.
    fn starts(&self) -> Option<&NodeName> {
        None
    }

    /// Whether a server that it holds cannot end before it is undone.
    fn holds_server(&self) -> bool {
        false
    }
}

/// A fault that was injected.
#[derive(Default)]
pub struct ActiveFault {
    /// The nodes on which it was done.
    pub nodes: Vec<NodeName>,
    /// Servers among them that may end by themselves; they are started again when it is undone.
    pub may_end: Vec<NodeName>,
    /// What a person should know of how it was done.
    pub notes: Vec<String>,
    pub undo: Vec<Box<dyn Undo>>,
}

impl ActiveFault {
    /// Nothing of it is left to be undone.
    pub fn is_over(&self) -> bool {
        self.undo.is_empty()
    }

    /// These have left: they are not to be started again.
    pub fn forget(&mut self, gone: &[NodeName]) {
        self.undo.retain(|undo| undo.starts().is_none_or(|name| !gone.contains(name)));
        self.may_end.retain(|name| !gone.contains(name));
    }

    /// Gives what a person should know of how it went meanwhile. Undoing twice does nothing.
    ///
    /// # Errors
    /// The first server that could not be started, or go on, or does not follow; all have
    /// been tried.
    pub async fn undo(&mut self, backend: &dyn Backend) -> Result<Vec<String>, FaultError> {
        let undone = join_all(self.undo.iter_mut().map(|undo| undo.undo(backend))).await;
        let notes: Result<Vec<_>, _> = undone.into_iter().collect();
        Ok(notes?.into_iter().flatten().collect())
    }

    /// The servers that are started again when it is undone.
    pub fn starts(&self) -> Vec<NodeName> {
        self.undo.iter().filter_map(|undo| undo.starts().cloned()).collect()
    }

    /// Lets servers go on as fast as they can, so that they can end.
    pub async fn release(mut self, backend: &dyn Backend) {
        let held = self.undo.iter_mut().filter(|undo| undo.holds_server());
        let released = join_all(held.map(|undo| undo.undo(backend)));
        // Where a server does not answer, its end will be the end of this too.
        tokio::time::timeout(RELEASE, released).await.or_logged("undo all faults in time");
    }
}

/// What was done to one node: what is to be undone of it, and what is to be known.
#[derive(Default)]
pub struct Done {
    pub undo: Option<Box<dyn Undo>>,
    pub note: Option<String>,
}

impl Done {
    pub fn to_undo(undo: impl Undo + 'static) -> Done {
        Done { undo: Some(Box::new(undo)), note: None }
    }

    /// It did not take hold: what there is of it is undone.
    pub async fn take_back(&mut self, backend: &dyn Backend) {
        if let Some(undo) = &mut self.undo {
            undo.undo(backend).await.or_logged("undo a fault that failed");
        }
    }
}

/// Does the same to every node that is hit, at once.
pub async fn on_each<'h, F>(
    hit: &'h Hit,
    one: impl Fn(&'h NodeName) -> F,
) -> (ActiveFault, Option<FaultError>)
where
    F: Future<Output = Result<Done, FaultError>>,
{
    let all = join_all(hit.nodes.iter().map(one)).await;
    let (mut active, mut error) = (ActiveFault::default(), None);
    for (name, outcome) in hit.nodes.iter().zip(all) {
        match outcome {
            Ok(Done { undo, note }) => {
                active.nodes.push(name.clone());
                active.undo.extend(undo);
                active.notes.extend(note);
            }
            Err(e) => error = error.or(Some(e)),
        }
    }
    (active, error)
}

impl Site<'_> {
    /// The node, with connections of its own.
    pub fn node(&self, name: &NodeName) -> Result<Node, FaultError> {
        let found = self.group.all().find(|node| node.name == *name);
        found.map(Node::apart).ok_or_else(|| FaultError::NoNode(name.clone()))
    }

    /// Lays `strain` on a node that runs.
    pub async fn strain(&self, node: &Node, strain: Strain) -> Result<Done, FaultError> {
        Ok(Done::to_undo(self.strains.lay(self.backend, node, strain).await?))
    }

    /// The same by redrill's preload library, if the server has it.
    pub async fn strain_by_library(&self, node: &Node, strain: Strain) -> Result<Done, FaultError> {
        let mut done = self.strain(node, strain).await?;
        let pid = self.backend.pid(&node.name);
        if pid.and_then(preload::is_loaded_into) == Some(false) {
            done.take_back(self.backend).await;
            return Err(FaultError::NoLibrary(node.name.clone()));
        }
        Ok(done)
    }
}

impl Undo for StrainHandle {
    fn undo<'u>(
        &'u mut self,
        backend: &'u dyn Backend,
    ) -> BoxFuture<'u, Result<Option<String>, FaultError>> {
        self.end(backend).map(|ended| ended.map(|_| None)).boxed()
    }

    fn holds_server(&self) -> bool {
        true
    }
}
