//! The life of a fault: it is injected, is active for a time, and is undone.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all, ready};

use super::error::FaultError;
use super::hit::Hit;
use super::strains::{Strain, StrainHandle, Strains};
use crate::backend::Backend;
use crate::cluster::{DeployedGroup, Deployment};
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::Node;

/// What was done is undone even if there is an error: that of the first node that was not hit.
pub type Injected<'f> = BoxFuture<'f, (ActiveFault, Option<FaultError>)>;

/// What a person should know of it, if anything.
pub type Undone<'u> = BoxFuture<'u, Result<Option<String>, FaultError>>;

/// How long servers may take to follow before they are ended anyway.
const RELEASE: Duration = Duration::from_secs(1);

/// Where a fault is injected.
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
    /// Whether it must know the primaries, even if its target is a node's name.
    fn asks_for_roles(&self, _site: Site<'_>) -> bool {
        false
    }

    /// Nodes that it affects besides its targets.
    fn also_hits(&self, _site: Site<'_>, _hit: &Hit) -> Vec<NodeName> {
        Vec::new()
    }

    /// Whether servers may end by themselves because of it.
    fn may_end_servers(&self) -> bool {
        false
    }

    /// Injects it on all its targets at once. What was done must be undone even if something
    /// went wrong with one of them; the first error is returned as well.
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f>;

    /// Returns when the fault has taken effect.
    fn takes_place<'f>(&'f self, _site: Site<'f>, _hit: &'f Hit) -> BoxFuture<'f, ()> {
        ready(()).boxed()
    }
}

/// The way to undo a fault on one node or on links.
pub trait Undo: Send + Sync {
    /// Returns notes for a person about what happened meanwhile. It is no error if the fault
    /// has been undone or has ended already.
    fn undo<'u>(&'u mut self, backend: &'u dyn Backend) -> Undone<'u>;

    /// The server that this starts again.
    fn starts(&self) -> Option<&NodeName> {
        None
    }

    /// Whether it holds a server that cannot end before this is undone.
    fn holds_server(&self) -> bool {
        false
    }
}

/// A fault that was injected.
#[derive(Default)]
pub struct ActiveFault {
    /// The nodes that it was injected on.
    pub nodes: Vec<NodeName>,
    /// Servers among them that may end by themselves. They are started again when the fault is
    /// undone.
    pub may_end: Vec<NodeName>,
    /// Notes for a person about the injection.
    pub notes: Vec<String>,
    pub undo: Vec<Box<dyn Undo>>,
}

impl ActiveFault {
    /// Nothing is left to undo.
    pub fn is_over(&self) -> bool {
        self.undo.is_empty()
    }

    /// These nodes have left, so they must not be started again.
    pub fn forget(&mut self, gone: &[NodeName]) {
        self.undo.retain(|undo| undo.starts().is_none_or(|name| !gone.contains(name)));
        self.may_end.retain(|name| !gone.contains(name));
    }

    /// Returns notes for a person about what happened meanwhile. A second call does nothing.
    ///
    /// # Errors
    /// The first server that could not be started, or did not go on, or did not follow. All
    /// have been tried.
    pub async fn undo(&mut self, backend: &dyn Backend) -> Result<Vec<String>, FaultError> {
        let undone = join_all(self.undo.iter_mut().map(|undo| undo.undo(backend))).await;
        let notes: Result<Vec<_>, _> = undone.into_iter().collect();
        Ok(notes?.into_iter().flatten().collect())
    }

    /// The servers that are started again when it is undone.
    pub fn starts(&self) -> Vec<NodeName> {
        self.undo.iter().filter_map(|undo| undo.starts().cloned()).collect()
    }

    /// Lets servers go on as fast as possible, so that they can end.
    pub async fn release(mut self, backend: &dyn Backend) {
        let held = self.undo.iter_mut().filter(|undo| undo.holds_server());
        let released = join_all(held.map(|undo| undo.undo(backend)));
        // If a server does not answer, its end will undo this too.
        tokio::time::timeout(RELEASE, released).await.or_logged("undo all faults in time");
    }
}

/// The result on one node: how to undo it, and notes for a person.
#[derive(Default)]
pub struct Done {
    pub undo: Option<Box<dyn Undo>>,
    pub note: Option<String>,
}

impl Done {
    pub fn to_undo(undo: impl Undo + 'static) -> Done {
        Done { undo: Some(Box::new(undo)), note: None }
    }

    /// It did not take effect: undoes the part that did.
    pub async fn take_back(&mut self, backend: &dyn Backend) {
        if let Some(undo) = &mut self.undo {
            undo.undo(backend).await.or_logged("undo a fault that failed");
        }
    }
}

/// Does the same on every target at once.
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
    /// The node, with separate connections.
    pub fn node(&self, name: &NodeName) -> Result<Node, FaultError> {
        let found = self.group.all().find(|node| node.name == *name);
        found.map(Node::apart).ok_or_else(|| FaultError::NoNode(name.clone()))
    }

    /// Puts `strain` on a running node.
    pub async fn strain(&self, node: &Node, strain: Strain) -> Result<Done, FaultError> {
        Ok(Done::to_undo(self.strains.lay(self.backend, node, strain).await?))
    }

    /// The same by redrill's preload library, if the server has it.
    pub async fn strain_by_library(&self, node: &Node, strain: Strain) -> Result<Done, FaultError> {
        let mut done = self.strain(node, strain).await?;
        if self.backend.has_preload(&node.name) == Some(false) {
            done.take_back(self.backend).await;
            return Err(FaultError::NoLibrary(node.name.clone()));
        }
        Ok(done)
    }
}

impl Undo for StrainHandle {
    fn undo<'u>(&'u mut self, backend: &'u dyn Backend) -> Undone<'u> {
        self.end(backend).map(|ended| ended.map(|_| None)).boxed()
    }

    fn holds_server(&self) -> bool {
        true
    }
}
