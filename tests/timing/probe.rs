//! Probes on real servers: what counts as an outage and what does not.

use std::process::Command;
use std::time::Duration;

use redis::cmd;
use redrill::backend::Backend;
use redrill::model::event::Role;
use redrill::model::op::Access;
use redrill::model::{Nanos, Password};
use redrill::node::{Node, Section};
use redrill::spec::scenario::Probe;
use redrill::spec::topology::Mode;
use rustix::process::{Signal, getpid, kill_process};

use crate::probing::{ALONE, PROBE, Rig};

/// Stops this whole process, probes and all, while servers go on.
fn sleep_as_a_process(time: Duration) {
    let script = format!("sleep {}; kill -CONT $PPID", time.as_secs_f64());
    let mut waker = Command::new("sh").arg("-c").arg(script).spawn().unwrap();
    kill_process(getpid(), Signal::STOP).unwrap();
    waker.wait().unwrap();
}

#[tokio::test]
async fn redrills_own_sleep_is_not_blamed_on_the_servers() {
    let _alone = ALONE.lock().await;
    // Probes are under way at any instant, and the deadline is short.
    let probe = Probe {
        every: Duration::from_millis(1),
        deadline: Duration::from_millis(30),
        canaries: 4,
        budget: 20_000.0,
    };
    let rig = Rig::up(crate::common::cluster(3, 0), probe, &[]).await;
    for time in [25, 60, 150, 300, 600] {
        tokio::time::sleep(Duration::from_millis(100)).await;
        sleep_as_a_process(Duration::from_millis(time));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let told = rig.down().await;
    assert!(told.outages.is_empty(), "{:?}", told.outages);
    assert_eq!(told.failed, 0);
    assert!(!told.warnings.is_empty(), "that redrill was blind is told");
}

#[tokio::test]
async fn an_outage_is_seen_although_redrill_sleeps_too() {
    let _alone = ALONE.lock().await;
    let rig = Rig::up(crate::common::cluster(3, 0), PROBE, &[]).await;
    let node = rig.node(1, 0).clone();
    rig.backend.pause(&node.name).await.unwrap();
    let from = rig.clock.now();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        sleep_as_a_process(Duration::from_millis(30));
    }
    let to = rig.clock.now();
    rig.backend.resume(&node.name).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let told = rig.down().await;
    assert_eq!(told.outages.len(), 8, "four canaries, written and read: {:?}", told.outages);
    let off = |a: Nanos, b: Nanos| a.since(b).max(b.since(a)).as_millis();
    // The first tick after the stop may have been overslept.
    let began = told.outages.iter().map(|outage| outage.from).min().unwrap();
    assert!(off(began, from) < 60, "the first began at {began}, not at {from}");
    for outage in told.outages {
        assert_eq!(outage.canary.shard, 1);
        // The other canaries had their turns later.
        assert!(off(outage.from, from) < 200, "{outage:?} began at {from}");
        assert!(off(outage.to.unwrap(), to) < 60, "{outage:?} ended at {to}");
    }
}

