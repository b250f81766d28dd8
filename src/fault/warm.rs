//! Copies that are made before anybody asks for them. No server is hit.

use async_trait::async_trait;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{ActiveFault, Fault, Injected, Site};
use crate::spec::step::Warm;

#[async_trait]
impl Fault for Warm {
    async fn inject(&self, site: Site<'_>, _: &Hit) -> Injected {
        let error = match site.applications.get(&self.load) {
            Some(application) => {
                application.warm(self.keys).await;
                None
            }
            None => Some(FaultError::NoCache(self.load.clone())),
        };
        (ActiveFault::default(), error)
    }
}
