//! Nodes as containers of a Docker engine, through its API.
//!
//! Everything of a drill has labels that name its owner, so that [`sweep`] finds it whatever
//! happens to redrill. Nodes have fixed addresses on a separate network (see [`network`]). No
//! port is published: only this machine can reach them.

mod call;
mod container;
mod cuts;
mod doors;
pub mod endpoint;
pub mod error;
mod image;
mod kit;
mod logs;
mod made;
pub mod nft;
mod network;
mod nodes;
pub mod owner;
mod place;
pub mod reaper;
mod stats;
pub mod sweep;
mod watch;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::errors::Error;
use parking_lot::Mutex;
use tokio::sync::RwLock;

use self::doors::Doors;
use self::endpoint::Engine;
use self::error::DockerError;
use self::image::Image;
use self::made::{Cuts, How, Kit, Made};
use self::network::{MOST_NODES, Network};
use self::owner::Owner;
use self::reaper::Reaper;
use self::stats::Usages;
use self::watch::{Containers, Watch};
use super::Wanted;
use super::logs::{self as files, Logs};
use super::preload::{self, Control};
use super::private::nodes_dir;
use super::proc::{self, ProcessId};
use super::programs::Programs;
use super::{Backend, BackendError, CutId, Data, Deaf, NodePlan, RunQueue, Tools};
use crate::model::event::{EngineInfo, Usage};
use crate::model::{HostId, NodeKind, NodeName};
use crate::spec::{Capabilities, Lack, topology};

const FIRST_PORT: u16 = 6379;

/// An engine that answers, and an image in it with a server.
#[derive(Clone, Debug)]
pub struct DockerSetup {
    engine: Engine,
    image: Image,
}

impl DockerSetup {
    /// Finds both. `redrill` is the program that cleans up if this process is killed or stops
    /// waiting. `heard` gets messages about what takes long: pulling an image.
    ///
    /// # Errors
    /// No engine answers, there is no such image, or it has no server.
    pub async fn find(
        asked: &topology::Engine,
        redrill: &Path,
        heard: &(dyn Fn(&str) + Sync),
    ) -> Result<DockerSetup, BackendError> {
        let engine = endpoint::find().await?;
        // The drill has no name yet. But the container that prints the version has an owner,
        // and is removed with it.
        let owner = owner(&any_suffix())?;
        let reaper = Reaper::start(redrill, &engine.endpoint.host, &owner.drill)?;
        let image = Image::find(&engine, asked, &owner, heard).await?;
        reaper.dismiss().await;
        Ok(DockerSetup { engine, image })
    }

    pub fn info(&self) -> EngineInfo {
        self.image.engine.clone()
    }
}

/// Eight hexadecimal digits.
fn any_suffix() -> String {
    format!("{:08x}", rand::random::<u32>())
}

fn owner(drill: &str) -> Result<Owner, BackendError> {
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Owner::own(drill, &started).ok_or(BackendError::NoProc)
}

pub struct DockerBackend {
    engine: Engine,
    image: Image,
    owner: Owner,
    network: Network,
    logs: Logs,
    /// How many addresses of the network are reserved.
    reserved: Mutex<usize>,
    doors: Doors,
    cuts: Cuts,
    /// The actors.
    programs: Arc<Programs>,
    nodes: Arc<Mutex<HashMap<NodeName, Made>>>,
    /// The tools that servers are started with, and their current settings.
    kits: Mutex<HashMap<NodeName, Kit>>,
    running: Containers,
    usages: Usages,
    /// Held while a container is created.
    making: Arc<RwLock<()>>,
    _watch: Watch,
    reaper: Reaper,
}

