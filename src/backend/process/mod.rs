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
mod throttle;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
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
use self::spawner::{Ended, Hold, Spawner};
use self::throttle::Throttle;
use super::logs::{self, Logs};
use super::preload::{self, Control};
use super::{Backend, BackendError, Data, NodeExited, NodePlan, Tools};
use crate::model::NodeName;
use crate::model::event::EngineInfo;

/// Nodes of a cluster call all others ten times a second until they answer. More of them
/// than this are held back until all have been started: a hundred on two cores otherwise
/// spend three times the work on calling those that are not there yet.
const CROWD: usize = 40;
/// What a server gets to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// For the kernel to end a server that has no say in it.
const LAST_GRACE: Duration = Duration::from_secs(10);
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
    throttles: Mutex<HashMap<NodeName, Throttle>>,
    // Before `folder`: servers end before what they write in is removed.
    spawner: Arc<Spawner>,
    folder: Folder,
    logs: Logs,
    /// What was started, to be started again.
    plans: Mutex<HashMap<NodeName, NodePlan>>,
    /// What servers are to be started with.
    tools: Mutex<HashMap<NodeName, Tools>>,
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
            // Servers may be started in another directory.
            binary: std::path::absolute(&binary.path).unwrap_or_else(|_| binary.path.clone()),
            engine: binary.info(),
            block,
            reserved: Mutex::new(0),
            exits,
            throttles: Mutex::default(),
            spawner: Arc::new(spawner),
            folder,
            logs,
            plans: Mutex::default(),
            tools: Mutex::default(),
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

    async fn start_all(&self, mut plans: Vec<NodePlan>) -> Result<(), BackendError> {
        plans.iter_mut().for_each(|plan| plan.take(self.tools_of(&plan.name)));
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

    fn tools_of(&self, name: &NodeName) -> Tools {
        let tools = self.tools.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tools.get(name).copied().unwrap_or_default()
    }

    async fn start_one(&self, name: &NodeName) -> Result<(), BackendError> {
        let log = self.logs.open(name)?;
        let errors = log.try_clone().map_err(|e| self.logs.error(name, e))?;
        let args = self.plans().get(name).map(|plan| plan.args.clone()).unwrap_or_default();
        let mut command = Command::new(&self.binary);
        if self.tools_of(name).preload {
            let control = self.folder.control(name);
            preload::load(&mut command, &self.folder.preload()).env(preload::CONTROL, control);
        }
        command
            .arg(self.folder.conf(name))
            .args(args)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let spawned = self.spawner.spawn(name.clone(), command).await;
        let (name, binary) = (name.clone(), self.binary.clone());
        spawned.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackendError::Running { name },
            _ => BackendError::Spawn { name, binary, source },
        })
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
        if self.is_gone_within(name, GRACE).await {
            return Ok(());
        }
        match self.end_at_once(name).await {
            // By itself, after all.
            Err(BackendError::NotRunning { .. }) => Ok(()),
            ended => ended,
        }
    }

    /// It is gone when this is done: whoever starts it again then need not ask.
    async fn end_at_once(&self, name: &NodeName) -> Result<(), BackendError> {
        self.signal(name, Signal::KILL)?;
        match self.is_gone_within(name, LAST_GRACE).await {
            true => Ok(()),
            false => Err(BackendError::Undying { name: name.clone(), waited: LAST_GRACE }),
        }
    }

    /// Whether the server that runs now ends in time.
    async fn is_gone_within(&self, name: &NodeName, time: Duration) -> bool {
        let Some(pid) = self.spawner.pid(name) else { return true };
        let give_up = Instant::now() + time;
        while self.spawner.pid(name) == Some(pid) {
            if Instant::now() >= give_up {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        true
    }

    fn signal(&self, name: &NodeName, signal: Signal) -> Result<(), BackendError> {
        BackendError::of_signal(name, self.spawner.signal(name, signal))
    }

    fn hold(&self, name: &NodeName, on: bool) -> Result<(), BackendError> {
        BackendError::of_signal(name, self.spawner.hold(name, Hold::Pause, on))
    }

    fn throttle(&self, name: &NodeName, share: Option<f64>) -> Result<(), BackendError> {
        let mut throttles = self.throttles.lock().unwrap_or_else(|e| e.into_inner());
        // The former one's end lets the server go on.
        throttles.remove(name);
        if let Some(share) = share {
            let throttle = Throttle::start(self.spawner.clone(), name.clone(), share);
            throttles
                .insert(name.clone(), throttle.map_err(|source| BackendError::Thread { source })?);
        }
        Ok(())
    }
}

impl BackendError {
    /// What came of signalling the server, which does not run if that is `None`.
    fn of_signal(name: &NodeName, sent: Option<std::io::Result<()>>) -> Result<(), BackendError> {
        match sent {
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

    fn reserve(
        &self,
        count: usize,
        port: Option<u16>,
    ) -> BoxFuture<'_, Result<Vec<SocketAddr>, BackendError>> {
        async move { self.reserve_now(count, port) }.boxed()
    }

    fn doors(&self, count: usize, port: u16) -> Result<Vec<SocketAddr>, BackendError> {
        self.reserve_now(count, Some(port))
    }

    fn client_addresses(&self, count: usize) -> Result<Vec<IpAddr>, BackendError> {
        // Nobody listens there; any port will do.
        Ok(self.reserve_now(count, None)?.iter().map(SocketAddr::ip).collect())
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
        self.end_at_once(name).boxed()
    }

    fn pause<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>> {
        async move { self.hold(name, true) }.boxed()
    }

    fn resume<'a>(&'a self, name: &'a NodeName) -> BoxFuture<'a, Result<(), BackendError>> {
        async move { self.hold(name, false) }.boxed()
    }

    fn equip(&self, tools: HashMap<NodeName, Tools>) -> Result<(), BackendError> {
        if tools.values().any(|tools| tools.preload) {
            self.folder.write_preload()?;
        }
        *self.tools.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = tools;
        Ok(())
    }

    fn limit_cpu<'a>(
        &'a self,
        name: &'a NodeName,
        share: Option<f64>,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        async move { self.throttle(name, share) }.boxed()
    }

    fn steer<'a>(
        &'a self,
        name: &'a NodeName,
        control: Control,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        async move {
            match self.tools_of(name).preload {
                true => self.folder.write_control(name, &control),
                false => Err(BackendError::NoPreload { name: name.clone() }),
            }
        }
        .boxed()
    }

    fn runs(&self, name: &NodeName) -> bool {
        self.spawner.pid(name).is_some()
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
