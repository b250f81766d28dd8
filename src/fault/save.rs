//! SAVE: servers write what they hold to their disks. Started again, they have it.

use async_trait::async_trait;

use super::error::FaultError;
use super::life::{Done, NodeFault, Site};
use crate::model::NodeName;
use crate::spec::step::Save;

#[async_trait]
impl NodeFault for Save {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        let () = site.node(name)?.admin.query(&redis::cmd("SAVE")).await?;
        Ok(Done::default())
    }
}
