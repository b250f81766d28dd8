//! Moving slots on real servers: nothing is lost, nothing is left half done.

mod atomic;
mod test_cluster;
mod half_moved;
mod paces;
mod shards;
mod values;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redrill::backend::Backend;
use redrill::cluster::moving::{MoveReport, Reason, finish, move_slots};
use redrill::cluster::plan::{Route, plan};
use redrill::cluster::view;
use redrill::model::NodeName;
use redrill::model::slot::SlotSet;
use redrill::spec::step::{Pace, SlotMove};
use test_cluster::{TestCluster, key, numbered};

const GENTLY: Pace = Pace::Adds(Duration::from_millis(2));
/// Slots of two waves at that pace: so many may be under way at once.
const UNDER_WAY: usize = 512;

#[tokio::test]
async fn a_cancelled_move_leaves_no_slot_open_and_can_be_taken_up_again() {
    let cluster = TestCluster::up(3, 0).await;
    let keys = numbered(0..4000, 5);
    cluster.fill(&keys).await;
    let route = [Route { slots: (0..=3999).into(), from: 0, to: 1 }];
    let seed = 7;
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut done, mut cut_short) = (0, 0);
    for round in 0..40 {
        let pace = if round % 2 == 0 { Pace::Fast } else { GENTLY };
        // So many times it may go on: whatever that takes on a busy machine.
        let (asked, limit) = (AtomicU64::new(0), random.random_range(0..30));
        let cancel = || asked.fetch_add(1, SeqCst) >= limit;
        let moved = move_slots(&route, &cluster.nodes, pace, |_| (), cancel).await.unwrap();
        assert_eq!(cluster.marks().await, [""; 0], "round {round}, seed {seed}");
        cut_short += u32::from(moved.slots > 0 && moved.slots < moved.slots_total);
        done += moved.slots;
        if moved.slots == moved.slots_total {
            break;
        }
    }
    assert!(cut_short > 1, "no round was cut short in the middle, so nothing was tried");
    let rest = move_slots(&route, &cluster.nodes, Pace::Fast, |_| (), || false).await.unwrap();
    assert_eq!(rest.slots, rest.slots_total);
    assert_eq!(done + rest.slots, 4000, "a slot moved twice, or was not counted");
    cluster.assert_owner(0..4000, 1).await;
    cluster.assert_values(&keys).await;
    cluster.down().await;
}

#[tokio::test]
async fn progress_counts_what_moved() {
    let cluster = TestCluster::up(3, 0).await;
    let keys = numbered(0..50, 10);
    cluster.fill(&keys).await;
    let (told, last) = (AtomicU64::new(0), AtomicU64::new(0));
    let progress = |heard: MoveReport| {
        let MoveReport::Moved(moved) = heard else { return };
        assert!(moved.keys >= last.swap(moved.keys, SeqCst) && moved.slots <= moved.slots_total);
        told.fetch_add(1, SeqCst);
    };
    let route = [Route { slots: (0..=99).into(), from: 0, to: 2 }];
    let moved = move_slots(&route, &cluster.nodes, GENTLY, progress, || false).await.unwrap();
    assert_eq!((moved.slots, moved.slots_total, moved.keys), (100, 100, 500));
    assert!(moved.bytes.unwrap() > 500 * 10 && told.load(SeqCst) >= 2 && last.load(SeqCst) == 500);
    cluster.down().await;
}

