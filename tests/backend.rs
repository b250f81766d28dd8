//! Bringing up every kind of group on real servers, and taking it down again.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::{assert_nothing_left, assert_redis_cli_agrees, backend, cluster, group, topology};
use redrill::backend::{Backend, NodeExited};
use redrill::cluster::{Deployment, FormError, bring_up};
use redrill::model::NodeName;
use redrill::model::event::Role;
use redrill::node::{Node, Section};
use redrill::spec::Topology;
use redrill::spec::topology::Mode;

async fn up(backend: &dyn Backend, topology: &Topology) -> Result<Deployment, FormError> {
    bring_up(backend, topology, &|_, _| ()).await
}

#[tokio::test]
async fn a_cluster_is_born_whole() {
    let dir = tempfile::tempdir().unwrap();
    let backend = backend(dir.path());
    let mut cache = cluster(3, 1);
    cache.config.insert("cluster-node-timeout".into(), "4321".into());
    let began = Instant::now();
    let deployed = up(&backend, &topology(vec![cache])).await.unwrap();
    println!("6 nodes were ready in {:.2} s", began.elapsed().as_secs_f64());

    let nodes = &deployed.group("cache").unwrap().nodes;
    assert_eq!(nodes.len(), 6);
    for node in nodes {
        let seen = node.admin.cluster_nodes().await.unwrap();
        assert_eq!(seen.len(), 6);
        let slots: usize = seen.iter().map(|line| line.slots.len()).sum();
        assert_eq!(slots, 16_384);
        let myself = seen.iter().find(|line| line.flags.myself).unwrap();
        assert_eq!(myself.id, node.id);
        let info = node.admin.info(Section::Replication).await.unwrap();
        assert_eq!(info.role(), Some(node.born));
        assert_ne!(info.master_link_up(), Some(false));
        let timeout: Vec<String> = config_get(node, "cluster-node-timeout").await;
        assert_eq!(timeout.last().unwrap(), "4321");
    }
    nodes_of_a_shard_share_its_id(nodes).await;
    assert_redis_cli_agrees(&nodes[0].addr.to_string());
    backend.shutdown().await.unwrap();
    assert_nothing_left(dir.path());
    assert!(common::logs(dir.path()).contains("Ready to accept connections"), "logs are kept");
}

async fn config_get(node: &Node, name: &str) -> Vec<String> {
    node.admin.query(redis::cmd("CONFIG").arg("GET").arg(name)).await.unwrap()
}

/// Where servers know shard ids, which is since Redis 7.2.
async fn nodes_of_a_shard_share_its_id(nodes: &[Node]) {
    let mut ids = BTreeSet::new();
    for node in nodes {
        match node.admin.query::<String>(redis::cmd("CLUSTER").arg("MYSHARDID")).await {
            Ok(id) => drop(ids.insert((node.name.shard, id))),
            Err(e) => assert!(e.code() == Some("ERR"), "{e}"),
        }
    }
    assert!(ids.is_empty() || ids.len() == 3, "{ids:?}");
}

#[tokio::test]
async fn groups_of_all_modes_come_up_together() {
    let dir = tempfile::tempdir().unwrap();
    let backend = backend(dir.path());
    let mut groups = vec![
        group("one", Mode::Standalone),
        group("pair", Mode::Replication { replicas: 2 }),
        cluster(3, 0),
    ];
    groups[0].config.insert("maxmemory".into(), "123mb".into());
    let deployed = up(&backend, &topology(groups)).await.unwrap();
    assert_eq!(deployed.nodes().count(), 1 + 3 + 3);
    let addrs: BTreeSet<_> = deployed.nodes().map(|node| node.addr).collect();
    assert_eq!(addrs.len(), 7, "every node has its own address");

    let one = &deployed.group("one").unwrap().nodes[0];
    let memory = one.admin.info(Section::Memory).await.unwrap();
    assert_eq!(memory.number("maxmemory"), Some(123 * 1024 * 1024));

    let pair = &deployed.group("pair").unwrap().nodes;
    let primary = pair[0].admin.info(Section::Replication).await.unwrap();
    assert_eq!((primary.role(), primary.connected_replicas()), (Some(Role::Primary), Some(2)));
    drop(backend);
    assert_nothing_left(dir.path());
}

#[tokio::test]
async fn two_at_once_never_meet() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (backend(here.path()), backend(there.path()));
    let topology = topology(vec![cluster(3, 0)]);
    let (a, b) = tokio::join!(up(&one, &topology), up(&two, &topology));
    let (a, b) = (a.unwrap(), b.unwrap());
    let ids = |deployed: &Deployment| -> BTreeSet<String> {
        deployed.nodes().map(|node| node.id.clone()).collect()
    };
    for (deployed, own) in [(&a, ids(&a)), (&b, ids(&b))] {
        for node in deployed.nodes() {
            let seen = node.admin.cluster_nodes().await.unwrap();
            let seen: BTreeSet<String> = seen.into_iter().map(|line| line.id).collect();
            assert_eq!(seen, own);
        }
    }
    one.shutdown().await.unwrap();
    still_answers(&b).await;
    two.shutdown().await.unwrap();
    assert_nothing_left(here.path());
    assert_nothing_left(there.path());
}

async fn still_answers(deployed: &Deployment) {
    for node in deployed.nodes() {
        assert!(node.admin.cluster_info().await.unwrap().state_ok);
    }
}

#[tokio::test]
async fn a_killed_node_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let backend = backend(dir.path());
    let deployed = up(&backend, &topology(vec![group("one", Mode::Standalone)])).await.unwrap();
    let node = deployed.nodes().next().unwrap();
    let mut exits = backend.exits();
    assert!(backend.pid(&node.name).is_some());

    backend.kill(&node.name).unwrap();
    let exited: NodeExited =
        tokio::time::timeout(Duration::from_secs(2), exits.recv()).await.unwrap().unwrap();
    assert_eq!((exited.name, exited.asked), (node.name.clone(), true));
    assert!(exited.status.contains("signal: 9"), "{}", exited.status);
    assert_eq!(backend.pid(&node.name), None);
    assert!(backend.kill(&node.name).is_err(), "it does not run any more");
    assert!(backend.pause(&NodeName::new("nobody", 0, 0)).is_err());
}

#[tokio::test]
async fn a_paused_node_answers_only_when_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let backend = backend(dir.path());
    let deployed = up(&backend, &topology(vec![group("one", Mode::Standalone)])).await.unwrap();
    let node = deployed.nodes().next().unwrap();
    let brief = node.admin.with_timeout(Duration::from_millis(100));

    backend.pause(&node.name).unwrap();
    assert!(brief.ping().await.is_err());
    backend.resume(&node.name).unwrap();
    node.admin.ping().await.unwrap();

    // A node that is still paused at the end goes as well.
    backend.pause(&node.name).unwrap();
    backend.shutdown().await.unwrap();
    assert_nothing_left(dir.path());
}
