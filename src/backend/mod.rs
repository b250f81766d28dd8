//! Where servers run.
//!
//! A [`Backend`] gives nodes addresses, starts them, and ends them; it knows
//! nothing of groups and roles, which are made by what it is asked to start.
//! [`process::ProcessBackend`] runs each node as a process on this machine,
//! [`docker::DockerBackend`] as a container.
//! What is still there after redrill was killed is found again through the
//! [`registry`].

mod config;
pub mod docker;
pub mod error;
mod exits;
pub mod resolve;
pub mod logs;
pub mod preload;
pub mod proc;
pub mod process;
pub mod programs;
pub mod registry;
pub mod sockets;
mod version;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::broadcast;

use crate::model::event::{EngineInfo, Usage};
use crate::model::{HostId, NodeName};
use crate::spec::topology::Limits;

pub use docker::DockerBackend;
pub use error::BackendError;
pub use exits::{NodeExited, RefusedDirective};
pub use process::ProcessBackend;
pub use programs::{ActorPipes, ActorPlan, ActorStarts};
pub use resolve::ResolvedBackend;

pub use crate::spec::step::Data;
pub use crate::spec::tools::Tools;
use preload::Control;
use proc::ProcessId;
pub use proc::RunQueue;
use programs::Programs;

/// What is to be tried of servers, which takes a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub preload: bool,
    pub kernel_cuts: bool,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct NodePlan {
    pub name: NodeName,
    /// As [`Backend::reserve`] gave it.
    pub addr: SocketAddr,
    /// Directives of redis.conf beyond those that say where the node lives;
    /// where one directive stands twice, the server takes the later.
    pub config: Vec<(String, String)>,
    /// Arguments of the server beyond its redis.conf.
    pub args: Vec<String>,
    /// Files that the node finds in its directory: name and content.
    pub files: Vec<(String, String)>,
    pub limits: Limits,
}

impl NodePlan {
    /// What the node's tools want of its configuration; its user's own directives outweigh it.
    fn take(&mut self, tools: Tools) {
        if tools.debug {
            self.config.insert(0, ("enable-debug-command".to_owned(), "yes".to_owned()));
        }
    }
}

/// Who no longer hears whom: the addresses from which nothing arrives.
pub type Deaf = BTreeMap<NodeName, Vec<IpAddr>>;

/// A cut that the kernel makes; no two of a backend have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutId(pub u32);

/// Runs servers. All methods may be called from several tasks at once.
pub trait Backend: Send + Sync {
    /// `process`
    fn kind(&self) -> &'static str;

    /// The machine that servers run on. Actors run on this one.
    fn host(&self) -> HostId {
        HostId::default()
    }

    /// The server that nodes run.
    fn engine(&self) -> &EngineInfo;

    /// `count` addresses for nodes, one for each, all on one port: `port`,
    /// or one that is free on all of them, as its cluster bus port (10,000 above) is.
    fn reserve(
        &self,
        count: usize,
        port: Option<u16>,
    ) -> BoxFuture<'_, Result<Vec<SocketAddr>, BackendError>>;

    /// Where a relay of this process can listen for `count` nodes that have `port`: the
    /// ports there, and the bus ports 10,000 above, are free.
    ///
    /// # Errors
    /// There are no such ports, or servers would not find this process.
    fn doors(&self, count: usize, port: u16) -> Result<Vec<SocketAddr>, BackendError>;

    /// `count` addresses that clients can connect to doors from, and nobody else does.
    ///
    /// # Errors
    /// There are none left.
    fn client_addresses(&self, count: usize) -> Result<Vec<IpAddr>, BackendError>;

    /// Starts the servers of `plans`. They are running then, and not ready yet;
    /// one that ends early is told through [`Backend::exits`]. After an error
    /// some may be running.
    fn start<'a>(&'a self, plans: Vec<NodePlan>) -> BoxFuture<'a, Result<(), BackendError>>;

    /// What runs as a process of this machine, wherever servers run: starts actors, and knows whose
    /// sockets are. Actors that it has started can be named here as servers can.
    fn programs(&self) -> Arc<Programs>;

    /// Starts a server or an actor again that has ended.
    fn start_again<'a>(
        &'a self,
        name: &'a NodeName,
        data: Data,
    ) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Asks a server to end (SIGTERM), and kills it if it has not in a while.
    fn stop<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Ends a server at once (SIGKILL).
    fn kill<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Keeps a server from running until [`Backend::resume`]; its connections stay. One that
    /// is paused already is paused once.
    fn pause<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Lets a server go on, if it is paused.
    fn resume<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Has the servers of these nodes started with what steps need of them. To be called
    /// before they are started.
    fn equip(&self, tools: HashMap<NodeName, Tools>) -> Result<(), BackendError>;

    /// Lets a server have no more than this share of one CPU in every 100 ms, also when it
    /// is started again; `None`: as much as it had at first.
    fn limit_cpu<'a>(
        &'a self,
        name: &'a NodeName,
        share: Option<f64>,
    ) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Tells the preload library of a server that was equipped with it what to do; it
    /// follows within 10 ms of whatever the server does next.
    fn steer<'a>(
        &'a self,
        name: &'a NodeName,
        control: Control,
    ) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Whether the server is there, paused or not.
    fn runs(&self, name: &NodeName) -> bool;

    /// What the registry keeps of a server, so that it can be ended when redrill no longer can:
    /// its process on this machine, while it runs.
    fn process(&self, name: &NodeName) -> Option<ProcessId>;

    /// Whether the preload library is in the server's memory; `None` if that cannot be seen.
    fn has_preload(&self, name: &NodeName) -> Option<bool>;

    /// Tells how long servers have waited for a processor.
    fn run_queue(&self) -> RunQueue;

    /// What the node's container last was said to use; none of what is no container.
    fn usage(&self, _name: &NodeName) -> Option<Usage> {
        None
    }

    /// Whether [`Backend::cut`] can be done, as far as it can be told before a server runs.
    ///
    /// # Errors
    /// Why not.
    fn can_cut(&self) -> Result<(), BackendError> {
        Err(BackendError::NoCuts)
    }

    /// Has the kernel drop what nodes send each other, until [`Backend::heal`]; in a node
    /// that is started meanwhile too, from a moment after its start. What others send them,
    /// redrill and clients among them, arrives.
    ///
    /// # Errors
    /// The kernel does not do it. What was cut already is whole again.
    fn cut<'a>(&'a self, _deaf: Deaf) -> BoxFuture<'a, Result<CutId, BackendError>> {
        async { Err(BackendError::NoCuts) }.boxed()
    }

    /// Undoes a cut.
    ///
    /// # Errors
    /// The kernel does not do it for one of the nodes; all have been tried.
    fn heal<'a>(&'a self, _cut: CutId) -> BoxFuture<'a, Result<(), BackendError>> {
        async { Err(BackendError::NoCuts) }.boxed()
    }

    /// Tells of every server that ends from now on.
    fn exits(&self) -> broadcast::Receiver<NodeExited>;

    /// The last lines of the node's log; empty if there is none.
    fn log_tail(&self, name: &NodeName) -> String;

    /// Ends all servers, waits until they are gone, and removes what they wrote
    /// except their logs. Further calls do nothing.
    fn shutdown(&self) -> BoxFuture<'_, Result<(), BackendError>>;
}
