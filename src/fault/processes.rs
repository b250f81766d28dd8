//! Processes of an application that end and are there again. They are redrill's own, and no server
//! is hit.

use async_trait::async_trait;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{ActiveFault, Fault, Injected, Site};
use crate::spec::step::RestartProcesses;

#[async_trait]
impl Fault for RestartProcesses {
    async fn inject(&self, site: Site<'_>, _: &Hit) -> Injected {
        let error = match site.applications.get(&self.load) {
            Some(application) => {
                application.restart();
                None
            }
            None => Some(FaultError::NoCache(self.load.clone())),
        };
        (ActiveFault::default(), error)
    }
}
