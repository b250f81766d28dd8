//! Servers and actors that end: killed (like a crash or a power cut), stopped as deployments do
//! it, or restarted.
//!
//! A server that is asked to end may wait for its replicas first (`shutdown-timeout`), and does
//! not hand over.

use async_trait::async_trait;

use super::error::FaultError;
use super::life::{Done, NodeFault, Note, Site, Undo};
use crate::backend::{Backend, BackendError};
use crate::model::NodeName;
use crate::spec::step::{Data, Kill, Restart, Stop};

#[async_trait]
impl NodeFault for Kill {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        site.backend.kill(name).await?;
        site.strains.forget_pauses(name).await;
        Ok(Done::to_undo(Ended(name.clone())))
    }
}

#[async_trait]
impl NodeFault for Stop {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        stop(site, name).await?;
        Ok(Done::to_undo(Ended(name.clone())))
    }
}

#[async_trait]
impl NodeFault for Restart {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        stop(site, name).await?;
        site.backend.start_again(name, self.data).await?;
        Ok(Done::default())
    }
}

async fn stop(site: Site<'_>, name: &NodeName) -> Result<(), FaultError> {
    site.backend.stop(name).await?;
    site.strains.forget_pauses(name).await;
    Ok(())
}

/// A server or an actor that must be started again with its data.
struct Ended(NodeName);

#[async_trait]
impl Undo for Ended {
    async fn undo(&mut self, backend: &dyn Backend) -> Result<Option<Note>, FaultError> {
        match backend.start_again(&self.0, Data::Kept).await {
            // Another step may have started it.
            Ok(()) | Err(BackendError::Running { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn starts(&self) -> Option<&NodeName> {
        Some(&self.0)
    }
}
