//! CLUSTER FAILOVER: a replica is told to become the primary of its shard.
//!
//! <https://redis.io/docs/latest/commands/cluster-failover/>

use redis::Value;

use super::{FaultError, Field};
use crate::model::NodeName;
use crate::spec::scenario::Force;

/// The server answers before it is primary: that is seen by whoever watches.
pub async fn failover(field: Field<'_>, name: &NodeName, force: Force) -> Result<(), FaultError> {
    let mut command = redis::cmd("CLUSTER");
    command.arg("FAILOVER");
    match force {
        Force::None => {}
        Force::Force => _ = command.arg("FORCE"),
        Force::Takeover => _ = command.arg("TAKEOVER"),
    }
    field.node(name)?.admin.query::<Value>(&command).await?;
    Ok(())
}
