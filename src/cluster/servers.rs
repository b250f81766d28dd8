//! The configuration with which the servers of a group start, and when its sentinels are ready.
//!
//! Sentinels start knowing each other and the replicas. A sentinel writes the same directives into
//! its file once it has discovered the others by itself, which takes some seconds.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>

use std::net::SocketAddr;

use super::nodes_conf::{self, BUS, Member, NodesConf, random_id};
use crate::backend::{Backend, BackendError, NodePlan};
use crate::model::event::{EngineInfo, Role};
use crate::model::{NodeName, Password};
use crate::node::{Instance, Node, NodeError};
use crate::spec::topology::{Group, Sentinels};

pub fn node_names(group: &Group) -> Vec<NodeName> {
    let shard = |shard| {
        (0..=group.replicas()).map(move |ordinal| NodeName::new(&group.name, shard, ordinal))
    };
    (0..group.shards()).flat_map(shard).collect()
}

pub fn sentinel_names(group: &Group) -> Vec<NodeName> {
    let count = group.sentinels().map_or(0, |sentinels| sentinels.count);
    (0..count).map(|n| NodeName::sentinel(&group.name, n)).collect()
}

pub fn nodes(
    group: &Group,
    names: Vec<NodeName>,
    addrs: &[SocketAddr],
    password: Option<&Password>,
) -> Vec<Node> {
    let node = |(name, addr): (NodeName, &SocketAddr)| {
        let born = match (name.shard(), name.ordinal) {
            (Some(_), 0) => Role::Primary,
            (Some(_), _) => Role::Replica,
            (None, _) => Role::Sentinel,
        };
        let named = group.is_cluster() || born == Role::Sentinel;
        let id = if named { random_id() } else { String::new() };
        Node::new(name, *addr, id, born).authenticated(password.cloned())
    };
    names.into_iter().zip(addrs).map(node).collect()
}

/// Each node gets a door: an address, or ports of an address that all share.
pub fn behind_doors(backend: &dyn Backend, nodes: Vec<Node>) -> Result<Vec<Node>, BackendError> {
    let port = nodes.first().map_or(0, |node| node.addr.port());
    let doors = backend.doors(nodes.len(), port)?;
    Ok(nodes.into_iter().zip(doors).map(|(node, door)| node.behind(door)).collect())
}

/// The plan of a node that joins a cluster later: it does not know any node yet.
pub fn joiner_plan(group: &Group, node: &Node, engine: &EngineInfo) -> NodePlan {
    let conf = nodes_conf::of_a_stranger(&node.id, node.announced, engine);
    plan(group, node, std::slice::from_ref(node), Some(conf))
}

fn plan(group: &Group, node: &Node, nodes: &[Node], nodes_conf: Option<String>) -> NodePlan {
    NodePlan {
        name: node.name.clone(),
        addr: node.addr,
        config: directives(group, node, nodes),
        args: Vec::new(),
        limits: group.limits,
        files: nodes_conf.map(|conf| ("nodes.conf".to_owned(), conf)).into_iter().collect(),
    }
}

/// `source` is the node that the group's first node follows, if the group copies another one.
pub fn node_plans(
    group: &Group,
    nodes: &[Node],
    source: Option<&Node>,
    engine: &EngineInfo,
) -> Vec<NodePlan> {
    let cluster = group.is_cluster().then(|| {
        let member = |node: &Node| {
            let (id, addr) = (node.id.clone(), node.announced);
            Some(Member { id, addr, shard: node.name.shard()?, role: node.born })
        };
        NodesConf::new(nodes.iter().filter_map(member).collect(), group.shards(), engine)
    });
    let conf = |node: &Node| cluster.as_ref().map(|conf| conf.of(&node.id));
    let of_node = |node: &Node| {
        let mut plan = plan(group, node, nodes, conf(node));
        let source = source.filter(|_| node.born == Role::Primary);
        plan.config.extend(source.map(replicaof));
        plan
    };
    nodes.iter().map(of_node).collect()
}

fn replicaof(primary: &Node) -> (String, String) {
    let found = primary.announced;
    ("replicaof".to_owned(), format!("{} {}", found.ip(), found.port()))
}

/// The directives that give the node its role, and then the user's.
fn directives(group: &Group, node: &Node, nodes: &[Node]) -> Vec<(String, String)> {
    let mut directives = Vec::new();
    let mut set = |name: &str, value: String| directives.push((name.to_owned(), value));
    if let Some(password) = node.admin.password() {
        // Any of them may become the others' primary.
        set("requirepass", password.reveal().to_owned());
        set("masterauth", password.reveal().to_owned());
    }
    if group.is_cluster() {
        set("cluster-enabled", "yes".to_owned());
        set("cluster-config-file", "nodes.conf".to_owned());
    } else if node.born == Role::Replica {
        let of_shard = |n: &&Node| n.name.kind == node.name.kind && n.born == Role::Primary;
        if let Some((name, value)) = nodes.iter().find(of_shard).map(replicaof) {
            set(&name, value);
        }
    }
    if node.announced != node.addr {
        let of_cluster = if group.is_cluster() { "cluster" } else { "replica" };
        set(&format!("{of_cluster}-announce-ip"), node.announced.ip().to_string());
        set(&format!("{of_cluster}-announce-port"), node.announced.port().to_string());
        if group.is_cluster() {
            let bus = node.announced.port().saturating_add(BUS);
            set("cluster-announce-bus-port", bus.to_string());
        }
    }
    let users = group.config.iter().map(|(name, value)| (name.clone(), value.clone()));
    directives.into_iter().chain(users).collect()
}

/// The plans of `sentinels`, which watch `nodes`.
pub fn sentinel_plans(group: &Group, nodes: &[Node], sentinels: &[Node]) -> Vec<NodePlan> {
    let Some(how) = group.sentinels() else { return Vec::new() };
    let plan = |node: &Node| NodePlan {
        name: node.name.clone(),
        addr: node.addr,
        config: sentinel_directives(&group.name, how, node, nodes, sentinels),
        args: vec!["--sentinel".to_owned()],
        limits: group.limits,
        files: Vec::new(),
    };
    sentinels.iter().map(plan).collect()
}

/// Clients find the group's primary by the group's name.
fn sentinel_directives(
    name: &str,
    how: Sentinels,
    own: &Node,
    nodes: &[Node],
    sentinels: &[Node],
) -> Vec<(String, String)> {
    let at = |node: &Node| format!("{} {}", node.announced.ip(), node.announced.port());
    let password = own.admin.password().map(Password::reveal);
    let mut lines = vec![format!("myid {}", own.id)];
    // Only nodes of mode `sentinel` come here, and such a group has one shard.
    if let Some(primary) = nodes.iter().find(|node| node.born == Role::Primary) {
        lines.push(format!("monitor {name} {} {}", at(primary), how.quorum));
    }
    if let Some(password) = password {
        lines.push(format!("auth-pass {name} {password}"));
        lines.push(format!("sentinel-pass {password}"));
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
    let own = password.map(|password| ("requirepass".to_owned(), password.to_owned()));
    own.into_iter().chain(lines.into_iter().map(|line| ("sentinel".to_owned(), line))).collect()
}

/// What `sentinel` still lacks to watch `group`: it must be connected to all nodes and
/// sentinels, and must have heard from each replica that its link is up, so that it can be
/// promoted.
pub async fn sentinel_lacks(sentinel: &Node, group: &Group) -> Result<Option<String>, NodeError> {
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
