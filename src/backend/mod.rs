//! Where servers run.
//!
//! A [`Backend`] gives nodes addresses, starts them, and ends them. It knows nothing of groups
//! and roles: these come from the configuration that it starts nodes with.
//! [`process::ProcessBackend`] runs each node as a process on this machine,
//! [`docker::DockerBackend`] as a container. The [`registry`] finds what a killed redrill left.

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

/// A server to start.
#[derive(Clone, Debug)]
pub struct NodePlan {
    pub name: NodeName,
    /// The address that [`Backend::reserve`] returned.
    pub addr: SocketAddr,
    /// Directives of redis.conf, besides those for addresses and files. If a directive is there
    /// twice, the server takes the later one.
    pub config: Vec<(String, String)>,
    /// Arguments of the server besides its redis.conf.
    pub args: Vec<String>,
    /// Files that the node finds in its directory: name and content.
    pub files: Vec<(String, String)>,
    pub limits: Limits,
}

impl NodePlan {
    /// Adds the configuration that the node's tools need. The user's own directives override
    /// it.
    fn take(&mut self, tools: Tools) {
        if tools.debug {
            self.config.insert(0, ("enable-debug-command".to_owned(), "yes".to_owned()));
        }
    }
}

/// For each node, the addresses from which nothing arrives.
pub type Deaf = BTreeMap<NodeName, Vec<IpAddr>>;

/// A cut in the kernel. Each cut of a backend has another id.
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

    /// Reserves `count` addresses for nodes, all with one port: `port`, or one that is free on
    /// all of them, as is its cluster bus port (10,000 above).
    fn reserve(
        &self,
        count: usize,
        port: Option<u16>,
    ) -> BoxFuture<'_, Result<Vec<SocketAddr>, BackendError>>;

    /// Addresses on which a relay of this process can listen for `count` nodes that have
    /// `port`. The ports there, and the bus ports 10,000 above, are free.
    ///
    /// # Errors
    /// There are no such ports, or servers could not reach this process.
    fn doors(&self, count: usize, port: u16) -> Result<Vec<SocketAddr>, BackendError>;

    /// `count` addresses from which clients, and nobody else, can connect to doors.
    ///
    /// # Errors
    /// There are none left.
    fn client_addresses(&self, count: usize) -> Result<Vec<IpAddr>, BackendError>;

    /// Starts the servers of `plans`. When it returns, they run but are not ready yet.
    /// [`Backend::exits`] reports one that ends early. After an error some may be running.
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

    /// Asks a server to end (SIGTERM), and kills it if it does not.
    fn stop<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Ends a server at once (SIGKILL).
    fn kill<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Pauses a server until [`Backend::resume`]; its connections stay. Pausing twice is the
    /// same as once.
    fn pause<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Lets a paused server go on.
    fn resume<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Sets what the servers of these nodes must be started with for later steps. Call it
    /// before they are started.
    fn equip(&self, tools: HashMap<NodeName, Tools>) -> Result<(), BackendError>;

    /// Limits a server to this share of one CPU in every 100 ms, also when it is started again;
    /// `None` restores its first limit.
    fn limit_cpu<'a>(
        &'a self,
        name: &'a NodeName,
        share: Option<f64>,
    ) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Controls the preload library of a server that was started with it. The library follows
    /// within 10 ms.
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

    /// The last known resource use of the node's container; `None` without a container.
    fn usage(&self, _name: &NodeName) -> Option<Usage> {
        None
    }

    /// Whether [`Backend::cut`] is possible, as far as this is known before a server runs.
    ///
    /// # Errors
    /// Why it is not.
    fn can_cut(&self) -> Result<(), BackendError> {
        Err(BackendError::NoCuts)
    }

    /// Makes the kernel drop what nodes send each other, until [`Backend::heal`]. This includes
    /// nodes that are started meanwhile, from a moment after their start. What others send to
    /// them, including redrill and clients, arrives.
    ///
    /// # Errors
    /// The kernel refuses. Then nothing is cut.
    fn cut<'a>(&'a self, _deaf: Deaf) -> BoxFuture<'a, Result<CutId, BackendError>> {
        async { Err(BackendError::NoCuts) }.boxed()
    }

    /// Undoes a cut.
    ///
    /// # Errors
    /// The kernel refuses for one of the nodes. All have been tried.
    fn heal<'a>(&'a self, _cut: CutId) -> BoxFuture<'a, Result<(), BackendError>> {
        async { Err(BackendError::NoCuts) }.boxed()
    }

    /// Reports every server that ends from now on.
    fn exits(&self) -> broadcast::Receiver<NodeExited>;

    /// The last lines of the node's log; empty if there is none.
    fn log_tail(&self, name: &NodeName) -> String;

    /// Ends all servers, waits until they are gone, and removes what they wrote except their
    /// logs. A second call does nothing.
    fn shutdown(&self) -> BoxFuture<'_, Result<(), BackendError>>;
}
