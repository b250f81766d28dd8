//! What a node's container has for steps of a scenario: the preload library and what that is
//! told, and how much of a CPU it may use.
//!
//! Files come in as an archive, as the configuration does, so the engine may be anywhere.

use std::collections::HashMap;
use std::time::Instant;

use bollard::body_full;
use bollard::errors::Error;
use bollard::models::ContainerUpdateBody;
use bollard::query_parameters::UploadToContainerOptionsBuilder;

use super::DockerBackend;
use super::call::call;
use super::container::{HOME, cannot, pack};
use crate::backend::preload::{self, Control};
use crate::backend::{BackendError, NodePlan, Tools};
use crate::model::NodeName;

/// The name of the file that the library reads.
const CONTROL: &str = "redrill-control";
/// In which a container may use its quota, in microseconds: the kernel's own default.
pub const PERIOD: Option<i64> = Some(100_000);
/// The least that the kernel takes, in microseconds.
const LEAST_QUOTA: i64 = 1_000;
const NO_QUOTA: i64 = -1;

#[derive(Clone, Debug, Default)]
pub struct Kit {
    pub tools: Tools,
    /// A share of one CPU, besides what its topology allows.
    pub cpu: Option<f64>,
    control: Control,
    /// Since when the library has been told that.
    told: Option<Instant>,
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

impl DockerBackend {
    pub(super) fn kit(&self, name: &NodeName) -> Kit {
        let kits = self.kits.lock();
        kits.get(name).cloned().unwrap_or_default()
    }

    fn change_kit(&self, name: &NodeName, change: impl FnOnce(&mut Kit)) -> Kit {
        let mut kits = self.kits.lock();
        let kit = kits.entry(name.clone()).or_default();
        change(kit);
        kit.clone()
    }

    pub(super) fn equip_all(&self, tools: HashMap<NodeName, Tools>) {
        for (name, tools) in tools {
            self.change_kit(&name, |kit| kit.tools = tools);
        }
    }

    pub(super) async fn limit(
        &self,
        name: &NodeName,
        share: Option<f64>,
    ) -> Result<(), BackendError> {
        let made = self.made(name)?;
        let kit = self.change_kit(name, |kit| kit.cpu = share);
        let body = ContainerUpdateBody {
            cpu_period: PERIOD,
            cpu_quota: Some(kit.quota(&made.plan).unwrap_or(NO_QUOTA)),
            ..ContainerUpdateBody::default()
        };
        let limited =
            call("limit", name, self.engine.docker.update_container(&made.id, body)).await;
        Ok(limited.map_err(|e| cannot("limit", name, e))?)
    }

    pub(super) async fn tell_library(
        &self,
        name: &NodeName,
        control: Control,
    ) -> Result<(), BackendError> {
        let made = self.made(name)?;
        if !self.kit(name).tools.preload {
            return Err(BackendError::NoPreload { name: name.clone() });
        }
        let kit = self.change_kit(name, |kit| {
            (kit.control, kit.told) = (control, Some(Instant::now()));
        });
        let bytes = kit.control();
        let files = pack([(CONTROL, &*bytes)].into_iter());
        let files = files.map_err(|e| cannot("fill", name, Error::from(e)))?;
        let options = UploadToContainerOptionsBuilder::default().path(HOME).build();
        let docker = &self.engine.docker;
        let told =
            docker.upload_to_container(&made.id, Some(options), body_full(files.into())).await;
        Ok(told.map_err(|e| cannot("fill", name, e))?)
    }
}
