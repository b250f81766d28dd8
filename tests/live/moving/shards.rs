//! CLUSTER SHARDS against CLUSTER NODES: two readings of what each server knows.

use std::collections::BTreeMap;
use std::time::Duration;

use redrill::cluster::moving::move_slots;
use redrill::cluster::plan::Route;
use redrill::model::event::Role;
use redrill::model::slot::SlotSet;
use redrill::node::{Health, Node};
use redrill::spec::step::Pace;

use crate::common::need;
use crate::moving::test_cluster::TestCluster;

/// A primary's id and slots, and its replicas' ids. Each node with its address, and
/// whether it has failed.
type Shards = BTreeMap<String, (SlotSet, BTreeMap<String, (String, bool)>)>;

async fn by_shards(node: &Node) -> Shards {
    let shards = node.admin.cluster_shards().await.unwrap();
    let shard = |shard: redrill::node::Shard| {
        let primary = |node: &&redrill::node::ShardNode| node.role == Role::Primary;
        let primary = shard.nodes.iter().find(primary).expect("a shard has a primary").id.clone();
        let nodes = shard.nodes.into_iter().map(|node| {
            let address = format!("{}:{}", node.ip.unwrap(), node.port.unwrap());
            (node.id, (address, node.health == Health::Failed))
        });
        (primary, (shard.slots, nodes.collect()))
    };
    shards.into_iter().map(shard).collect()
}

async fn by_nodes(node: &Node) -> Shards {
    let mut shards = Shards::new();
    for line in node.admin.cluster_nodes().await.unwrap() {
        let primary = line.primary.clone().unwrap_or_else(|| line.id.clone());
        let (slots, nodes) = shards.entry(primary).or_default();
        nodes.insert(line.id, (line.addr.unwrap().to_string(), line.flags.fail));
        if line.flags.role == Role::Primary {
            *slots = line.slots;
        }
    }
    shards
}

/// Every node says the same in both.
async fn assert_both_agree(cluster: &TestCluster, when: &str) {
    for node in &cluster.nodes {
        assert_eq!(by_shards(node).await, by_nodes(node).await, "{when}, by {}", node.name);
    }
}

#[tokio::test]
async fn both_views_of_every_engine_agree() {
    for engine in need::engines() {
        println!("{}", engine.display());
        let cluster = TestCluster::of(&engine, 3, 1).await;
        // At once: this is what it is to be ready.
        assert_both_agree(&cluster, "formed").await;
        let route = [Route { slots: (0..=99).into(), from: 0, to: 2 }];
        move_slots(&route, &cluster.nodes, Pace::Fast, |_| (), || false).await.unwrap();
        let moved = cluster.agreed_view().await;
        assert_eq!(moved.shards[2].slots.to_string(), "0-99 10923-16383");
        assert_both_agree(&cluster, "slots have moved").await;
        replicas_get_online(&cluster.nodes).await;
        cluster.down().await;
    }
}

/// Soon after a primary has pinged its replicas, which it does each second here.
async fn replicas_get_online(nodes: &[Node]) {
    for node in nodes {
        for _ in 0..120 {
            let shards = node.admin.cluster_shards().await.unwrap();
            if shards.iter().flat_map(|shard| &shard.nodes).all(|n| n.health == Health::Online) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let shards = node.admin.cluster_shards().await.unwrap();
        let mut all = shards.iter().flat_map(|shard| &shard.nodes);
        assert!(all.all(|n| n.health == Health::Online), "by {}: {shards:?}", node.name);
    }
}
