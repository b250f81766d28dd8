//! A failover by command: a replica gets the command to become the primary of its shard, or a
//! sentinel the command to fail the group over.
//!
//! <https://redis.io/docs/latest/commands/cluster-failover/>
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#sentinel-commands>

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use redis::{Cmd, Value};
use tokio::time::{sleep, timeout};

use super::error::FaultError;
use super::handover;
use super::hit::Hit;
use super::life::{Done, Fault, Injected, Site, on_each};
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::{Node, Section};
use crate::spec::step::{Failover, Force};
use crate::spec::topology::Mode;

/// The pause between two checks.
const LOOK: Duration = Duration::from_millis(100);
/// Sentinels ask the old primary every 10 s, and wait for 8 s after its answer.
const TOLD_TO_FOLLOW: Duration = Duration::from_secs(30);

#[async_trait]
impl Fault for Failover {
    /// A sentinel gets the command, but the primary is replaced.
    fn asks_for_roles(&self, site: Site<'_>) -> bool {
        !site.group.sentinels.is_empty()
    }

    fn also_hits(&self, site: Site<'_>, hit: &Hit) -> Vec<NodeName> {
        if self.asks_for_roles(site) { hit.primaries.clone() } else { Vec::new() }
    }

    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        let on_node = async |name| failover(site, name, self.force).await.map(|()| Done::default());
        on_each(hit, on_node).await
    }

    /// Sentinels make an old primary a replica long after they have promoted another node.
    /// Until then there are two primaries, and they would not agree within a `settle` of a few
    /// seconds.
    async fn takes_place(&self, site: Site<'_>, hit: &Hit) {
        let old = self.also_hits(site, hit);
        let old = site.group.nodes.iter().filter(|node| old.contains(&node.name));
        let followed = timeout(TOLD_TO_FOLLOW, join_all(old.map(follows))).await;
        followed.or_logged("wait until old primaries follow");
    }
}

/// In a cluster, and with sentinels, the server answers before there is a new primary. The
/// watcher sees when there is one.
async fn failover(site: Site<'_>, name: &NodeName, force: Force) -> Result<(), FaultError> {
    let command = match site.group.spec.mode {
        Mode::Cluster { .. } => in_cluster(force),
        Mode::Sentinel { .. } => {
            let mut command = redis::cmd("SENTINEL");
            command.arg("FAILOVER").arg(&name.group);
            command
        }
        Mode::Standalone | Mode::Replication { .. } => {
            return handover::to(site, name, force).await;
        }
    };
    site.node(name)?.admin.query::<Value>(&command).await?;
    Ok(())
}

/// Returns when `node` is a replica.
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
