//! The watcher on real servers.

use std::time::Duration;

use redrill::backend::Backend;
use redrill::cluster::moving::move_slots;
use redrill::cluster::plan::Route;
use redrill::model::Nanos;
use redrill::model::event::{EventKind, View};
use redrill::model::slot::SlotSet;
use redrill::probe::Watcher;
use redrill::spec::step::Pace;
use redrill::spec::topology::Mode;

use crate::probing::{ALONE, PROBE, Rig, Told};

fn views(told: &Told) -> Vec<(Nanos, &View)> {
    let view = |event: &redrill::model::event::Event| event.at;
    let views = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::View(of) => Some((view(event), of)),
        _ => None,
    });
    views.collect()
}

/// The instants of `ViewConverged` and `Converged` of `step`.
fn converged(told: &Told, step: usize) -> (Option<Nanos>, Option<Nanos>) {
    let (mut view, mut all) = (Vec::new(), Vec::new());
    for event in &told.events {
        match event.kind {
            EventKind::ViewConverged { step: of, since } if of == step => view.push(since),
            EventKind::Converged { step: of, since } if of == step => all.push(since),
            _ => {}
        }
    }
    assert!(view.len() <= 1 && all.len() <= 1, "each is told once: {view:?} {all:?}");
    (view.pop(), all.pop())
}

const PATIENCE: Duration = Duration::from_secs(10);

/// It watches all nodes.
fn watcher(rig: &Rig) -> Watcher {
    let group = std::slice::from_ref(&rig.group);
    Watcher::launch(group, Default::default(), 2_000.0, rig.teller()).unwrap()
}

#[tokio::test]
async fn a_reshard_is_seen_by_the_watcher_and_not_by_the_probes() {
    let _alone = ALONE.lock().await;
    let moving: SlotSet = (0..=399).into();
    let rig = Rig::up(crate::common::cluster(3, 1), PROBE, std::slice::from_ref(&moving)).await;
    let watcher = watcher(&rig);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = rig.clock.now();
    watcher.step_began(0);
    let routes = [Route { slots: moving.clone(), from: 0, to: 2 }];
    // `fast` promises probes nothing.
    move_slots(&routes, &rig.group.nodes, Pace::default(), |_| {}, || false).await.unwrap();
    assert!(!watcher.converged(0, Duration::from_millis(300)).await, "the step has not ended");
    watcher.step_ended(0);
    assert!(watcher.converged(0, PATIENCE).await);
    assert!(!watcher.converged(1, Duration::from_millis(50)).await, "there is no such step");
    watcher.stop();
    let told = rig.down().await;

    assert!(told.outages.is_empty(), "{:?}", told.outages);
    let views = views(&told);
    let (first, last) = (views.first().unwrap().1, views.last().unwrap().1);
    assert!(first.agreed && last.agreed);
    assert!(moving.iter().all(|slot| first.shards[0].slots.contains(slot)));
    assert!(moving.iter().all(|slot| last.shards[2].slots.contains(slot)));
    assert!(views.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= Duration::from_millis(99)));
    let stats = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::Stats { nodes, .. } => Some(nodes.len()),
        _ => None,
    });
    assert!(stats.clone().all(|nodes| nodes == 6) && stats.count() >= 1);
    let (view, all) = converged(&told, 0);
    assert!(view.unwrap() > began && all >= view, "{began}: {view:?}, {all:?}");
}

