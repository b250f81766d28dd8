//! Strains on servers and actors that run on, and how several strains on one of them add up.
//!
//! Two steps may strain one server at once, and one of them ends first. So the result is always
//! computed again from all strains that are left: a pause while there is one, the smallest share
//! of a CPU, the slowest disk, the sum of all clock jumps, the memory limit that came last. When
//! none is left, the server is as it was before.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::FaultError;
use crate::backend::preload::Control;
use crate::backend::{Backend, BackendError};
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::node::{Node, NodeError};
use crate::spec::step::Policy;

/// The strains on all nodes of a drill.
#[derive(Default)]
pub struct Strains {
    last: AtomicU64,
    all: parking_lot::Mutex<ByKind>,
}

type ByKind = HashMap<(NodeName, StrainKind), Arc<Mutex<OfOneKind>>>;

/// A shortage or disturbance that a server runs with.
pub enum Strain {
    Paused,
    /// The share of one CPU that it may use.
    Cpu(f64),
    Memory {
        node: Node,
        bytes: u64,
        policy: Option<Policy>,
    },
    FullDisk {
        files: String,
    },
    SlowDisk {
        fsync: Duration,
        write: Duration,
        files: String,
    },
    Clock {
        jump: i64,
        drift: f64,
        since: Instant,
    },
}

/// The settings of a server that are changed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum StrainKind {
    Pause,
    Cpu,
    Memory,
    Library,
}

/// The strains of one kind on one node. The lock is held while the server's settings are
/// changed, so that the last computation is the last change. A paused server does not answer;
/// only callers who change the same kind wait for it.
#[derive(Default)]
struct OfOneKind {
    all: Vec<(u64, Strain)>,
    memory_before: Option<MemoryBefore>,
}

/// `maxmemory` and its policy before they were first changed, as CONFIG SET takes them.
struct MemoryBefore {
    node: Node,
    limit: String,
    policy: String,
}

/// One strain on one node, which can be ended.
#[derive(Clone)]
pub struct StrainHandle {
    name: NodeName,
    kind: StrainKind,
    number: u64,
    of_one_kind: Arc<Mutex<OfOneKind>>,
}

impl Strains {
    /// Puts `strain` on `name`.
    ///
    /// # Errors
    /// The server does not run or does not follow. Then it has no such strain.
    pub async fn lay(
        &self,
        backend: &dyn Backend,
        name: &NodeName,
        strain: Strain,
    ) -> Result<StrainHandle, FaultError> {
        let kind = strain.kind();
        if kind != StrainKind::Pause && !backend.runs(name) {
            return Err(FaultError::Down(name.clone()));
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let of_one_kind = self.of_one_kind(name, kind);
        let handle = StrainHandle { name: name.clone(), kind, number, of_one_kind };
        handle.of_one_kind.lock().await.add(backend, &handle, strain).await?;
        Ok(handle)
    }

    /// The server of `name` has ended: its successor is not paused.
    pub async fn forget_pauses(&self, name: &NodeName) {
        self.of_one_kind(name, StrainKind::Pause).lock().await.all.clear();
    }

    fn of_one_kind(&self, name: &NodeName, kind: StrainKind) -> Arc<Mutex<OfOneKind>> {
        let mut all = self.all.lock();
        all.entry((name.clone(), kind)).or_default().clone()
    }
}

impl StrainHandle {
    /// Ends it. Returns whether it was still active.
    ///
    /// # Errors
    /// The server does not follow. It may be tried again.
    pub async fn end(&self, backend: &dyn Backend) -> Result<bool, FaultError> {
        self.of_one_kind.lock().await.remove(backend, self).await
    }
}

impl Strain {
    fn kind(&self) -> StrainKind {
        match self {
            Strain::Paused => StrainKind::Pause,
            Strain::Cpu(_) => StrainKind::Cpu,
            Strain::Memory { .. } => StrainKind::Memory,
            Strain::FullDisk { .. } | Strain::SlowDisk { .. } | Strain::Clock { .. } => {
                StrainKind::Library
            }
        }
    }
}

impl OfOneKind {
    async fn add(
        &mut self,
        backend: &dyn Backend,
        handle: &StrainHandle,
        strain: Strain,
    ) -> Result<(), FaultError> {
        if let (Strain::Memory { node, .. }, None) = (&strain, &self.memory_before) {
            let limit = config(node, "maxmemory").await?;
            let policy = config(node, "maxmemory-policy").await?;
            self.memory_before = Some(MemoryBefore { node: node.clone(), limit, policy });
        }
        self.all.push((handle.number, strain));
        let told = self.tell(backend, handle, None).await;
        if told.is_err() {
            self.all.pop();
            // A part of it may have taken effect.
            self.tell(backend, handle, None).await.or_logged("undo a fault");
        }
        told
    }

