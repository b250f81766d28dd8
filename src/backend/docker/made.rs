//! The state that redrill keeps for each container, and for the cuts between them.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::{RwLock, RwLockReadGuard};

use crate::backend::preload::{self, Control};
use crate::backend::{CutId, Deaf, NodePlan, Tools};

/// The node's directory in its container. Not `/data`: public images have a volume there.
pub const HOME: &str = "/redrill";

/// A node's container, running or not.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub id: String,
    pub(super) plan: NodePlan,
    /// The pid of its first process, if it is a process of this machine.
    pub pid: Option<u32>,
}

/// How a server is ended.
pub(super) enum How {
    /// At once.
    Kill,
    /// By itself, if it does in time.
    Stop,
}

/// The name of the file that the library reads.
pub const CONTROL: &str = "redrill-control";
/// The period of a container's quota, in microseconds: the kernel's default.
pub const PERIOD: Option<i64> = Some(100_000);
/// The smallest quota that the kernel accepts, in microseconds.
const LEAST_QUOTA: i64 = 1_000;

/// What a container has for steps of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Kit {
    pub tools: Tools,
    /// A share of one CPU, in addition to the topology's limit.
    pub cpu: Option<f64>,
    pub(super) control: Control,
    /// Since when the library has had this control.
    pub(super) told: Option<Instant>,
}

impl Kit {
    pub fn environment(&self) -> Option<Vec<String>> {
        self.tools.preload.then(|| {
            let load = format!("{}={HOME}/{}", preload::LOAD, preload::FILE);
            vec![load, format!("{}={HOME}/{CONTROL}", preload::CONTROL)]
        })
    }

    /// What the library is to be told now.
    pub fn control(&self) -> Vec<u8> {
        let since = self.told.map_or(0, |told| told.elapsed().as_nanos() as i64);
        let drift_age = self.control.drift_age + since;
        Control { drift_age, ..self.control.clone() }.to_bytes()
    }

    pub fn files<'f>(&self, control: &'f [u8]) -> Vec<(&'f str, &'f [u8])> {
        match self.tools.preload {
            true => vec![(preload::FILE, preload::LIBRARY), (CONTROL, control)],
            false => Vec::new(),
        }
    }

    /// In microseconds of each [`PERIOD`].
    pub fn quota(&self, plan: &NodePlan) -> Option<i64> {
        let of_topology = plan.limits.cpus.unwrap_or(f64::INFINITY);
        let cpus = of_topology.min(self.cpu.unwrap_or(f64::INFINITY));
        let quota = cpus.is_finite().then_some((cpus * 1e5) as i64);
        quota.map(|quota| quota.max(LEAST_QUOTA))
    }
}

/// The kernel's cuts that hold.
#[derive(Debug, Default)]
pub struct Cuts(pub(super) RwLock<Held>);

#[derive(Debug, Default)]
pub struct Held {
    pub(super) made: u32,
    pub(super) deaf: BTreeMap<CutId, Deaf>,
}

impl Cuts {
    /// While this is held, no cut is made or undone. Held while a container starts.
    pub async fn hold(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().await
    }
}