impl DockerBackend {
    /// Creates the drill's network. `redrill` is the program that cleans up if this process is
    /// killed, see [`reaper`].
    pub async fn open(
        resolved: &DockerSetup,
        drill: &str,
        run_folder: &Path,
        redrill: &Path,
    ) -> Result<DockerBackend, BackendError> {
        let DockerSetup { engine, image } = resolved.clone();
        // Names belong to the engine, which others use too.
        let owner = owner(&format!("{drill}-{}", any_suffix()))?;
        let logs = Logs::make(run_folder)?;
        let reaper = Reaper::start(redrill, &engine.endpoint.host, &owner.drill)?;
        let name = format!("redrill-{}", owner.drill);
        let network = Network::make(&engine, &name, &owner).await?;
        let folder = run_folder.canonicalize().map_err(|e| files::cannot_write(run_folder, e))?;
        let programs = Arc::new(Programs::new(nodes_dir(&folder), logs.clone())?);
        let running = Containers::default();
        let drill = owner.drill.clone();
        let exits = programs.exits.clone();
        let _watch = Watch::start(engine.clone(), drill, running.clone(), logs.clone(), exits);
        let (reserved, nodes) = Default::default();
        Ok(DockerBackend {
            engine,
            image,
            owner,
            network,
            logs,
            reserved,
            doors: Doors::default(),
            cuts: Cuts::default(),
            programs,
            nodes,
            kits: Mutex::default(),
            running,
            usages: Usages::default(),
            making: Arc::default(),
            _watch,
            reaper,
        })
    }

    /// The subnet of the nodes: `10.201.0.0/20`.
    pub fn subnet(&self) -> String {
        self.network.subnet()
    }
}

/// What servers can do in containers. Whether this process may cut is tried if it is wanted.
pub fn capabilities(wanted: Wanted) -> Capabilities {
    let uncut = if wanted.kernel_cuts { nft::usable().err() } else { None };
    let cuts = uncut.map(|why| Lack {
        why: format!("containers off here: {why}"),
        advice: "leave `via` out: redrill's relay makes the cut",
        of_machine: true,
    });
    let missing = preload::is_missing();
    let missing = missing.map(|why| Lack { why: why.to_owned(), advice: "", of_machine: false });
    Capabilities {
        limits: Ok(()),
        kernel_cuts: cuts.map_or(Ok(()), Err),
        preload: missing.map_or(Ok(()), Err),
    }
}

impl Engine {
    /// What the engine could not do.
    pub fn cannot(&self, what: &'static str, source: Error) -> DockerError {
        let (host, source) = (self.endpoint.host.clone(), Box::new(source));
        DockerError::Engine { host, what, source }
    }
}

