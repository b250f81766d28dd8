//! What every backend does, run against each: processes and containers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::backend::place::Place;
use crate::common::{assert_redis_cli_agrees, cluster, group, logs, topology};
use redrill::backend::proc::ProcessId;
use redrill::backend::{Backend, Data, NodeExited};
use redrill::cluster::{Deployment, FormError, bring_up};
use redrill::model::NodeName;
use redrill::model::event::Role;
use redrill::node::{Node, Section};
use redrill::spec::Topology;
use redrill::spec::topology::{Group, Mode, Sentinels};

async fn up(backend: &dyn Backend, topology: &Topology) -> Result<Deployment, FormError> {
    bring_up(backend, topology, None, &|_, _| ()).await
}

async fn a_cluster_is_born_whole(place: Place) {
    let backend = place.backend().await;
    let mut cache = cluster(3, 1);
    cache.config.insert("cluster-node-timeout".into(), "4321".into());
    let began = Instant::now();
    let deployed = up(&*backend, &topology(vec![cache])).await.unwrap();
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
    assert_redis_cli_agrees(&nodes[0].addr.to_string(), deployed.password.as_ref());
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
    assert!(logs(place.folder()).contains("Ready to accept connections"), "logs are kept");
}

async fn config_get(node: &Node, name: &str) -> Vec<String> {
    node.admin.query(redis::cmd("CONFIG").arg("GET").arg(name)).await.unwrap()
}

/// Where servers know shard ids, which is since Redis 7.2.
async fn nodes_of_a_shard_share_its_id(nodes: &[Node]) {
    let mut ids = BTreeSet::new();
    for node in nodes {
        match node.admin.query::<String>(redis::cmd("CLUSTER").arg("MYSHARDID")).await {
            Ok(id) => drop(ids.insert((node.name.kind, id))),
            Err(e) => assert!(e.code() == Some("ERR"), "{e}"),
        }
    }
    assert!(ids.is_empty() || ids.len() == 3, "{ids:?}");
}

async fn groups_of_all_modes_come_up_together(place: Place) {
    let backend = place.backend().await;
    let mut groups = vec![
        group("one", Mode::Standalone),
        group("pair", Mode::Replication { replicas: 2 }),
        cluster(3, 0),
    ];
    groups[0].config.insert("maxmemory".into(), "123mb".into());
    let deployed = up(&*backend, &topology(groups)).await.unwrap();
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
    place.assert_nothing_left().await;
}

fn watched(name: &str, count: u32) -> Group {
    let sentinels = Sentinels {
        count,
        quorum: count / 2 + 1,
        down_after: Duration::from_secs(2),
        failover_timeout: Duration::from_secs(10),
        parallel_syncs: 1,
    };
    group(name, Mode::Sentinel { replicas: 2, sentinels })
}

