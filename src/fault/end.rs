//! Servers that end: killed (like a crash or a power cut), stopped as deployments do it, or
//! restarted.
//!
//! A server that is asked to end may wait for its replicas first (`shutdown-timeout`), and does
//! not hand over.

use futures::FutureExt;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{Done, Fault, Injected, Site, Undo, Undone, on_each};
use crate::backend::{Backend, BackendError};
use crate::model::NodeName;
use crate::spec::step::{Data, Kill, Restart, Stop};

impl Fault for Kill {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(hit, move |name| async move {
            site.backend.kill(name).await?;
            site.strains.forget_pauses(name).await;
            Ok(Done::to_undo(Ended(name.clone())))
        })
        .boxed()
    }
}

impl Fault for Stop {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(hit, move |name| async move {
            stop(site, name).await?;
            Ok(Done::to_undo(Ended(name.clone())))
        })
        .boxed()
    }
}

impl Fault for Restart {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(hit, move |name| async move {
            stop(site, name).await?;
            site.backend.start_again(name, self.data).await?;
            Ok(Done::default())
        })
        .boxed()
    }
}

async fn stop(site: Site<'_>, name: &NodeName) -> Result<(), FaultError> {
    site.backend.stop(name).await?;
    site.strains.forget_pauses(name).await;
    Ok(())
}

/// A server that must be started again with its data.
struct Ended(NodeName);

impl Undo for Ended {
    fn undo<'u>(&'u mut self, backend: &'u dyn Backend) -> Undone<'u> {
        async move {
            match backend.start_again(&self.0, Data::Kept).await {
                // Another step may have started it.
                Ok(()) | Err(BackendError::Running { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
        .boxed()
    }

    fn starts(&self) -> Option<&NodeName> {
        Some(&self.0)
    }
}
