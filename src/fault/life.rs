//! The life of a fault: it is injected, is active for a time, and is undone.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, info};

use super::error::FaultError;
use super::hit::Hit;
use super::strains::{Strain, StrainHandle, Strains};
use crate::backend::Backend;
use crate::cluster::{DeployedGroup, Deployment};
use crate::load::Applications;
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::Node;

/// The fault, and the first error if a node could not be hit. The caller undoes the fault in both
/// cases.
pub type Injected = (ActiveFault, Option<FaultError>);

/// What a person should know of a fault.
#[derive(Debug)]
pub enum Note {
    /// What it did.
    OfStep(String),
    /// What makes a result doubtful.
    Warning(String),
}

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
    pub applications: &'a Applications,
}

/// Something that can be done to nodes or links.
#[async_trait]
pub trait Fault: Send + Sync {
    /// Whether it must know the primaries, even if its target is a node's name.
    fn asks_for_roles(&self, _: Site<'_>) -> bool {
        false
    }

    /// Nodes that it affects besides its targets.
    fn also_hits(&self, _: Site<'_>, _: &Hit) -> Vec<NodeName> {
        Vec::new()
    }

    /// Whether servers may end by themselves because of it.
    fn may_end_servers(&self) -> bool {
        false
    }

    /// Whether injecting it takes long, and leaves nothing to undo: then it ends with an interrupted
    /// drill, done or not.
    fn ends_when_interrupted(&self) -> bool {
        false
    }

    /// Injects it on all its targets at once. What was done must be undone even if something
    /// went wrong with one of them; the first error is returned as well.
    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected;

    /// Returns when the fault has taken effect.
    async fn takes_place(&self, _: Site<'_>, _: &Hit) {}
}

/// A [`Fault`] that is done to each of its nodes, and needs nothing else.
#[async_trait]
pub trait NodeFault: Send + Sync {
    /// Does it to one node.
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError>;
}

#[async_trait]
impl<F: NodeFault> Fault for F {
    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        on_each(hit, |name| self.on_node(site, name)).await
    }
}

/// Does `on_node` to all nodes at once.
pub async fn on_each<'a, F>(hit: &'a Hit, on_node: impl Fn(&'a NodeName) -> F) -> Injected
where
    F: Future<Output = Result<Done, FaultError>>,
{
    let all = join_all(hit.nodes.iter().map(on_node)).await;
    let (mut active, mut error) = (ActiveFault::default(), None);
    for (name, outcome) in hit.nodes.iter().zip(all) {
        match outcome {
            Ok(Done { undo, note }) => {
                active.nodes.push(name.clone());
                active.undo.extend(undo);
                active.notes.extend(note);
            }
            Err(first) if error.is_none() => error = Some(first),
            Err(error) => info!(%error, "another node was not hit either"),
        }
    }
    (active, error)
}

/// The way to undo a fault on one node or on links.
#[async_trait]
pub trait Undo: Send + Sync {
    /// Returns what a person should know of what happened meanwhile, if anything. It is no error
    /// if the fault has been undone or has ended already.
    async fn undo(&mut self, backend: &dyn Backend) -> Result<Option<Note>, FaultError>;

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
    pub notes: Vec<Note>,
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

    /// Returns notes for a person about what happened meanwhile, and the first error: a server
    /// could not be started, or did not go on, or did not follow. All have been tried. What has
    /// been undone is not undone again by a second call.
    pub async fn undo(&mut self, backend: &dyn Backend) -> (Vec<Note>, Option<FaultError>) {
        let (mut notes, mut first) = (Vec::new(), None);
        for undone in join_all(self.undo.iter_mut().map(|undo| undo.undo(backend))).await {
            match undone {
                Ok(note) => notes.extend(note),
                Err(error) if first.is_none() => first = Some(error),
                Err(error) => info!(%error, "failed to undo a fault on another node too"),
            }
        }
        (notes, first)
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
    pub note: Option<Note>,
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

/// Something that is done at an interval. Dropping it ends that.
pub struct Rounds {
    task: JoinHandle<u64>,
    stop: watch::Sender<bool>,
}

impl Rounds {
    /// Does `round` at `every` times each of `turns`, from now on.
    pub fn start<F: Future<Output = u64> + Send>(
        every: Duration,
        turns: impl Iterator<Item = u32> + Send + 'static,
        mut round: impl FnMut() -> F + Send + 'static,
    ) -> Rounds {
        let (stop, mut stopped) = watch::channel(false);
        let began = Instant::now();
        let rounds = async move {
            let mut sum = 0;
            for turn in turns {
                let goes_on = tokio::select! {
                    () = sleep_until(began + every * turn) => true,
                    _ = stopped.wait_for(|stopped| *stopped) => false,
                };
                if !goes_on {
                    break;
                }
                sum += round().await;
            }
            sum
        };
        Rounds { task: tokio::spawn(rounds.in_current_span()), stop }
    }

    /// Waits for the last round. The sum of all that they returned, at the first call.
    pub async fn end(&mut self) -> Option<u64> {
        match self.stop.send_replace(true) {
            true => None,
            false => (&mut self.task).await.or_logged("end what is done at an interval"),
        }
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site<'_> {
    /// The node, with separate connections.
    pub fn node(&self, name: &NodeName) -> Result<Node, FaultError> {
        let found = self.group.all().find(|node| node.name == *name);
        found.map(Node::apart).ok_or_else(|| FaultError::NoNode(name.clone()))
    }

    /// Puts `strain` on a running server or actor.
    pub async fn strain(&self, name: &NodeName, strain: Strain) -> Result<Done, FaultError> {
        Ok(Done::to_undo(self.strains.lay(self.backend, name, strain).await?))
    }

    /// The same by redrill's preload library, if the server has it.
    pub async fn strain_by_library(
        &self,
        name: &NodeName,
        strain: Strain,
    ) -> Result<Done, FaultError> {
        let mut done = self.strain(name, strain).await?;
        if self.backend.has_preload(name) == Some(false) {
            done.take_back(self.backend).await;
            return Err(FaultError::NoLibrary(name.clone()));
        }
        Ok(done)
    }
}

#[async_trait]
impl Undo for StrainHandle {
    async fn undo(&mut self, backend: &dyn Backend) -> Result<Option<Note>, FaultError> {
        self.end(backend).await.map(|_| None)
    }

    fn holds_server(&self) -> bool {
        true
    }
}