#[tokio::test]
async fn a_stall_shorter_than_the_deadline_is_no_outage() {
    let _alone = ALONE.lock().await;
    let probe = Probe { deadline: Duration::from_millis(500), ..PROBE };
    let rig = Rig::up(crate::common::cluster(3, 0), probe, &[]).await;
    rig.stall(rig.node(0, 0), Duration::from_millis(200)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let told = rig.down().await;
    assert!(told.outages.is_empty(), "{:?}", told.outages);
}

#[tokio::test]
async fn a_group_without_slots_is_probed_at_its_primary() {
    let _alone = ALONE.lock().await;
    let group = crate::common::group("cache", Mode::Replication { replicas: 1 });
    let rig = Rig::up(group, PROBE, &[]).await;
    let (replica, primary) = (rig.node(0, 1).clone(), rig.node(0, 0).clone());
    rig.stall(&replica, Duration::from_millis(300)).await;
    let (from, to) = rig.stall(&primary, Duration::from_millis(300)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let told = rig.down().await;
    assert_eq!(told.outages.len(), 8, "the primary's stall alone counts: {:?}", told.outages);
    assert!(told.outages.iter().all(|o| o.from + PROBE.every >= from && o.to.unwrap() >= to));
}

#[tokio::test]
async fn an_outage_that_does_not_end_has_no_end() {
    let _alone = ALONE.lock().await;
    let group = crate::common::group("cache", Mode::Standalone);
    let rig = Rig::up(group, PROBE, &[]).await;
    rig.backend.kill(&rig.node(0, 0).name.clone()).await.unwrap();
    let killed = rig.clock.now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = rig.down().await;
    assert_eq!(told.outages.len(), 8, "{:?}", told.outages);
    for outage in &told.outages {
        assert!(outage.to.is_none() && outage.from.since(killed) < Duration::from_millis(100));
    }
}

/// The new primary's own word for it, as the truth to hold the outage's end against.
async fn promoted(rig: &Rig, replica: &Node) -> Nanos {
    loop {
        let role = replica.admin.info(Section::Replication).await.unwrap().role();
        let state = replica.admin.cluster_info().await.unwrap();
        if role == Some(Role::Primary) && state.state_ok {
            return rig.clock.now();
        }
        assert!(rig.clock.now() < Nanos(60_000_000_000), "no failover within a minute");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_outage_ends_when_a_failover_does() {
    let _alone = ALONE.lock().await;
    for paused in [false, true] {
        let mut group = crate::common::cluster(3, 1);
        group.config.insert("cluster-node-timeout".into(), "1000".into());
        let rig = Rig::up(group, PROBE, &[]).await;
        let primary = rig.node(0, 0).clone();
        match paused {
            false => rig.backend.kill(&primary.name).await.unwrap(),
            true => rig.backend.pause(&primary.name).await.unwrap(),
        }
        let from = rig.clock.now();
        let to = promoted(&rig, rig.node(0, 1)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        if paused {
            rig.backend.resume(&primary.name).await.unwrap();
        }
        let told = rig.down().await;
        let writes = told.outages.iter().filter(|o| o.action == Access::Write);
        let ends: Vec<f64> = writes
            .filter(|o| o.canary.shard == 0)
            .map(|o| {
                assert!(o.from + PROBE.every >= from, "{o:?} began at {from}");
                o.to.expect("the new primary serves").0 as f64 / 1e6 - to.0 as f64 / 1e6
            })
            .collect();
        println!("paused: {paused}; ends of outages, in ms after the promotion: {ends:.1?}");
        assert_eq!(ends.len(), 4, "{:?}", told.outages);
        assert!(ends.iter().all(|end| (-5.0..150.0).contains(end)), "{ends:?}");
    }
}

/// Moves one slot with its only key by hand, slowly, so that probes meet each state.
async fn move_slot(slot: u16, key: &str, from: &Node, to: &Node, all: &[Node]) {
    let set = |state: &str, id: &str| {
        let mut command = cmd("CLUSTER");
        command.arg("SETSLOT").arg(slot).arg(state).arg(id);
        command
    };
    let pause = || tokio::time::sleep(Duration::from_millis(60));
    to.admin.query::<()>(&set("IMPORTING", &from.id)).await.unwrap();
    from.admin.query::<()>(&set("MIGRATING", &to.id)).await.unwrap();
    pause().await;
    let mut migrate = cmd("MIGRATE");
    migrate.arg(to.addr.ip().to_string()).arg(to.addr.port()).arg("").arg(0).arg(1000);
    let password = to.admin.password().map(Password::reveal);
    migrate.arg(password.map(|_| "AUTH")).arg(password).arg("KEYS").arg(key);
    from.admin.query::<()>(&migrate).await.unwrap();
    pause().await;
    for node in [to, from].into_iter().chain(all) {
        node.admin.query::<()>(&set("NODE", &to.id)).await.unwrap();
        pause().await;
    }
}

#[tokio::test]
async fn a_slot_on_the_move_is_served_throughout() {
    let _alone = ALONE.lock().await;
    let moving = (0..=99).into();
    let rig = Rig::up(crate::common::cluster(3, 0), PROBE, &[moving]).await;
    let moved: Vec<_> = rig.canaries.iter().filter(|c| c.moves).cloned().collect();
    assert_eq!(moved.len(), 8);
    for canary in &moved {
        let (from, to) = (rig.node(0, 0), rig.node(1, 0));
        move_slot(canary.slot, &canary.key, from, to, &rig.group.nodes).await;
    }
    let owners = rig.owners().await;
    assert!(moved.iter().all(|c| owners[1].contains(c.slot)), "they have moved");
    let told = rig.down().await;
    assert!(told.outages.is_empty(), "{:?}", told.outages);
}
