//! The configuration with which sentinels start, and when they are ready.
//!
//! They start knowing each other and the replicas. A sentinel writes the same directives into
//! its file once it has discovered the others by itself, which takes some seconds.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>

use crate::backend::NodePlan;
use crate::model::event::Role;
use crate::node::{Instance, Node, NodeError};
use crate::spec::topology::{Group, Limits, Sentinels};

/// The plans of `sentinels`, which watch `nodes`.
pub fn plans(group: &Group, nodes: &[Node], sentinels: &[Node]) -> Vec<NodePlan> {
    let Some(how) = group.sentinels() else { return Vec::new() };
    let plan = |node: &Node| NodePlan {
        name: node.name.clone(),
        addr: node.addr,
        config: directives(&group.name, how, node, nodes, sentinels),
        args: vec!["--sentinel".to_owned()],
        limits: Limits { ..group.limits },
        files: Vec::new(),
    };
    sentinels.iter().map(plan).collect()
}

/// Clients find the group's primary by the group's name.
fn directives(
    name: &str,
    how: Sentinels,
    own: &Node,
    nodes: &[Node],
    sentinels: &[Node],
) -> Vec<(String, String)> {
    let at = |node: &Node| format!("{} {}", node.announced.ip(), node.announced.port());
    let mut lines = vec![format!("myid {}", own.id)];
    // Only nodes of mode `sentinel` come here, and such a group has one shard.
    if let Some(primary) = nodes.iter().find(|node| node.born == Role::Primary) {
        lines.push(format!("monitor {name} {} {}", at(primary), how.quorum));
    }
    lines.push(format!("down-after-milliseconds {name} {}", how.down_after.as_millis()));
    lines.push(format!("failover-timeout {name} {}", how.failover_timeout.as_millis()));
    lines.push(format!("parallel-syncs {name} {}", how.parallel_syncs));
    if own.announced != own.addr {
        lines.push(format!("announce-ip {}", own.announced.ip()));
        lines.push(format!("announce-port {}", own.announced.port()));
    }
    let replicas = nodes.iter().filter(|node| node.born == Role::Replica);
    lines.extend(replicas.map(|node| format!("known-replica {name} {}", at(node))));
    let others = sentinels.iter().filter(|node| node.name != own.name);
    lines.extend(others.map(|node| format!("known-sentinel {name} {} {}", at(node), node.id)));
    lines.into_iter().map(|line| ("sentinel".to_owned(), line)).collect()
}

/// What `sentinel` still lacks to watch `group`: it must be connected to all nodes and
/// sentinels, and must have heard from each replica that its link is up, so that it can be
/// promoted.
pub async fn lacks(sentinel: &Node, group: &Group) -> Result<Option<String>, NodeError> {
    let (admin, name) = (&sentinel.admin, &sentinel.name.group);
    let others = group.sentinels().map_or(0, |how| how.count.saturating_sub(1));
    if !admin.sentinel_master(name).await?.is_well() {
        return Ok(Some("it does not reach the primary".to_owned()));
    }
    let seen = admin.sentinel_replicas(name).await?;
    let well = seen.iter().filter(|one| one.is_well() && one.link_up()).count();
    if well < group.replicas() as usize {
        return Ok(Some(format!("it reaches {well} of {} replicas", group.replicas())));
    }
    let seen = admin.sentinel_others(name).await?;
    let well = seen.iter().filter(|one| Instance::is_well(one)).count();
    let lacks = || format!("it reaches {well} of {others} other sentinels");
    Ok((well < others as usize).then(lacks))
}
