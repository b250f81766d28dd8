//! Where servers run.
//!
//! A [`Backend`] gives nodes addresses, starts them, and ends them. It knows nothing of groups
//! and roles: these come from the configuration that it starts nodes with.
//! [`process::ProcessBackend`] runs each node as a process on this machine,
//! [`docker::DockerBackend`] as a container. The [`registry`] finds what a killed redrill left.

pub mod claim;
mod config;
pub mod docker;
pub mod error;
mod exits;
pub mod resolve;
pub mod logs;
pub mod preload;
mod private;
pub mod proc;
pub mod process;
pub mod programs;
pub mod registry;
pub mod sockets;
mod version;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::model::event::{EngineInfo, Usage};
use crate::model::logged::LogLine;
use crate::model::{HostId, NodeName};
use crate::spec::topology::Limits;

pub use docker::DockerBackend;
pub use error::BackendError;
pub use exits::{NodeExited, RefusedDirective};
pub use process::ProcessBackend;
pub use programs::{ActorPipes, ActorPlan, ActorStarts};
pub use resolve::ResolvedBackend;

pub use crate::spec::Tools;
pub use crate::spec::step::Data;
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

/// Runs servers. All methods may be called from several tasks at once. Those that name a node also
/// take the name of an actor that [`Backend::programs`] has started.
#[async_trait]
pub trait Backend: Send + Sync {
    /// `process`
    fn kind(&self) -> &'static str;

    /// The machine that servers run on. Actors run on this one.
    fn host(&self) -> HostId {
        HostId::default()
    }

    /// The server that nodes run.
    fn engine(&self) -> &EngineInfo;

    /// What runs as a process of this machine, wherever servers run: starts actors, and knows whose
    /// sockets are.
    fn programs(&self) -> &Arc<Programs>;

    /// Reserves `count` addresses for nodes, all with one port: `port`, or one that is free on
    /// all of them, as is its cluster bus port (10,000 above).
    fn reserve(&self, count: usize, port: Option<u16>) -> Result<Vec<SocketAddr>, BackendError>;

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

    /// Sets what the servers of these nodes must be started with for later steps. Call it
    /// before they are started.
    fn equip(&self, tools: HashMap<NodeName, Tools>) -> Result<(), BackendError>;

    /// Starts the servers of `plans`. When it returns, they run but are not ready yet.
    /// [`Backend::exits`] reports one that ends early. After an error some may be running.
    async fn start(&self, plans: Vec<NodePlan>) -> Result<(), BackendError>;

    /// Starts a server again that has ended. Without its data, its [`NodePlan::files`] stay as it
    /// left them: a member of a cluster knows the others, and which slots it has.
    async fn start_again(&self, name: &NodeName, data: Data) -> Result<(), BackendError>;

    /// Asks a server to end (SIGTERM), and kills it if it does not.
    async fn stop(&self, name: &NodeName) -> Result<(), BackendError> {
        self.programs().stop(name).await
    }

    /// Ends a server at once (SIGKILL).
    async fn kill(&self, name: &NodeName) -> Result<(), BackendError> {
        self.programs().kill(name).await
    }

    /// Pauses a server until [`Backend::resume`]; its connections stay. Pausing twice is the
    /// same as once.
    async fn pause(&self, name: &NodeName) -> Result<(), BackendError> {
        self.programs().pause(name, true)
    }

    /// Lets a paused server go on.
    async fn resume(&self, name: &NodeName) -> Result<(), BackendError> {
        self.programs().pause(name, false)
    }

    /// Limits a server to this share of one CPU in every 100 ms, also when it is started again;
    /// `None` restores its first limit.
    async fn limit_cpu(&self, name: &NodeName, share: Option<f64>) -> Result<(), BackendError> {
        self.programs().limit_cpu(name, share)
    }

    /// Controls the preload library of a server that was started with it. The library follows
    /// within 10 ms.
    async fn steer(&self, name: &NodeName, control: Control) -> Result<(), BackendError>;

    /// Whether the server is there, paused or not.
    fn runs(&self, name: &NodeName) -> bool {
        self.programs().runs(name)
    }

    /// What the registry keeps of a server, so that it can be ended when redrill no longer can:
    /// its process on this machine, while it runs.
    fn process(&self, name: &NodeName) -> Option<ProcessId> {
        self.programs().pid(name).and_then(ProcessId::of)
    }

    /// Whether the preload library is in the server's memory; `None` if that cannot be seen.
    fn has_preload(&self, name: &NodeName) -> Option<bool> {
        self.programs().pid(name).and_then(preload::is_loaded_into)
    }

    /// Tells how long servers have waited for a processor.
    fn run_queue(&self) -> RunQueue {
        self.programs().run_queue()
    }

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
    async fn cut(&self, _deaf: Deaf) -> Result<CutId, BackendError> {
        Err(BackendError::NoCuts)
    }

    /// Undoes a cut.
    ///
    /// # Errors
    /// The kernel refuses for one of the nodes. All have been tried.
    async fn heal(&self, _cut: CutId) -> Result<(), BackendError> {
        Err(BackendError::NoCuts)
    }

    /// Reports every server that ends from now on.
    fn exits(&self) -> broadcast::Receiver<NodeExited> {
        self.programs().exits.subscribe()
    }

    /// The last lines of the node's log; empty if there is none.
    fn log_tail(&self, name: &NodeName) -> String {
        self.programs().logs.tail(name)
    }

    /// The lines of the node's log that explain something.
    fn explaining_lines(&self, name: &NodeName) -> Vec<LogLine> {
        self.programs().logs.explaining(name)
    }

    /// Ends all servers, waits until they are gone, and removes what they wrote except their
    /// logs. A second call does nothing.
    async fn shutdown(&self) -> Result<(), BackendError> {
        self.programs().shutdown().await
    }
}
