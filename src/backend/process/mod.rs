//! Nodes as processes on this machine: no container, no root.
//!
//! ```text
//! <run folder>/nodes/cache-0-0/redis.conf …   gone after shutdown
//! <run folder>/logs/cache-0-0.log             kept
//! ```

pub mod address;
pub mod binary;
mod folder;
mod holder;
mod spawner;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use tokio::sync::broadcast;
use tokio::time::Instant;

use self::address::Block;
use self::binary::ServerBinary;
use self::folder::Folder;
pub use self::folder::nodes_dir;
use self::spawner::{Ended, Spawner};
use super::logs::{self, Logs};
use super::{Backend, BackendError, Data, NodeExited, NodePlan};
use crate::model::NodeName;
use crate::model::event::EngineInfo;

/// Nodes of a cluster call all others ten times a second until they answer. More of them
/// than this are held back until all have been started: a hundred on two cores otherwise
/// spend three times the work on calling those that are not there yet.
const CROWD: usize = 40;
/// What a server gets to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
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
    logs: Logs,
    /// What was started, to be started again.
    plans: Mutex<HashMap<NodeName, NodePlan>>,
}

impl ProcessBackend {
    /// A backend that keeps its files under `run_folder`, which is made if it is
    /// not there. Nothing is started yet.
    pub fn open(binary: &ServerBinary, run_folder: &Path) -> Result<ProcessBackend, BackendError> {
        logs::make_dir(run_folder)?;
        // Servers change their directory, so what they are told must be absolute.
        let run_folder =
            run_folder.canonicalize().map_err(|e| logs::cannot_write(run_folder, e))?;
        let folder = Folder::make(&run_folder)?;
        let logs = Logs::make(&run_folder)?;
        let block = Block::take()?;
        raise_file_limit();
        let (exits, _) = broadcast::channel(EXITS_KEPT);
        let (tell, tails) = (exits.clone(), logs.clone());
        let ended = move |ended: Ended| {
            let log_tail = tails.tail(&ended.name);
            let status = ended.status.to_string();
            // Nobody listening is fine.
            let _ = tell.send(NodeExited {
                name: ended.name,
                status,
                asked: ended.asked,
                out_of_sight: false,
                log_tail,
            });
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
            logs,
            plans: Mutex::default(),
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
            self.folder.write_node(plan, &self.logs)?;
            self.plans().insert(plan.name.clone(), plan.clone());
            self.start_one(&plan.name).await?;
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

    fn plans(&self) -> MutexGuard<'_, HashMap<NodeName, NodePlan>> {
        self.plans.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn start_one(&self, name: &NodeName) -> Result<(), BackendError> {
        let log = self.logs.open(name)?;
        let errors = log.try_clone().map_err(|e| self.logs.error(name, e))?;
        let mut command = Command::new(&self.binary);
        command.arg(self.folder.conf(name)).stdin(Stdio::null()).stdout(log).stderr(errors);
        let spawned = self.spawner.spawn(name.clone(), command).await;
        spawned.map_err(|source| BackendError::Spawn { name: name.clone(), source })
    }

    async fn start_once_more(&self, name: &NodeName, data: Data) -> Result<(), BackendError> {
        let plan = self.plans().get(name).cloned();
        let plan = plan.ok_or_else(|| BackendError::NotRunning { name: name.clone() })?;
        if self.spawner.pid(name).is_some() {
            return Err(BackendError::Running { name: name.clone() });
        }
        if data == Data::Dropped {
            self.folder.remove_node(name)?;
            self.folder.write_node(&plan, &self.logs)?;
        }
        self.start_one(name).await
    }

    async fn end_gently(&self, name: &NodeName) -> Result<(), BackendError> {
        self.signal(name, Signal::TERM)?;
        let give_up = Instant::now() + GRACE;
        while self.spawner.pid(name).is_some() {
            if Instant::now() >= give_up {
                return self.signal(name, Signal::KILL);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
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

    fn reserve<'a>(
        &'a self,
        names: &'a [NodeName],
        port: Option<u16>,
    ) -> BoxFuture<'a, Result<Vec<SocketAddr>, BackendError>> {
        async move { self.reserve_now(names.len(), port) }.boxed()
    }

    fn relay_addresses(&self, count: usize, port: u16) -> Result<Vec<SocketAddr>, BackendError> {
        self.reserve_now(count, Some(port))
    }

    fn start<'a>(&'a self, plans: Vec<NodePlan>) -> BoxFuture<'a, Result<(), BackendError>> {
        self.start_all(plans).boxed()
    }

    fn start_again<'a>(
        &'a self,
        name: &'a NodeName,
        data: Data,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        self.start_once_more(name, data).boxed()
    }

    fn stop<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>> {
        self.end_gently(name).boxed()
    }

    fn kill<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>> {
        async move { self.signal(name, Signal::KILL) }.boxed()
    }

    fn pause<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>> {
        async move { self.signal(name, Signal::STOP) }.boxed()
    }

    fn resume<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>> {
        async move { self.signal(name, Signal::CONT) }.boxed()
    }

    fn pid(&self, name: &NodeName) -> Option<u32> {
        self.spawner.pid(name).map(|pid| pid.as_raw_pid() as u32)
    }

    fn exits(&self) -> broadcast::Receiver<NodeExited> {
        self.exits.subscribe()
    }

    fn log_tail(&self, name: &NodeName) -> String {
        self.logs.tail(name)
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
