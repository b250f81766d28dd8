//! Applied servers have to bear just now, and how several such things on one server add up.
//!
//! Two steps may do the same to one server at once, and one ends before the other. So what
//! holds is always worked out anew from all that is left: a pause as long as there is one, the
//! smallest share of a CPU, the slowest disk, the sum of all jumps of a clock, the memory limit
//! that came last. When nothing is left, the server is as it was.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::clock::Seen;
use super::memory::{Former, Limit};
use super::sleep::Sleeper;
use super::{FaultError, Field, clock, disk, memory, slow};
use crate::backend::Backend;
use crate::backend::preload::{self, Control};
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::Node;
use crate::spec::hardship::Hardship;

/// Applied all nodes of a drill have to bear.
#[derive(Default)]
pub struct ActiveFaults {
    last: AtomicU64,
    loads: std::sync::Mutex<Loads>,
}

type Loads = HashMap<(NodeName, Kind), Arc<Mutex<Load>>>;

/// Applied one node bears of one kind. Held while its server is told, so that what was worked out
/// last is told last; and one that does not answer, as it is paused, keeps nobody from letting
/// it go on.
#[derive(Default)]
struct Load {
    all: Vec<(u64, Applied)>,
    /// Applied the server's memory limit was before it was first changed.
    former: Option<Former>,
}

/// Something to bear that has begun.
pub(super) enum Applied {
    Paused,
    Cpu(f64),
    Sleeping(Sleeper),
    Memory(Limit),
    FullDisk { files: String },
    SlowDisk { fsync: Duration, write: Duration, files: String },
    Clock { jump: i64, drift: f64, since: Instant },
}

/// Applied a server is told in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Pause,
    Cpu,
    Sleep,
    Memory,
    Library,
}

/// One thing that one node bears, to be ended.
#[derive(Clone, Debug)]
pub struct FaultHandle {
    node: Node,
    kind: Kind,
    number: u64,
}

impl ActiveFaults {
    /// Lays `hardship` on `node`.
    ///
    /// # Errors
    /// It cannot be, and is not.
    pub async fn lay(
        &self,
        field: Field<'_>,
        node: &Node,
        hardship: Hardship,
    ) -> Result<FaultHandle, FaultError> {
        if !field.backend.runs(&node.name) {
            return Err(FaultError::Down(node.name.clone()));
        }
        let files = |files: crate::spec::hardship::Files| files.part_of_path(&field.group.spec);
        let seen = Seen::before(node, hardship).await;
        let what = match hardship {
            Hardship::Slow { cpu } => Applied::Cpu(cpu),
            Hardship::Sleep { sleep, every } => {
                Applied::Sleeping(Sleeper::start(node, sleep, every).await?)
            }
            Hardship::MemoryPressure { share, policy } => {
                Applied::Memory(memory::limit(node, share, policy).await?)
            }
            Hardship::DiskFull { files: of } => Applied::FullDisk { files: files(of) },
            Hardship::SlowDisk { fsync, write, files: of } => {
                Applied::SlowDisk { fsync, write, files: files(of) }
            }
            Hardship::Clock { jump, drift } => {
                Applied::Clock { jump, drift, since: Instant::now() }
            }
        };
        let id = self.add(field.backend, node, what).await?;
        let pid = field.backend.pid(&node.name).filter(|_| hardship.tools().preload);
        let took_place = match pid.and_then(preload::is_loaded_into) {
            Some(false) => Err(FaultError::NoLibrary(node.name.clone())),
            _ => seen.has_moved(node).await,
        };
        match took_place {
            Ok(()) => Ok(id),
            Err(error) => {
                self.end(field.backend, &id).await.or_logged("undo a fault that failed");
                Err(error)
            }
        }
    }

