//! A failover by command: a replica is told to become the primary of its shard, or a sentinel
//! to have the group fail over.
//!
//! <https://redis.io/docs/latest/commands/cluster-failover/>
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#sentinel-commands>

use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::sleep;

use super::{FaultError, Field, handover};
use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::{Node, Section};
use crate::spec::scenario::Force;
use crate::spec::topology::Mode;

/// Between two looks at who follows.
const LOOK: Duration = Duration::from_millis(100);

/// In a cluster, and where sentinels do it, the server answers before there is a new primary:
/// that is seen by whoever watches.
pub async fn failover(field: Field<'_>, name: &NodeName, force: Force) -> Result<(), FaultError> {
    let command = match field.group.spec.mode {
        Mode::Cluster { .. } => in_cluster(force),
        Mode::Sentinel { .. } => {
            let mut command = redis::cmd("SENTINEL");
            command.arg("FAILOVER").arg(&name.group);
            command
        }
        Mode::Standalone | Mode::Replication { .. } => {
            return handover::to(field, name, force).await;
        }
    };
    field.node(name)?.admin.query::<Value>(&command).await?;
    Ok(())
}

/// Ends when `node` follows another.
pub async fn follows(node: &Node) {
    while !matches!(node.admin.info(Section::Replication).await, Ok(info) if info.role() == Some(Role::Replica))
    {
        sleep(LOOK).await;
    }
}

fn in_cluster(force: Force) -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg("FAILOVER");
    match force {
        Force::None => {}
        Force::Force => _ = command.arg("FORCE"),
        Force::Takeover => _ = command.arg("TAKEOVER"),
    }
    command
}