    async fn remove(
        &mut self,
        backend: &dyn Backend,
        handle: &StrainHandle,
    ) -> Result<bool, FaultError> {
        let Some(at) = self.all.iter().position(|(number, _)| *number == handle.number) else {
            return Ok(false);
        };
        self.tell(backend, handle, Some(handle.number)).await?;
        self.all.remove(at);
        Ok(true)
    }

    /// Changes the node's settings of this kind to the sum of its strains, without `ending`.
    async fn tell(
        &self,
        backend: &dyn Backend,
        handle: &StrainHandle,
        ending: Option<u64>,
    ) -> Result<(), FaultError> {
        let left = self.all.iter().filter(|(number, _)| Some(*number) != ending);
        let left: Vec<&Strain> = left.map(|(_, strain)| strain).collect();
        let name = &handle.name;
        match handle.kind {
            // A server that has ended is not paused, and has forgotten its memory limit.
            StrainKind::Memory if ending.is_some() && !backend.runs(name) => {}
            StrainKind::Pause if left.is_empty() => match backend.resume(name).await {
                Err(BackendError::NotRunning { .. }) if ending.is_some() => {}
                resumed => resumed?,
            },
            StrainKind::Pause => backend.pause(name).await?,
            StrainKind::Cpu => backend.limit_cpu(name, smallest_share(&left)).await?,
            StrainKind::Memory => {
                if let Some(before) = &self.memory_before {
                    limit_memory(&left, before).await?;
                }
            }
            StrainKind::Library => backend.steer(name, control(&left)).await?,
        }
        Ok(())
    }
}

/// The value of a directive on the server.
pub async fn config(node: &Node, name: &str) -> Result<String, NodeError> {
    let (_, value): (String, String) =
        node.admin.query(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
    Ok(value)
}

fn smallest_share(left: &[&Strain]) -> Option<f64> {
    let shares = left.iter().filter_map(|strain| match strain {
        Strain::Cpu(share) => Some(*share),
        _ => None,
    });
    shares.min_by(f64::total_cmp)
}

/// Sets the server's limit to the latest one, or back to the original one.
async fn limit_memory(left: &[&Strain], before: &MemoryBefore) -> Result<(), FaultError> {
    let last = left.iter().rev().find_map(|strain| match strain {
        Strain::Memory { bytes, policy, .. } => Some((*bytes, *policy)),
        _ => None,
    });
    let limit = last.map_or(before.limit.clone(), |(bytes, _)| bytes.to_string());
    let policy = last.and_then(|(_, policy)| policy);
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxmemory-policy");
    set.arg(policy.map_or(&*before.policy, |policy| policy.word()));
    set.arg("maxmemory").arg(limit);
    // A separate connection: another one may have broken since its last use.
    Ok(before.node.apart().admin.query::<()>(&set).await?)
}

/// The content of the preload library's control file.
fn control(left: &[&Strain]) -> Control {
    let mut control = Control::default();
    let (mut ahead, mut drift_all, mut is_slow) = (0i128, 0.0, false);
    for strain in left {
        match strain {
            Strain::FullDisk { files } => {
                both(&mut control.full_files, files, !control.full);
                control.full = true;
            }
            Strain::SlowDisk { fsync, write, files } => {
                both(&mut control.slow_files, files, !is_slow);
                is_slow = true;
                control.fsync = control.fsync.max(fsync.as_nanos() as u64);
                control.write = control.write.max(write.as_nanos() as u64);
            }
            Strain::Clock { jump, drift, since } => {
                control.jump = control.jump.saturating_add(*jump);
                ahead += (since.elapsed().as_nanos() as f64 * drift / 100.0) as i128;
                drift_all += drift;
            }
            Strain::Paused | Strain::Cpu(_) | Strain::Memory { .. } => {}
        }
    }
    // The drifts began at different instants. Together they are one drift that began with the
    // drill.
    control.drift = (drift_all * 10_000.0) as i64;
    match control.drift {
        0 => control.jump = control.jump.saturating_add(ahead as i64),
        drift => control.drift_age = (ahead * 1_000_000 / i128::from(drift)) as i64,
    }
    control
}

/// If several strains name different kinds of files, all files are meant.
fn both(files: &mut String, others: &str, is_first: bool) {
    match is_first {
        true => *files = others.to_owned(),
        false if files != others => files.clear(),
        false => {}
    }
}
