//! A slow, narrow or failing origin behind a cache. It is redrill's own, and no server is hit.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{ActiveFault, Fault, Injected, Note, Site, Undo};
use crate::backend::Backend;
use crate::load;
use crate::spec::step::Origin;

#[async_trait]
impl Fault for Origin {
    async fn inject(&self, site: Site<'_>, _: &Hit) -> Injected {
        let Some(application) = site.applications.get(&self.load) else {
            return (ActiveFault::default(), Some(FaultError::NoCache(self.load.clone())));
        };
        let origin = application.origin().clone();
        let number = origin.change(self.change());
        let undo: Vec<Box<dyn Undo>> = vec![Box::new(Changed { origin, number })];
        (ActiveFault { undo, ..ActiveFault::default() }, None)
    }
}

struct Changed {
    origin: Arc<load::Origin>,
    number: u64,
}

#[async_trait]
impl Undo for Changed {
    async fn undo(&mut self, _: &dyn Backend) -> Result<Option<Note>, FaultError> {
        self.origin.change_back(self.number);
        Ok(None)
    }
}
