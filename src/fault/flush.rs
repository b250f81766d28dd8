//! FLUSHALL: <https://redis.io/docs/latest/commands/flushall/>

use async_trait::async_trait;

use super::error::FaultError;
use super::life::{Done, NodeFault, Note, Site};
use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::Section;
use crate::spec::step::Flush;

#[async_trait]
impl NodeFault for Flush {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        let admin = site.node(name)?.admin;
        // It is emptied with its primary, and takes no such order.
        if admin.info(Section::Replication).await?.role() == Some(Role::Replica) {
            return Ok(Done::default());
        }
        let keys: u64 = admin.query(&redis::cmd("DBSIZE")).await?;
        let how = if self.is_async { "ASYNC" } else { "SYNC" };
        let _: redis::Value = admin.query(redis::cmd("FLUSHALL").arg(how)).await?;
        Ok(Done { undo: None, note: Some(Note::OfStep(format!("{name} lost its {keys} keys"))) })
    }
}