#[async_trait]
impl Backend for DockerBackend {
    fn kind(&self) -> &'static str {
        "docker"
    }

    fn host(&self) -> HostId {
        match self.engine.endpoint.host.starts_with("unix:") {
            true => HostId::default(),
            false => HostId::new(&self.engine.endpoint.host),
        }
    }

    fn engine(&self) -> &EngineInfo {
        &self.image.engine
    }

    fn programs(&self) -> &Arc<Programs> {
        &self.programs
    }

    fn reserve(&self, count: usize, port: Option<u16>) -> Result<Vec<SocketAddr>, BackendError> {
        let mut reserved = self.reserved.lock();
        let (first, all) = (*reserved, *reserved + count);
        if all > MOST_NODES {
            return Err(DockerError::TooMany { count: all, most: MOST_NODES }.into());
        }
        *reserved = all;
        let port = port.unwrap_or(FIRST_PORT);
        Ok((first..all).map(|k| SocketAddr::new(self.network.node(k).into(), port)).collect())
    }

    fn doors(&self, count: usize, _: u16) -> Result<Vec<SocketAddr>, BackendError> {
        doors::is_here(self.network.gateway())?;
        self.doors.open(self.network.gateway(), count)
    }

    fn client_addresses(&self, count: usize) -> Result<Vec<IpAddr>, BackendError> {
        self.doors.client_addresses(count)
    }

    fn can_cut(&self) -> Result<(), BackendError> {
        Ok(doors::is_here(self.network.gateway())?)
    }

    async fn cut(&self, deaf: Deaf) -> Result<CutId, BackendError> {
        self.make_cut(deaf).await
    }

    async fn heal(&self, cut: CutId) -> Result<(), BackendError> {
        self.heal_cut(cut).await
    }

    fn equip(&self, tools: HashMap<NodeName, Tools>) -> Result<(), BackendError> {
        for (name, tools) in tools {
            self.change_kit(&name, |kit| kit.tools = tools);
        }
        Ok(())
    }

    async fn start(&self, plans: Vec<NodePlan>) -> Result<(), BackendError> {
        self.start_all(plans).await
    }

    async fn start_again(&self, name: &NodeName, data: Data) -> Result<(), BackendError> {
        match name.kind {
            NodeKind::Actor => self.programs.start_again(name, data).await,
            NodeKind::Shard(_) | NodeKind::Sentinel => self.again(name, data).await,
        }
    }

    async fn stop(&self, name: &NodeName) -> Result<(), BackendError> {
        match name.kind {
            NodeKind::Actor => self.programs.stop(name).await,
            NodeKind::Shard(_) | NodeKind::Sentinel => self.end(name, How::Stop).await,
        }
    }

    async fn kill(&self, name: &NodeName) -> Result<(), BackendError> {
        match name.kind {
            NodeKind::Actor => self.programs.kill(name).await,
            NodeKind::Shard(_) | NodeKind::Sentinel => self.end(name, How::Kill).await,
        }
    }

    async fn pause(&self, name: &NodeName) -> Result<(), BackendError> {
        match name.kind {
            NodeKind::Actor => self.programs.pause(name, true),
            NodeKind::Shard(_) | NodeKind::Sentinel => self.freeze(name, true).await,
        }
    }

    async fn resume(&self, name: &NodeName) -> Result<(), BackendError> {
        match name.kind {
            NodeKind::Actor => self.programs.pause(name, false),
            NodeKind::Shard(_) | NodeKind::Sentinel => self.freeze(name, false).await,
        }
    }

    async fn limit_cpu(&self, name: &NodeName, share: Option<f64>) -> Result<(), BackendError> {
        match name.kind {
            NodeKind::Actor => self.programs.limit_cpu(name, share),
            NodeKind::Shard(_) | NodeKind::Sentinel => self.limit(name, share).await,
        }
    }

    async fn steer(&self, name: &NodeName, control: Control) -> Result<(), BackendError> {
        self.tell_library(name, control).await
    }

    fn runs(&self, name: &NodeName) -> bool {
        let made = || self.made(name).is_ok_and(|made| self.running.lock().contains_key(&made.id));
        self.programs.runs(name) || made()
    }

    fn process(&self, name: &NodeName) -> Option<ProcessId> {
        self.nodes().get(name)?.pid.and_then(ProcessId::of)
    }

    fn has_preload(&self, name: &NodeName) -> Option<bool> {
        self.nodes().get(name)?.pid.and_then(preload::is_loaded_into)
    }

    fn run_queue(&self) -> RunQueue {
        let nodes = Arc::clone(&self.nodes);
        Box::new(move |name| nodes.lock().get(name)?.pid.and_then(proc::waited))
    }

    fn usage(&self, name: &NodeName) -> Option<Usage> {
        self.usages.lock().get(name).copied()
    }

    async fn shutdown(&self) -> Result<(), BackendError> {
        self.running.lock().values_mut().for_each(|running| running.asked = true);
        let actors = self.programs.shutdown().await;
        let _nothing_is_made = self.making.write().await;
        // By their labels, not from memory: the answer to a creation may have been lost.
        let drill = &self.owner.drill;
        let removed = sweep::all_of(&self.engine.docker, drill).await;
        removed.map_err(|e| self.engine.cannot("remove the drill's containers", e))?;
        self.reaper.dismiss().await;
        actors
    }
}
