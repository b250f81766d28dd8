//! A cluster whose nodes know each other only by their doors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use redrill::cluster::even_slots;
use redrill::model::NodeName;
use redrill::model::event::Role;
use redrill::model::traffic::{Class, End, Flow};
use redrill::net::{Ends, Pairs, Rule};
use redrill::node::{Node, Section};

use super::servers::{Servers, Setup, wait_for};

const SHARDS: u32 = 3;
const LONG: Duration = Duration::from_secs(30);

fn id(name: &NodeName) -> String {
    format!("{:039}{}", name.shard().unwrap(), name.ordinal)
}

/// The cluster as `myself` finds it when it starts: everybody at their door.
fn nodes_conf(myself: &NodeName, doors: &BTreeMap<NodeName, SocketAddr>) -> String {
    let slots = even_slots(SHARDS);
    let line = |(name, door): (&NodeName, &SocketAddr)| {
        let me = if name == myself { "myself," } else { "" };
        let shard = name.shard().unwrap();
        let role = match name.ordinal {
            0 => {
                format!("master - 0 0 {} connected {}", shard + 1, slots[shard as usize])
            }
            _ => format!("slave {} 0 0 0 connected", id(&NodeName { ordinal: 0, ..name.clone() })),
        };
        format!("{} {door}@{} {me}{role}\n", id(name), door.port() + 10_000)
    };
    let lines: String = doors.iter().map(line).collect();
    format!("{lines}vars currentEpoch {SHARDS} lastVoteEpoch 0\n")
}

fn setup(name: &NodeName, doors: &BTreeMap<NodeName, SocketAddr>) -> Setup {
    let config = [
        ("cluster-enabled", "yes".to_owned()),
        ("cluster-config-file", "nodes.conf".to_owned()),
        ("cluster-node-timeout", "1500".to_owned()),
        ("cluster-announce-ip", doors[name].ip().to_string()),
    ];
    Setup {
        config: config.map(|(name, value)| (name.to_owned(), value)).into(),
        files: vec![("nodes.conf".to_owned(), nodes_conf(name, doors))],
    }
}

async fn role(node: &Node) -> Option<Role> {
    node.admin.info(Section::Replication).await.ok()?.role()
}

async fn is_replica_in_sync(node: &Node) -> bool {
    let info = node.admin.info(Section::Replication).await;
    info.is_ok_and(|info| info.role() == Some(Role::Replica) && info.master_link_up() == Some(true))
}

async fn is_ok(node: &Node) -> bool {
    node.admin.cluster_info().await.is_ok_and(|info| info.state_ok)
}

#[tokio::test]
async fn a_primary_that_is_cut_off_is_replaced_and_comes_back_as_a_replica() {
    let names = |shard| [0, 1].map(|ordinal| NodeName::new("cache", shard, ordinal));
    let names: Vec<NodeName> = (0..SHARDS).flat_map(names).collect();
    let servers = Servers::start(&names, setup).await;
    let nodes = &servers.nodes;
    let (primary, replica) = (&nodes[0], &nodes[1]);
    for node in nodes {
        wait_for(LONG, "the cluster is ok", async || is_ok(node).await).await;
    }
    for replica in nodes.iter().skip(1).step_by(2) {
        wait_for(LONG, "replicas are in sync", async || is_replica_in_sync(replica).await).await;
    }

    let around = Pairs::around(Ends::only([primary.name.clone()]));
    let cut = servers.fabric.apply(&Rule::cut(), around);
    let took_over = async || role(replica).await == Some(Role::Primary) && is_ok(replica).await;
    wait_for(LONG, "the replica takes over", took_over).await;
    wait_for(LONG, "who is cut off sees it", async || !is_ok(primary).await).await;
    assert_eq!(role(primary).await, Some(Role::Primary), "nobody could tell it");

    cut.undo();
    let came_back = async || is_replica_in_sync(primary).await && is_ok(primary).await;
    wait_for(LONG, "the old primary is a replica", came_back).await;
    assert_matrix(&servers.fabric.traffic(), &names);
    assert_eq!(servers.fabric.trouble(), None);
    servers.end().await;
}

/// Everybody has talked to everybody, replicas to their primaries, and nobody is unknown.
fn assert_matrix(flows: &[Flow], names: &[NodeName]) {
    let bytes = |from: &NodeName, to: &NodeName, class| {
        let (from, to) = (End::from(from.clone()), End::from(to.clone()));
        let flow = flows.iter().find(|f| f.from == from && f.to == to && f.class == class);
        flow.map_or(0, |flow| flow.bytes)
    };
    for from in names {
        for to in names.iter().filter(|to| *to != from) {
            assert!(bytes(from, to, Class::Bus) > 0, "{from} to {to}: {flows:#?}");
        }
    }
    let (primary, replica) = (&names[0], &names[1]);
    assert!(bytes(replica, primary, Class::Replication) > 0, "{flows:#?}");
    assert!(bytes(primary, replica, Class::Replication) > 0, "{flows:#?}");
    assert!(flows.iter().all(|flow| flow.from != End::Outside), "{flows:#?}");
}