#[tokio::test]
async fn a_target_that_dies_is_told_and_its_slots_stay_open() {
    let cluster = TestCluster::up(3, 0).await;
    let keys = numbered(0..2000, 10);
    cluster.fill(&keys).await;
    let route = [Route { slots: (0..=1999).into(), from: 0, to: 1 }];
    let target = NodeName::new("cache", 1, 0);
    let killed = AtomicBool::new(false);
    let kill_it = |heard: MoveReport| {
        let MoveReport::Moved(moved) = heard else { return };
        if moved.slots > 0 && !killed.swap(true, SeqCst) {
            cluster.kill_now(&target);
        }
    };
    let error = move_slots(&route, &cluster.nodes, GENTLY, kill_it, || false).await.unwrap_err();
    assert!(matches!(error.reason, Reason::NoPrimary(1)), "{error}");
    assert!(error.to_string().contains("shard 1 has no primary that answers"), "{error}");
    assert!(error.moved.slots > 0 && error.moved.slots < 2000, "killed too late: {error}");
    // It may come back with the keys that it has.
    let source = &cluster.nodes[0];
    let marks = test_cluster::own_line(source).await.migrating;
    let marked: SlotSet = marks.into_iter().map(|(slot, _)| slot).collect();
    assert_eq!(error.open, marked, "{error}");
    assert!(!marked.is_empty() && error.to_string().contains("left open"), "{error}");
    let owned = test_cluster::own_line(source).await.slots;
    let slots = (0..2000).filter(|slot| owned.contains(*slot)).count();
    assert!(slots + error.moved.slots as usize + UNDER_WAY >= 2000, "{slots} left");
    // What the target had is gone with it. All else is where it was.
    let left: usize = source.admin.query(&redis::cmd("DBSIZE")).await.unwrap();
    assert!(left + error.moved.keys as usize >= keys.len(), "{left} keys left: {error}");
    cluster.shutdown().await;
}

/// It has some keys of slots that it does not own. A source that forgot about the move would answer
/// that they do not exist.
#[tokio::test]
async fn a_target_that_hangs_for_long_strands_no_key() {
    let cluster = TestCluster::up(3, 0).await;
    let keys = numbered(0..2000, 10);
    cluster.fill(&keys).await;
    let route = [Route { slots: (0..=1999).into(), from: 0, to: 1 }];
    let target = NodeName::new("cache", 1, 0);
    let paused = AtomicBool::new(false);
    let pause_it = |heard: MoveReport| {
        let MoveReport::Moved(moved) = heard else { return };
        if moved.keys > 0 && !paused.swap(true, SeqCst) {
            cluster.pause_now(&target);
        }
    };
    let error = move_slots(&route, &cluster.nodes, GENTLY, pause_it, || false).await.unwrap_err();
    assert!(!error.open.is_empty(), "{error}");
    cluster.backend.resume(&target).await.unwrap();
    let remains = finish(&cluster.nodes, &error.open).await;
    assert!(remains.is_none(), "{remains:?}");
    cluster.assert_values(&keys).await;
    assert_eq!(cluster.marks().await, [""; 0]);
    cluster.down().await;
}

/// Nobody knows any more that slots were half moved, and their keys are on both sides.
#[tokio::test]
async fn stranded_keys_are_gathered_by_their_owner() {
    let cluster = TestCluster::up(3, 0).await;
    let keys = numbered(0..20, 5);
    cluster.fill(&keys).await;
    half_moved::strand(&cluster, 0..20).await;
    let remains = finish(&cluster.nodes, &(0..=19).into()).await;
    assert!(remains.is_none(), "{remains:?}");
    cluster.assert_values(&keys).await;
    assert_eq!(cluster.marks().await, [""; 0]);
    cluster.down().await;
}

#[tokio::test]
async fn a_move_outlives_a_failover_of_its_target() {
    let cluster = TestCluster::up(3, 1).await;
    cluster.fill(&numbered(0..2000, 12)).await;
    let route = [Route { slots: (0..=1999).into(), from: 0, to: 1 }];
    let target = NodeName::new("cache", 1, 0);
    let killed = AtomicBool::new(false);
    let kill_it = |heard: MoveReport| {
        let MoveReport::Moved(moved) = heard else { return };
        if moved.slots > 0 && !killed.swap(true, SeqCst) {
            cluster.kill_now(&target);
        }
    };
    let moved = move_slots(&route, &cluster.nodes, GENTLY, kill_it, || false).await.unwrap();
    assert!(killed.load(SeqCst) && moved.slots == 2000, "{moved:?}");
    assert_eq!(cluster.marks().await, [""; 0]);
    let heir = cluster.nodes.iter().find(|n| n.name == NodeName::new("cache", 1, 1)).unwrap();
    let owned = test_cluster::own_line(heir).await.slots;
    assert!((0..2000).all(|slot| owned.contains(slot)), "{owned}");
    cluster.shutdown().await;
}