    /// # Errors
    /// The server does not follow, and need not bear it.
    pub(super) async fn add(
        &self,
        backend: &dyn Backend,
        node: &Node,
        what: Applied,
    ) -> Result<FaultHandle, FaultError> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let id = FaultHandle { node: node.clone(), kind: what.kind(), number };
        let load = self.load(&node.name, id.kind);
        let mut load = load.lock().await;
        load.add(backend, &id, what).await?;
        Ok(id)
    }

    /// Ends it, and gives what a person should know of how it was borne. Applied has ended is no
    /// error.
    ///
    /// # Errors
    /// The server does not follow. It may be tried again.
    pub async fn end(
        &self,
        backend: &dyn Backend,
        id: &FaultHandle,
    ) -> Result<Option<String>, FaultError> {
        let load = self.load(&id.node.name, id.kind);
        let ended = load.lock().await.remove(backend, id).await?;
        // Others need not wait for what is left to do.
        match ended {
            Some(Applied::Sleeping(sleeper)) => sleeper.wake_up().await,
            Some(Applied::Memory(limit)) if backend.runs(&id.node.name) => {
                return Ok(limit.remark(&id.node).await);
            }
            _ => {}
        }
        Ok(None)
    }

    /// The server of `name` has ended: what is started in its place is not paused.
    pub(super) async fn forget_pauses(&self, name: &NodeName) {
        self.load(name, Kind::Pause).lock().await.all.clear();
    }

    fn load(&self, name: &NodeName, kind: Kind) -> Arc<Mutex<Load>> {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.entry((name.clone(), kind)).or_default().clone()
    }
}

impl Applied {
    fn kind(&self) -> Kind {
        match self {
            Applied::Paused => Kind::Pause,
            Applied::Cpu(_) => Kind::Cpu,
            Applied::Sleeping(_) => Kind::Sleep,
            Applied::Memory(_) => Kind::Memory,
            Applied::FullDisk { .. } | Applied::SlowDisk { .. } | Applied::Clock { .. } => {
                Kind::Library
            }
        }
    }
}

impl Load {
    async fn add(
        &mut self,
        backend: &dyn Backend,
        id: &FaultHandle,
        what: Applied,
    ) -> Result<(), FaultError> {
        if id.kind == Kind::Memory && self.former.is_none() {
            self.former = Some(memory::former(&id.node).await?);
        }
        self.all.push((id.number, what));
        let told = self.tell(backend, id, None).await;
        if told.is_err() {
            self.all.pop();
            // It may hold in part.
            self.tell(backend, id, None).await.or_logged("undo a fault");
        }
        told
    }

    async fn remove(
        &mut self,
        backend: &dyn Backend,
        id: &FaultHandle,
    ) -> Result<Option<Applied>, FaultError> {
        let Some(at) = self.all.iter().position(|(number, _)| *number == id.number) else {
            return Ok(None);
        };
        self.tell(backend, id, Some(id.number)).await?;
        Ok(Some(self.all.remove(at).1))
    }

    /// Has the node of `id` follow all that it bears of this kind, without `ending`.
    async fn tell(
        &self,
        backend: &dyn Backend,
        id: &FaultHandle,
        ending: Option<u64>,
    ) -> Result<(), FaultError> {
        let left = self.all.iter().filter(|(number, _)| Some(*number) != ending);
        let left: Vec<&Applied> = left.map(|(_, what)| what).collect();
        let name = &id.node.name;
        match id.kind {
            // Applied has ended is not paused, and has forgotten its memory limit.
            Kind::Pause | Kind::Memory if ending.is_some() && !backend.runs(name) => {}
            Kind::Pause if left.is_empty() => backend.resume(name).await?,
            Kind::Pause => backend.pause(name).await?,
            Kind::Cpu => backend.limit_cpu(name, slow::share(&left)).await?,
            Kind::Sleep => {}
            Kind::Memory => memory::apply(&id.node, &left, self.former.as_ref()).await?,
            Kind::Library => {
                let mut control = Control::default();
                disk::add(&left, &mut control);
                clock::add(&left, &mut control);
                backend.steer(name, control).await?;
            }
        }
        Ok(())
    }
}