/// Whatever their number, sentinels know each other and the replicas when the group is ready,
/// and one that starts again without its data is born so once more.
async fn sentinels_are_born_knowing_all(place: Place) {
    let backend = place.backend().await;
    let groups = [1, 3, 5].map(|count| watched(&format!("by{count}"), count));
    let deployed = up(&*backend, &topology(groups.to_vec())).await.unwrap();
    for (group, count) in deployed.groups.iter().zip([1, 3, 5]) {
        let name = &group.spec.name;
        assert_eq!((group.nodes.len(), group.sentinels.len()), (3, count));
        for sentinel in &group.sentinels {
            let admin = &sentinel.admin;
            let quorum: String =
                admin.query(redis::cmd("SENTINEL").arg("CKQUORUM").arg(name)).await.unwrap();
            assert!(quorum.starts_with(&format!("OK {count} usable Sentinels")), "{quorum}");
            assert_eq!(admin.sentinel_names(name).await.unwrap(), Some(group.nodes[0].addr));
            assert_eq!(admin.sentinel_replicas(name).await.unwrap().len(), 2);
            let master = admin.sentinel_master(name).await.unwrap();
            assert!(master.is_well(), "{master:?}");
        }
    }
    let sentinel = &deployed.group("by3").unwrap().sentinels[2];
    backend.stop(&sentinel.name).await.unwrap();
    backend.start_again(&sentinel.name, Data::Dropped).await.unwrap();
    let knows = async || sentinel.admin.sentinel_others("by3").await.map_or(0, |all| all.len());
    let began = Instant::now();
    while knows().await != 2 {
        assert!(began.elapsed() < Duration::from_secs(5), "{} of 2", knows().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

async fn two_at_once_never_meet(place: Place) {
    let (one, two) = (place.backend().await, place.backend().await);
    let topology = topology(vec![cluster(3, 0)]);
    let (a, b) = tokio::join!(up(&*one, &topology), up(&*two, &topology));
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
    place.assert_nothing_left().await;
}

async fn still_answers(deployed: &Deployment) {
    for node in deployed.nodes() {
        assert!(node.admin.cluster_info().await.unwrap().state_ok);
    }
}

async fn a_killed_node_is_told(place: Place) {
    let backend = place.backend().await;
    let deployed = up(&*backend, &topology(vec![group("one", Mode::Standalone)])).await.unwrap();
    let node = deployed.nodes().next().unwrap();
    let mut exits = backend.exits();
    assert!(backend.process(&node.name).is_some_and(ProcessId::is_alive));

    backend.kill(&node.name).await.unwrap();
    let exited: NodeExited =
        tokio::time::timeout(Duration::from_secs(2), exits.recv()).await.unwrap().unwrap();
    assert_eq!((exited.name, exited.asked), (node.name.clone(), true));
    assert!(exited.status.contains("signal: 9"), "{}", exited.status);
    assert!(backend.kill(&node.name).await.is_err(), "it does not run any more");
    assert!(backend.pause(&NodeName::new("nobody", 0, 0)).await.is_err());
}

async fn a_paused_node_answers_only_when_resumed(place: Place) {
    let backend = place.backend().await;
    let deployed = up(&*backend, &topology(vec![group("one", Mode::Standalone)])).await.unwrap();
    let node = deployed.nodes().next().unwrap();
    let brief = node.admin.with_timeout(Duration::from_millis(100));

    backend.pause(&node.name).await.unwrap();
    assert!(brief.ping().await.is_err());
    backend.resume(&node.name).await.unwrap();
    node.admin.ping().await.unwrap();

    // A node that is still paused at the end goes as well.
    backend.pause(&node.name).await.unwrap();
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

async fn a_node_is_started_again_with_its_data_or_without(place: Place) {
    let backend = place.backend().await;
    let mut one = group("one", Mode::Standalone);
    one.config.insert("save".into(), "3600 1".into());
    let deployed = up(&*backend, &topology(vec![one])).await.unwrap();
    let node = deployed.nodes().next().unwrap();
    let set = |value: &str| redis::cmd("SET").arg("key").arg(value).to_owned();
    node.admin.query::<()>(&set("kept")).await.unwrap();
    assert!(backend.start_again(&node.name, Data::Kept).await.is_err(), "it runs");

    let mut exits = backend.exits();
    backend.stop(&node.name).await.unwrap();
    let exited = tokio::time::timeout(Duration::from_secs(5), exits.recv()).await.unwrap().unwrap();
    assert!(exited.asked && exited.status.contains("exit status: 0"), "{exited:?}");
    backend.start_again(&node.name, Data::Kept).await.unwrap();
    assert_eq!(read(node).await.as_deref(), Some("kept"), "it saved when it was asked to end");

    backend.kill(&node.name).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), exits.recv()).await.unwrap().unwrap();
    backend.start_again(&node.name, Data::Dropped).await.unwrap();
    assert_eq!(read(node).await, None);
    node.admin.query::<()>(&set("new")).await.unwrap();
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

/// What it knows of its cluster is no data: it has the slots that it had when it ended.
async fn a_primary_without_its_data_has_its_slots(place: Place) {
    let backend = place.backend().await;
    let deployed = up(&*backend, &topology(vec![cluster(3, 1)])).await.unwrap();
    let node = deployed.nodes().find(|node| node.born == Role::Replica).unwrap();
    node.admin.query::<()>(redis::cmd("CLUSTER").arg("FAILOVER").arg("FORCE")).await.unwrap();
    let slots = async || {
        let seen = node.admin.cluster_nodes().await.unwrap_or_default();
        seen.iter().find(|line| line.flags.myself).map_or(0, |line| line.slots.len())
    };
    let began = Instant::now();
    while slots().await == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "it is no primary");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let had = slots().await;
    backend.kill(&node.name).await.unwrap();
    backend.start_again(&node.name, Data::Dropped).await.unwrap();
    let began = Instant::now();
    while slots().await != had {
        assert!(began.elapsed() < Duration::from_secs(5), "{} of {had}", slots().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

/// However soon: what was killed is gone when that is said.
async fn a_killed_node_can_be_started_again_at_once(place: Place) {
    let backend = place.backend().await;
    let deployed = up(&*backend, &topology(vec![group("one", Mode::Standalone)])).await.unwrap();
    let node = deployed.nodes().next().unwrap();
    for time in 0..5 {
        backend.kill(&node.name).await.unwrap();
        let again = backend.start_again(&node.name, Data::Kept).await;
        assert!(again.is_ok(), "time {time}: {again:?}");
        assert_eq!(read(node).await, None, "it answers");
    }
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

/// As soon as the server answers again.
async fn read(node: &Node) -> Option<String> {
    let began = Instant::now();
    loop {
        match node.admin.query(redis::cmd("GET").arg("key")).await {
            Ok(value) => return value,
            Err(e) => assert!(began.elapsed() < Duration::from_secs(5), "{e}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_server_that_dies_at_once_leaves_its_last_words(place: Place) {
    let backend = place.backend().await;
    let mut one = group("one", Mode::Standalone);
    one.config.insert("maxmemory".into(), "banana".into());
    let Err(FormError::Directive { group, line, reason }) =
        up(&*backend, &topology(vec![one])).await
    else {
        panic!("the directive is blamed")
    };
    assert_eq!((&*group, &*line), ("one", "maxmemory banana"), "{reason}");
    backend.shutdown().await.unwrap();
    backend.shutdown().await.unwrap();
    place.assert_nothing_left().await;
}

on_every_backend! {
    a_cluster_is_born_whole
    groups_of_all_modes_come_up_together
    sentinels_are_born_knowing_all
    two_at_once_never_meet
    a_killed_node_is_told
    a_paused_node_answers_only_when_resumed
    a_node_is_started_again_with_its_data_or_without
    a_primary_without_its_data_has_its_slots
    a_killed_node_can_be_started_again_at_once
    a_server_that_dies_at_once_leaves_its_last_words
}
