//! What a node's container has for steps: the preload library with its control file, and how
//! much of a CPU it may use.
//!
//! Files are copied in as an archive, as the configuration is, so the engine may be anywhere.

use std::time::Instant;

use bollard::body_full;
use bollard::errors::Error;
use bollard::models::ContainerUpdateBody;
use bollard::query_parameters::UploadToContainerOptionsBuilder;

use super::DockerBackend;
use super::call::call;
use super::container::{cannot, pack};
use super::made::{CONTROL, HOME, Kit, PERIOD};
use crate::backend::BackendError;
use crate::backend::preload::Control;
use crate::model::NodeName;

const NO_QUOTA: i64 = -1;

impl DockerBackend {
    pub(super) fn kit(&self, name: &NodeName) -> Kit {
        self.kits.lock().get(name).cloned().unwrap_or_default()
    }

    pub(super) fn change_kit(&self, name: &NodeName, change: impl FnOnce(&mut Kit)) -> Kit {
        let mut kits = self.kits.lock();
        let kit = kits.entry(name.clone()).or_default();
        change(kit);
        kit.clone()
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
        let fill = docker.upload_to_container(&made.id, Some(options), body_full(files.into()));
        Ok(call("fill", name, fill).await.map_err(|e| cannot("fill", name, e))?)
    }
}
