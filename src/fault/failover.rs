//! A failover by command: a replica gets the command to become the primary of its shard, or a
//! sentinel the command to fail the group over.
//!
//! <https://redis.io/docs/latest/commands/cluster-failover/>
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#sentinel-commands>

use std::net::SocketAddr;
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
/// The end of the step is exact to this.
const LOOK_AT_ROLES: Duration = Duration::from_millis(10);
/// Sentinels ask the old primary every 10 s, and wait for 8 s after its answer.
const TOLD_TO_FOLLOW: Duration = Duration::from_secs(30);
/// A replica gives up a manual failover after 5 s. Valkey 9.1 has a setting for that.
const GIVEN_UP: Duration = Duration::from_secs(5);
const GIVEN_UP_SETTING: &str = "cluster-manual-failover-timeout";
/// A replica that has just been elected may answer a moment later.
const MARGIN: Duration = Duration::from_secs(1);
/// A sentinel's failover may take so long, for whatever it was configured.
const ELECTED: Duration = Duration::from_secs(30);

#[async_trait]
impl Fault for Failover {
    /// A sentinel gets the command, but the primary is replaced.
    fn asks_for_roles(&self, site: Site<'_>) -> bool {
        !site.group.sentinels.is_empty()
    }

    fn also_hits(&self, site: Site<'_>, hit: &Hit) -> Vec<NodeName> {
        if self.asks_for_roles(site) { hit.primaries.clone() } else { Vec::new() }
    }

    fn ends_when_interrupted(&self) -> bool {
        true
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

/// In a cluster, and with sentinels, the server answers before there is a new primary, and there may
/// never be one. This waits until there is.
async fn failover(site: Site<'_>, name: &NodeName, force: Force) -> Result<(), FaultError> {
    let node = site.node(name)?;
    match site.group.spec.mode {
        Mode::Cluster { .. } => {
            let most = given_up_after(&node).await + MARGIN;
            node.admin.query::<Value>(&in_cluster(force)).await?;
            let not_taken =
                FaultError::NotTaken { name: name.clone(), waited: most, aborted: false };
            timeout(most, leads(&node)).await.map_err(|_| not_taken)
        }
        Mode::Sentinel { .. } => {
            let group = &name.group;
            let before = node.admin.sentinel_names(group).await?;
            let mut command = redis::cmd("SENTINEL");
            node.admin.query::<Value>(command.arg("FAILOVER").arg(group)).await?;
            let (by, group) = (name.clone(), group.clone());
            let none = FaultError::NoneElected { by, group, waited: ELECTED };
            timeout(ELECTED, names_another(&node, before)).await.map_err(|_| none)
        }
        Mode::Standalone | Mode::Replication { .. } => handover::to(site, name, force).await,
    }
}

/// When the replica gives up a manual failover of its cluster.
async fn given_up_after(node: &Node) -> Duration {
    let mut config = redis::cmd("CONFIG");
    config.arg("GET").arg(GIVEN_UP_SETTING);
    let told = node.admin.query::<Vec<String>>(&config).await;
    let ms = told.or_logged("read a setting").and_then(|pair| pair.get(1)?.parse().ok());
    ms.map_or(GIVEN_UP, Duration::from_millis)
}

/// Returns when the node is a primary.
async fn leads(node: &Node) {
    while !matches!(node.admin.info(Section::Replication).await, Ok(info) if info.role() == Some(Role::Primary))
    {
        sleep(LOOK_AT_ROLES).await;
    }
}

/// Returns when the sentinel names another primary than `before`.
async fn names_another(sentinel: &Node, before: Option<SocketAddr>) {
    let group = &sentinel.name.group;
    while !matches!(sentinel.admin.sentinel_names(group).await, Ok(now) if now != before) {
        sleep(LOOK_AT_ROLES).await;
    }
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
