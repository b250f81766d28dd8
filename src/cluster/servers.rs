//! The configuration with which the servers of a group start.

use std::net::SocketAddr;

use super::nodes_conf::{self, BUS, Member, NodesConf, random_id};
use crate::backend::{Backend, BackendError, NodePlan};
use crate::model::NodeName;
use crate::model::event::{EngineInfo, Role};
use crate::node::Node;
use crate::spec::topology::{Group, Mode};

/// Whether its nodes form a cluster.
pub fn is_cluster(group: &Group) -> bool {
    matches!(group.mode, Mode::Cluster { .. })
}

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

pub fn nodes(group: &Group, names: Vec<NodeName>, addrs: &[SocketAddr]) -> Vec<Node> {
    let node = |(name, addr): (NodeName, &SocketAddr)| {
        let born = match (name.shard(), name.ordinal) {
            (Some(_), 0) => Role::Primary,
            (Some(_), _) => Role::Replica,
            (None, _) => Role::Sentinel,
        };
        let named = is_cluster(group) || born == Role::Sentinel;
        let id = if named { random_id() } else { String::new() };
        Node::new(name, *addr, id, born)
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
    NodePlan {
        name: node.name.clone(),
        addr: node.addr,
        config: directives(group, node, std::slice::from_ref(node)),
        args: Vec::new(),
        limits: group.limits,
        files: vec![("nodes.conf".to_owned(), conf)],
    }
}

pub fn node_plans(group: &Group, nodes: &[Node], engine: &EngineInfo) -> Vec<NodePlan> {
    let cluster = is_cluster(group).then(|| {
        let member = |node: &Node| {
            let (id, addr) = (node.id.clone(), node.announced);
            Some(Member { id, addr, shard: node.name.shard()?, role: node.born })
        };
        NodesConf::new(nodes.iter().filter_map(member).collect(), group.shards(), engine)
    });
    let plan = |node: &Node| NodePlan {
        name: node.name.clone(),
        addr: node.addr,
        config: directives(group, node, nodes),
        args: Vec::new(),
        limits: group.limits,
        files: cluster.iter().map(|conf| ("nodes.conf".to_owned(), conf.of(&node.id))).collect(),
    };
    nodes.iter().map(plan).collect()
}

/// The directives that give the node its role, and then the user's.
fn directives(group: &Group, node: &Node, nodes: &[Node]) -> Vec<(String, String)> {
    let mut directives = Vec::new();
    let mut set = |name: &str, value: String| directives.push((name.to_owned(), value));
    if is_cluster(group) {
        set("cluster-enabled", "yes".to_owned());
        set("cluster-config-file", "nodes.conf".to_owned());
    } else if node.born == Role::Replica {
        let of_shard = |n: &&Node| n.name.kind == node.name.kind && n.born == Role::Primary;
        if let Some(primary) = nodes.iter().find(of_shard) {
            let found = primary.announced;
            set("replicaof", format!("{} {}", found.ip(), found.port()));
        }
    }
    if node.announced != node.addr {
        let of_cluster = if is_cluster(group) { "cluster" } else { "replica" };
        set(&format!("{of_cluster}-announce-ip"), node.announced.ip().to_string());
        set(&format!("{of_cluster}-announce-port"), node.announced.port().to_string());
        if is_cluster(group) {
            let bus = node.announced.port().saturating_add(BUS);
            set("cluster-announce-bus-port", bus.to_string());
        }
    }
    let users = group.config.iter().map(|(name, value)| (name.clone(), value.clone()));
    directives.into_iter().chain(users).collect()
}