/// A node that is stopped still believes what it did, and the others do not. It cannot
/// have heard before it goes on.
#[tokio::test]
async fn convergence_waits_for_the_last_node_to_hear() {
    let _alone = ALONE.lock().await;
    let rig = Rig::unprobed(crate::common::cluster(3, 0)).await;
    let watcher = watcher(&rig);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut stalls = Vec::new();
    for step in 0..5 {
        watcher.step_began(step);
        let (from, to) = (rig.node(0, 0), rig.node(1, 0));
        for (node, state, id) in [
            (to, "IMPORTING", &from.id),
            (from, "MIGRATING", &to.id),
            (to, "NODE", &to.id),
            (from, "NODE", &to.id),
        ] {
            if state == "NODE" && node.name == to.name {
                rig.backend.pause(&rig.node(2, 0).name).await.unwrap();
            }
            let mut command = redis::cmd("CLUSTER");
            command.arg("SETSLOT").arg(step).arg(state).arg(id);
            node.admin.query::<()>(&command).await.unwrap();
        }
        watcher.step_ended(step);
        tokio::time::sleep(Duration::from_millis(350)).await;
        stalls.push(rig.clock.now());
        rig.backend.resume(&rig.node(2, 0).name).await.unwrap();
        assert!(watcher.converged(step, PATIENCE).await);
    }
    let round = watcher.round();
    watcher.stop();
    let told = rig.down().await;
    let mut late = Vec::new();
    for (step, &resumed) in stalls.iter().enumerate() {
        let (view, all) = converged(&told, step);
        assert_eq!(view, all, "there are no replicas");
        let since = view.unwrap();
        assert!(since >= resumed, "agreed at {since}, but a node was stopped until {resumed}");
        late.push(since.since(resumed));
    }
    late.sort();
    println!("agreement seen after the last node went on: {late:.1?}; a round is {round:?}");
    // The news wait in the node's sockets, so it hears as it goes on.
    assert!(late[2] <= round + Duration::from_millis(25), "{late:?}");
}

#[tokio::test]
async fn a_replica_that_resyncs_delays_the_links_and_not_the_view() {
    let _alone = ALONE.lock().await;
    let rig = Rig::unprobed(crate::common::group("cache", Mode::Replication { replicas: 1 })).await;
    let watcher = watcher(&rig);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (primary, replica) = (rig.node(0, 0), rig.node(0, 1));
    watcher.step_began(0);
    let config = |name: &str, value: &str| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg(name).arg(value);
        command
    };
    // The replica may not log in any more, so its link stays down until it may again.
    primary.admin.query::<()>(&config("requirepass", "secret")).await.unwrap();
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("replica");
    primary.admin.query::<i64>(&kill).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let cut = rig.clock.now();
    watcher.step_ended(0);
    assert!(!watcher.converged(0, Duration::from_millis(700)).await, "the link is down");
    let mended = rig.clock.now();
    replica.admin.query::<()>(&config("masterauth", "secret")).await.unwrap();
    assert!(watcher.converged(0, PATIENCE).await);
    watcher.stop();
    let told = rig.down().await;
    let (view, all) = converged(&told, 0);
    assert!(view.unwrap() < cut, "owners and roles never changed");
    assert!(all.unwrap() > mended);
}

/// A machine may be so busy that nobody answers just then: who does so a moment later has said
/// nothing wrong. Who stays silent, though it lives, is told of.
#[tokio::test]
async fn silent_nodes_have_a_moment_for_their_last_word() {
    let _alone = ALONE.lock().await;
    let rig = Rig::unprobed(crate::common::cluster(3, 0)).await;
    let watcher = watcher(&rig);
    let names = [0, 1, 2].map(|shard| rig.node(shard, 0).name.clone());
    let pause = async || {
        for name in &names {
            rig.backend.pause(name).await.unwrap();
        }
        // Longer than a node has time for its answer.
        tokio::time::sleep(Duration::from_millis(700)).await;
    };
    let resume = async || {
        for name in &names {
            rig.backend.resume(name).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    resume().await;
    pause().await;
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        resume().await;
    };
    tokio::join!(watcher.settled(), later);
    let forgiven = rig.clock.now();
    pause().await;
    watcher.settled().await;
    resume().await;
    watcher.stop();
    let told = rig.down().await;
    let disagreed = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::Disagreed { how, .. } => Some((event.at > forgiven, how.join("; "))),
        _ => None,
    });
    assert_eq!(disagreed.collect::<Vec<_>>(), [(true, "no node answers".to_owned())]);
}