#[tokio::test]
async fn writes_during_a_move_are_kept() {
    let cluster = TestCluster::up(3, 0).await;
    let keys: Vec<String> = (0..200).flat_map(|slot| (0..20).map(move |n| key(slot, n))).collect();
    let seeds: Vec<String> = cluster.nodes.iter().map(|n| format!("redis://{}", n.addr)).collect();
    let client = redis::cluster::ClusterClientBuilder::new(seeds);
    let password = cluster.nodes[0].admin.password().unwrap().reveal();
    let client = client.password(password).build().unwrap();
    let over = AtomicBool::new(false);
    // Each writer has keys of its own, so that the last answer tells what must be there.
    let writer = async |part: usize| {
        let mut connection = client.get_async_connection().await.unwrap();
        let mut acked = BTreeMap::new();
        let mut n = 0u64;
        // However long the moves take, each writes to enough keys.
        while !over.load(SeqCst) || n < 250 {
            let key = &keys[(n as usize * 8 + part) % keys.len()];
            let value = format!("{part}-{n}");
            redis::cmd("SET").arg(key).arg(&value).exec_async(&mut connection).await.unwrap();
            acked.insert(key.clone(), value);
            n += 1;
        }
        acked
    };
    let mover = async {
        let there = Route { slots: (0..=199).into(), from: 0, to: 1 };
        let back = Route { slots: (0..=199).into(), from: 1, to: 0 };
        tokio::time::sleep(Duration::from_millis(200)).await;
        for (route, pace) in [(&there, Pace::Fast), (&back, GENTLY), (&there, GENTLY)] {
            let route = std::slice::from_ref(route);
            move_slots(route, &cluster.nodes, pace, |_| (), || false).await.unwrap();
        }
        over.store(true, SeqCst);
    };
    let writers = futures::future::join_all((0..8).map(writer));
    let (acked, ()) = futures::join!(writers, mover);
    let acked: Vec<(String, String)> = acked.into_iter().flatten().collect();
    assert!(acked.len() > 1_000, "only {} keys were written", acked.len());
    cluster.assert_owner(0..200, 1).await;
    cluster.assert_values(&acked).await;
    cluster.down().await;
}

#[tokio::test]
async fn a_shard_can_give_up_all_its_slots() {
    let cluster = TestCluster::up(3, 1).await;
    let keys = numbered(0..200, 5);
    cluster.fill(&keys).await;
    let seen = view::node_view(&cluster.nodes[0]).await.unwrap();
    let before = view::compare(&cluster.nodes, [&seen.lines[..]]);
    let owners: Vec<_> = before.shards.into_iter().map(|shard| shard.slots).collect();
    let routes = plan(&SlotMove::Drain { shard: 0 }, &owners).unwrap();
    let moved = move_slots(&routes, &cluster.nodes, Pace::Fast, |_| (), || false).await.unwrap();
    assert_eq!((moved.slots, moved.keys), (5461, 1000));
    cluster.assert_values(&keys).await;
    let view = cluster.agreed_view().await;
    assert!(view.shards[0].slots.is_empty());
    let owned: Vec<usize> = view.shards.iter().map(|shard| shard.slots.len()).collect();
    assert_eq!(owned, [0, 8193, 8191]);
    cluster.down().await;
}

/// Nodes that give and get at once, and give what they have only just got.
#[tokio::test]
async fn slots_can_go_round_in_a_circle() {
    let cluster = TestCluster::up(3, 0).await;
    let starts = [0u16, 5461, 10923];
    let keys: Vec<_> = starts.iter().flat_map(|&s| numbered(s..s + 60, 5)).collect();
    cluster.fill(&keys).await;
    for round in 1..=6u32 {
        let route = |shard: u32| Route {
            slots: (starts[shard as usize]..=starts[shard as usize] + 59).into(),
            from: (shard + round - 1) % 3,
            to: (shard + round) % 3,
        };
        let routes: Vec<Route> = (0..3).map(route).collect();
        let moved =
            move_slots(&routes, &cluster.nodes, Pace::Fast, |_| (), || false).await.unwrap();
        assert_eq!((moved.slots, moved.keys), (180, 900), "round {round}");
        for (shard, &start) in starts.iter().enumerate() {
            cluster.assert_owner(start..start + 60, (shard as u32 + round) % 3).await;
        }
    }
    cluster.assert_values(&keys).await;
    cluster.down().await;
}
