//! Nodes as processes on this machine: no container, no root.
//!
//! ```text
//! <run folder>/nodes/cache-0-0/redis.conf …   gone after shutdown
//! <run folder>/logs/cache-0-0.log             kept
//! ```

pub mod address;
pub mod binary;
mod config;
mod folder;
mod holder;
mod spawner;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use tokio::sync::broadcast;

use self::address::Block;
use self::binary::ServerBinary;
use self::folder::Folder;
pub use self::folder::nodes_dir;
use self::spawner::{Ended, Spawner};
use super::{Ability, Backend, BackendError, NodeExited, NodePlan};
use crate::model::NodeName;
use crate::model::event::EngineInfo;

/// Nodes of a cluster call all others ten times a second until they answer. More of them
/// than this are held back until all have been started: a hundred on two cores otherwise
/// spend three times the work on calling those that are not there yet.
const CROWD: usize = 40;
/// More exits than this at once and a slow listener misses the first of them.
const EXITS_KEPT: usize = 1024;

pub struct ProcessBackend {
    binary: PathBuf,
    engine: EngineInfo,
    block: Block,
    /// How many addresses of the block are given away.
    reserved: Mutex<usize>,
    exits: broadcast::Sender<NodeExited>,
    // Before `folder`: servers end before what they write in is removed.
    spawner: Spawner,
    folder: Folder,
}

impl ProcessBackend {
    /// A backend that keeps its files under `run_folder`, which is made if it is
    /// not there. Nothing is started yet.
    pub fn open(binary: &ServerBinary, run_folder: &Path) -> Result<ProcessBackend, BackendError> {
        let folder = Folder::make(run_folder)?;
        let block = Block::take()?;
        raise_file_limit();
        let (exits, _) = broadcast::channel(EXITS_KEPT);
        let (tell, logs) = (exits.clone(), folder.clone_paths());
        let ended = move |ended: Ended| {
            let log_tail = logs.log_tail(&ended.name);
            let status = ended.status.to_string();
            // Nobody listening is fine.
            let _ =
                tell.send(NodeExited { name: ended.name, status, asked: ended.asked, log_tail });
        };
        let spawner =
            Spawner::new(Box::new(ended)).map_err(|source| BackendError::Thread { source })?;
        Ok(ProcessBackend {
            binary: binary.path.clone(),
            engine: binary.info(),
            block,
            reserved: Mutex::new(0),
            exits,
            spawner,
            folder,
        })
    }

    /// The block of addresses that nodes live in: `127.64.0.0/16`.
    pub fn block(&self) -> String {
        self.block.name()
    }

    fn reserve_now(
        &self,
        count: usize,
        port: Option<u16>,
    ) -> Result<Vec<SocketAddr>, BackendError> {
        let mut reserved = self.reserved.lock().unwrap_or_else(|e| e.into_inner());
        let addrs = self.block.addresses(*reserved, count, port)?;
        *reserved += count;
        Ok(addrs)
    }

    async fn start_all(&self, plans: Vec<NodePlan>) -> Result<(), BackendError> {
        let crowd = plans.len() > CROWD;
        for plan in &plans {
            self.start_one(plan).await?;
            if crowd {
                // One that has ended already is told as any other.
                let _ = self.spawner.signal(&plan.name, Signal::STOP);
            }
        }
        if crowd {
            plans.iter().for_each(|plan| drop(self.spawner.signal(&plan.name, Signal::CONT)));
        }
        Ok(())
    }

    async fn start_one(&self, plan: &NodePlan) -> Result<(), BackendError> {
        let name = &plan.name;
        let conf = self.folder.write_node(plan)?;
        let log = self.folder.open_log(name)?;
        let errors = log.try_clone().map_err(|e| self.folder.log_error(name, e))?;
        let mut command = Command::new(&self.binary);
        command.arg(conf).stdin(Stdio::null()).stdout(log).stderr(errors);
        let spawned = self.spawner.spawn(name.clone(), command).await;
        spawned.map_err(|source| BackendError::Spawn { name: name.clone(), source })
    }

    fn signal(&self, name: &NodeName, signal: Signal) -> Result<(), BackendError> {
        match self.spawner.signal(name, signal) {
            None => Err(BackendError::NotRunning { name: name.clone() }),
            Some(sent) => {
                sent.map_err(|source| BackendError::Signal { name: name.clone(), source })
            }
        }
    }
}

impl Backend for ProcessBackend {
    fn kind(&self) -> &'static str {
        "process"
    }

    fn engine(&self) -> &EngineInfo {
        &self.engine
    }

    fn can(&self, ability: Ability) -> bool {
        match ability {
            Ability::Kill | Ability::Pause => true,
        }
    }

    fn reserve<'a>(
        &'a self,
        names: &'a [NodeName],
        port: Option<u16>,
    ) -> BoxFuture<'a, Result<Vec<SocketAddr>, BackendError>> {
        async move { self.reserve_now(names.len(), port) }.boxed()
    }

    fn start<'a>(&'a self, plans: Vec<NodePlan>) -> BoxFuture<'a, Result<(), BackendError>> {
        self.start_all(plans).boxed()
    }

    fn kill(&self, name: &NodeName) -> Result<(), BackendError> {
        self.signal(name, Signal::KILL)
    }

    fn pause(&self, name: &NodeName) -> Result<(), BackendError> {
        self.signal(name, Signal::STOP)
    }

    fn resume(&self, name: &NodeName) -> Result<(), BackendError> {
        self.signal(name, Signal::CONT)
    }

    fn pid(&self, name: &NodeName) -> Option<u32> {
        self.spawner.pid(name).map(|pid| pid.as_raw_pid() as u32)
    }

    fn exits(&self) -> broadcast::Receiver<NodeExited> {
        self.exits.subscribe()
    }

    fn log_tail(&self, name: &NodeName) -> String {
        self.folder.log_tail(name)
    }

    fn shutdown(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        async move {
            self.spawner.stop().await;
            self.folder.remove_nodes()
        }
        .boxed()
    }
}

/// Servers inherit the limit, and each wants 10,000 connections.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If not, servers allow fewer connections, which their logs say.
    let _ = setrlimit(Resource::Nofile, limit);
}
