//! Nodes as processes on this machine: no container, no root.
//!
//! ```text
//! <run folder>/nodes/cache-0-0/redis.conf …   gone after shutdown
//! <run folder>/logs/cache-0-0.log             kept
//! ```

pub mod address;
pub mod binary;
mod folder;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use tracing::warn;

use self::address::Block;
use self::binary::ServerBinary;
use self::folder::Folder;
use super::Wanted;
use super::logs::{self, Logs};
use super::preload::{self, Control};
use super::private::nodes_dir;
use super::programs::{HOME, Programs};
use super::{Backend, BackendError, Data, NodePlan, Tools};
use crate::model::event::EngineInfo;
use crate::model::{NodeKind, NodeName};
use crate::spec::topology::Engine;
use crate::spec::{Capabilities, Lack};

/// Nodes of a cluster connect to all others ten times a second until they answer. More nodes
/// than this are paused until all have been started: otherwise a hundred nodes on two cores
/// spend three times the work on connecting to nodes that are not there yet.
const CROWD: usize = 40;

pub struct ProcessBackend {
    binary: PathBuf,
    engine: EngineInfo,
    block: Block,
    /// How many addresses of the block are reserved.
    reserved: Mutex<usize>,
    programs: Arc<Programs>,
    folder: Folder,
    logs: Logs,
    /// The plans of started nodes, for starting them again.
    plans: Mutex<HashMap<NodeName, NodePlan>>,
    /// The tools that servers must be started with.
    tools: Mutex<HashMap<NodeName, Tools>>,
}

impl ProcessBackend {
    /// A backend with its files under `run_folder`, which is created if it does not exist.
    /// Nothing is started yet.
    pub fn open(binary: &ServerBinary, run_folder: &Path) -> Result<ProcessBackend, BackendError> {
        logs::make_dir(run_folder)?;
        // Servers change their directory, so their paths must be absolute.
        let run_folder =
            run_folder.canonicalize().map_err(|e| logs::cannot_write(run_folder, e))?;
        let folder = Folder::make(&run_folder)?;
        let logs = Logs::make(&run_folder)?;
        let block = Block::take()?;
        raise_file_limit();
        let programs = Programs::new(nodes_dir(&run_folder), logs.clone())?.into();
        Ok(ProcessBackend {
            // Servers may be started in another directory.
            binary: std::path::absolute(&binary.path).unwrap_or_else(|_| binary.path.clone()),
            engine: binary.info(),
            block,
            reserved: Mutex::new(0),
            programs,
            folder,
            logs,
            plans: Mutex::default(),
            tools: Mutex::default(),
        })
    }

    /// The block of addresses of the nodes: `127.64.0.0/16`.
    pub fn block(&self) -> String {
        self.block.name()
    }

    /// One that has ended already is told of as any other.
    fn hold_back(&self, name: &NodeName, signal: Signal) {
        if let Err(error) = self.programs.signal(name, signal) {
            warn!(%name, ?signal, %error, "one of many servers was not signalled");
        }
    }

    fn tools_of(&self, name: &NodeName) -> Tools {
        self.tools.lock().get(name).copied().unwrap_or_default()
    }

    async fn start_one(&self, plan: &NodePlan) -> Result<(), BackendError> {
        let name = &plan.name;
        let log = self.logs.open(name)?;
        let errors = log.try_clone().map_err(|e| self.logs.error(name, e))?;
        let mut command = Command::new(&self.binary);
        command.env(HOME, self.folder.node(name));
        if self.tools_of(name).preload {
            let control = self.folder.control(name);
            preload::load(&mut command, &self.folder.preload()).env(preload::CONTROL, control);
        }
        command.arg(self.folder.conf(name)).args(&plan.args);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.programs.spawn(name, command).await.map(drop)
    }
}

/// Where a server listens, its cluster bus included.
fn listening(addr: SocketAddr) -> Vec<SocketAddr> {
    let bus = addr.port().checked_add(address::BUS).map(|port| SocketAddr::new(addr.ip(), port));
    [addr].into_iter().chain(bus).collect()
}

