//! What servers have to bear just now, and how several such things on one server add up.
//!
//! Two steps may do the same to one server at once, and one ends before the other. So what
//! holds is always worked out anew from all that is left: the smallest share of a CPU, the
//! slowest disk, the sum of all jumps of a clock, the memory limit that came last. When
//! nothing is left, the server is as it was.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::clock::Seen;
use super::memory::{Former, Limit};
use super::sleep::Sleeper;
use super::{FaultError, Field, clock, disk, memory, slow};
use crate::backend::Backend;
use crate::backend::preload::{self, Control};
use crate::model::NodeName;
use crate::node::Node;
use crate::spec::hardship::Hardship;

/// What all nodes of a drill have to bear.
#[derive(Default)]
pub struct Bearing {
    /// Held while a server is told, so that what was worked out last is told last.
    load: Mutex<Load>,
}

#[derive(Default)]
struct Load {
    last: Id,
    all: Vec<Borne>,
    /// What servers' memory limits were before the first of them was changed.
    former: HashMap<NodeName, Former>,
}

/// One hardship of one node.
struct Borne {
    id: Id,
    node: Node,
    what: What,
}

/// A hardship that has begun.
pub(super) enum What {
    Cpu(f64),
    Sleeping(Sleeper),
    Memory(Limit),
    FullDisk { files: String },
    SlowDisk { fsync: Duration, write: Duration, files: String },
    Clock { jump: i64, drift: f64, since: Instant },
}

/// One hardship of one node, to be ended.
pub type Id = u64;

impl Bearing {
    /// Lays `hardship` on `node`.
    ///
    /// # Errors
    /// It cannot be, and is not.
    pub async fn lay(
        &self,
        field: Field<'_>,
        node: &Node,
        hardship: Hardship,
    ) -> Result<Id, FaultError> {
        if !field.backend.runs(&node.name) {
            return Err(FaultError::Down(node.name.clone()));
        }
        let files = |files: crate::spec::hardship::Files| files.part_of_path(&field.group.spec);
        let seen = Seen::before(node, hardship).await;
        let what = match hardship {
            Hardship::Slow { cpu } => What::Cpu(cpu),
            Hardship::Sleep { sleep, every } => {
                What::Sleeping(Sleeper::start(node, sleep, every).await?)
            }
            Hardship::MemoryPressure { share, policy } => {
                What::Memory(memory::limit(node, share, policy).await?)
            }
            Hardship::DiskFull { files: of } => What::FullDisk { files: files(of) },
            Hardship::SlowDisk { fsync, write, files: of } => {
                What::SlowDisk { fsync, write, files: files(of) }
            }
            Hardship::Clock { jump, drift } => What::Clock { jump, drift, since: Instant::now() },
        };
        let id = self.load.lock().await.add(field.backend, node, what).await?;
        let pid = field.backend.pid(&node.name).filter(|_| hardship.tools().preload);
        let took_place = match pid.and_then(preload::is_loaded_into) {
            Some(false) => Err(FaultError::NoLibrary(node.name.clone())),
            _ => seen.has_moved(node).await,
        };
        match took_place {
            Ok(()) => Ok(id),
            Err(error) => {
                let _ = self.end(field.backend, id).await;
                Err(error)
            }
        }
    }

    /// Ends it, and gives what a person should know of how it was borne. What has ended is no
    /// error.
    ///
    /// # Errors
    /// The server does not follow. It may be tried again.
    pub async fn end(&self, backend: &dyn Backend, id: Id) -> Result<Option<String>, FaultError> {
        let sleeper = match self.load.lock().await.remove(backend, id).await? {
            Ended::Sleeping(sleeper) => sleeper,
            Ended::Done(remark) => return Ok(remark),
        };
        // Others need not wait for it.
        sleeper.wake_up().await;
        Ok(None)
    }
}

enum Ended {
    Sleeping(Sleeper),
    Done(Option<String>),
}

impl Load {
    async fn add(
        &mut self,
        backend: &dyn Backend,
        node: &Node,
        what: What,
    ) -> Result<Id, FaultError> {
        if matches!(what, What::Memory(_)) && !self.former.contains_key(&node.name) {
            self.former.insert(node.name.clone(), memory::former(node).await?);
        }
        self.last += 1;
        let id = self.last;
        self.all.push(Borne { id, node: node.clone(), what });
        let told = self.tell(backend, node, self.all.len() - 1, None).await;
        if told.is_err() {
            // It may hold in part.
            let _ = self.remove(backend, id).await;
        }
        told.map(|()| id)
    }

    async fn remove(&mut self, backend: &dyn Backend, id: Id) -> Result<Ended, FaultError> {
        let Some(at) = self.all.iter().position(|borne| borne.id == id) else {
            return Ok(Ended::Done(None));
        };
        let node = self.all[at].node.clone();
        let remark = match &self.all[at].what {
            What::Memory(limit) if backend.runs(&node.name) => limit.remark(&node).await,
            _ => None,
        };
        self.tell(backend, &node, at, Some(id)).await?;
        Ok(match self.all.remove(at).what {
            What::Sleeping(sleeper) => Ended::Sleeping(sleeper),
            _ => Ended::Done(remark),
        })
    }

    /// Has the node follow all that it bears of the kind of number `at`, without `ending`.
    async fn tell(
        &self,
        backend: &dyn Backend,
        node: &Node,
        at: usize,
        ending: Option<Id>,
    ) -> Result<(), FaultError> {
        let is_left = |b: &&Borne| b.node.name == node.name && Some(b.id) != ending;
        let left: Vec<&What> = self.all.iter().filter(is_left).map(|borne| &borne.what).collect();
        match &self.all[at].what {
            What::Cpu(_) => backend.limit_cpu(&node.name, slow::share(&left)).await?,
            What::Sleeping(_) => {}
            // What has ended has forgotten its limit, and is not there to be told another.
            What::Memory(_) if ending.is_some() && !backend.runs(&node.name) => {}
            What::Memory(_) => {
                let former = self.former.get(&node.name);
                memory::apply(node, &left, former).await?;
            }
            What::FullDisk { .. } | What::SlowDisk { .. } | What::Clock { .. } => {
                let mut control = Control::default();
                disk::add(&left, &mut control);
                clock::add(&left, &mut control);
                backend.steer(&node.name, control).await?;
            }
        }
        Ok(())
    }
}
