//! Entities that somebody changes in the origin behind a cache, at once and past its users. A process of
//! the load empties the caches in the load's own way.

use async_trait::async_trait;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{ActiveFault, Fault, Injected, Note, Site};
use crate::spec::step::Invalidate;

#[async_trait]
impl Fault for Invalidate {
    fn ends_when_interrupted(&self) -> bool {
        true
    }

    async fn inject(&self, site: Site<'_>, _: &Hit) -> Injected {
        let Some(application) = site.applications.get(&self.load) else {
            return (ActiveFault::default(), Some(FaultError::NoCache(self.load.clone())));
        };
        match application.change(self.chosen()).await {
            Ok(changed) => {
                let (entities, millis) = (changed.entities, changed.took.as_secs_f64() * 1e3);
                let text = format!(
                    "{entities} entities were changed; it took {millis:.1} ms until their copies were gone"
                );
                let notes = vec![Note::OfStep(text)];
                (ActiveFault { notes, ..ActiveFault::default() }, None)
            }
            Err(cause) => {
                let load = self.load.clone();
                (ActiveFault::default(), Some(FaultError::NotChanged { load, cause }))
            }
        }
    }
}