/// What servers can do as processes. Whether the one at `binary` takes the preload library is
/// tried if it is wanted; a server that is not found is told of elsewhere.
pub fn capabilities(binary: Option<&Path>, engine: &Engine, wanted: Wanted) -> Capabilities {
    let lacks = |why: &str, advice| Err(Lack { why: why.to_owned(), advice, of_machine: false });
    let server = ServerBinary::find(binary, engine).ok().filter(|_| wanted.preload);
    let refused = server.and_then(|server| preload::is_refused_by(&server.path));
    Capabilities {
        limits: lacks(
            "by servers that run as processes",
            "run them in containers (--backend docker), or leave it out",
        ),
        kernel_cuts: lacks(
            "between servers that run as processes: all of them are in one network",
            "run them in containers (--backend docker), or leave `via` out",
        ),
        preload: refused.map_or(Ok(()), |why| lacks(&why, "")),
    }
}

#[async_trait]
impl Backend for ProcessBackend {
    fn kind(&self) -> &'static str {
        "process"
    }

    fn engine(&self) -> &EngineInfo {
        &self.engine
    }

    fn programs(&self) -> &Arc<Programs> {
        &self.programs
    }

    fn reserve(&self, count: usize, port: Option<u16>) -> Result<Vec<SocketAddr>, BackendError> {
        let mut reserved = self.reserved.lock();
        let addrs = self.block.addresses(*reserved, count, port)?;
        *reserved += count;
        Ok(addrs)
    }

    fn doors(&self, count: usize, port: u16) -> Result<Vec<SocketAddr>, BackendError> {
        self.reserve(count, Some(port))
    }

    fn client_addresses(&self, count: usize) -> Result<Vec<IpAddr>, BackendError> {
        // Nobody listens there; any port will do.
        Ok(self.reserve(count, None)?.iter().map(SocketAddr::ip).collect())
    }

    fn equip(&self, tools: HashMap<NodeName, Tools>) -> Result<(), BackendError> {
        if tools.values().any(|tools| tools.preload) {
            self.folder.write_preload()?;
        }
        *self.tools.lock() = tools;
        Ok(())
    }

    async fn start(&self, mut plans: Vec<NodePlan>) -> Result<(), BackendError> {
        plans.iter_mut().for_each(|plan| plan.take(self.tools_of(&plan.name)));
        let crowd = plans.len() > CROWD;
        for plan in &plans {
            self.folder.write_node(plan, &self.logs)?;
            self.plans.lock().insert(plan.name.clone(), plan.clone());
            self.programs.listens_at(&plan.name, &listening(plan.addr));
            self.start_one(plan).await?;
            if crowd {
                self.hold_back(&plan.name, Signal::STOP);
            }
        }
        if crowd {
            plans.iter().for_each(|plan| self.hold_back(&plan.name, Signal::CONT));
        }
        Ok(())
    }

    async fn start_again(&self, name: &NodeName, data: Data) -> Result<(), BackendError> {
        if name.kind == NodeKind::Actor {
            return self.programs.start_again(name, data).await;
        }
        let plan = self.plans.lock().get(name).cloned();
        let plan = plan.ok_or_else(|| BackendError::NotRunning { name: name.clone() })?;
        if self.programs.runs(name) {
            return Err(BackendError::Running { name: name.clone() });
        }
        if data == Data::Dropped {
            self.folder.drop_data(&plan, &self.logs)?;
        }
        self.start_one(&plan).await
    }

    async fn steer(&self, name: &NodeName, control: Control) -> Result<(), BackendError> {
        match self.tools_of(name).preload {
            true => self.folder.write_control(name, &control),
            false => Err(BackendError::NoPreload { name: name.clone() }),
        }
    }
}

/// Raises the limit of open files as far as it goes, and returns it; `None` without one. Servers
/// inherit it, and each wants 10,000 connections.
pub fn raise_file_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!(%error, "the limit of open files stays: servers allow fewer connections");
    }
    getrlimit(Resource::Nofile).current
}
