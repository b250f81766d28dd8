//! Slots that servers move by jobs of their own, where they offer that.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redrill::backend::Backend;
use redrill::cluster::moving::{MoveError, MoveReport, Reason, atomic, carry_out};
use redrill::cluster::plan::Route;
use redrill::model::event::Moved;
use redrill::spec::step::{Method, Pace};

use crate::common::need::{self, Need};
use crate::moving::test_cluster::{TestCluster, numbered};
use crate::moving::values::every_kind_moves;

const ATOMIC: (Method, Pace) = (Method::Atomic, Pace::Fast);

/// The servers that offer such jobs; of the others, that they say so.
async fn servers() -> Vec<PathBuf> {
    let mut offering = Vec::new();
    for server in need::every_engine() {
        let cluster = TestCluster::of(&server, 3, 0).await;
        match atomic::offered(&cluster.nodes).await {
            Some(_) => offering.push(server),
            None => assert_none_offered(&cluster).await,
        }
        cluster.shutdown().await;
    }
    if offering.is_empty() {
        need::skip(Need::Engines, "no server here offers atomic slot migration");
    }
    offering
}

async fn assert_none_offered(cluster: &TestCluster) {
    let refused = order(cluster, ATOMIC, &|_| (), &|| false).await.unwrap_err();
    assert!(matches!(refused.reason, Reason::NotAtomic), "{refused}");
    let heard: Mutex<Vec<MoveReport>> = Mutex::default();
    let auto = (Method::Auto, Pace::Fast);
    order(cluster, auto, &|told| heard.lock().unwrap().push(told), &|| false).await.unwrap();
    let first = &heard.lock().unwrap()[0];
    assert_eq!(*first, MoveReport::Method(Method::Migrate));
}

const SLOTS: u16 = 4000;

async fn order(
    cluster: &TestCluster,
    how: (Method, Pace),
    heard: &(dyn Fn(MoveReport) + Sync),
    cancel: &(dyn Fn() -> bool + Sync),
) -> Result<Moved, MoveError> {
    let route = [Route { slots: (0..=SLOTS - 1).into(), from: 0, to: 1 }];
    carry_out(&route, &cluster.nodes, how, heard, cancel).await
}

#[tokio::test]
async fn jobs_are_followed_to_their_end() {
    for server in servers().await {
        every_kind_moves(&server, ATOMIC).await;
        let cluster = TestCluster::of(&server, 3, 1).await;
        let keys = numbered(0..SLOTS, 5);
        cluster.fill(&keys).await;
        let heard: Mutex<Vec<MoveReport>> = Mutex::default();
        let told = |one| heard.lock().unwrap().push(one);
        let moved = order(&cluster, (Method::Auto, Pace::Fast), &told, &|| false).await.unwrap();
        assert_eq!((moved.slots, moved.slots_total), (4000, 4000));
        assert_eq!((moved.keys, moved.bytes), (20_000, None));
        let heard: Vec<MoveReport> = heard.into_inner().unwrap();
        assert_eq!(heard[0], MoveReport::Method(Method::Atomic));
        let phases: Vec<&str> = heard.iter().filter_map(phase).collect();
        let last = phases.last().copied();
        let done = matches!(last, Some("success" | "completed"));
        assert!(phases.len() > 1 && done, "{phases:?}");
        cluster.assert_owner(0..SLOTS, 1).await;
        cluster.assert_values(&keys).await;
        cluster.down().await;
    }
}

fn phase(heard: &MoveReport) -> Option<&str> {
    match heard {
        MoveReport::Job { from: 0, to: 1, state } => Some(state),
        MoveReport::Job { .. } => panic!("{heard:?}"),
        _ => None,
    }
}

#[tokio::test]
async fn a_cancelled_job_leaves_all_slots_where_they_were() {
    for server in servers().await {
        let cluster = TestCluster::of(&server, 3, 0).await;
        let keys = numbered(0..SLOTS, 40);
        cluster.fill(&keys).await;
        let seed = 7;
        let mut random = SmallRng::seed_from_u64(seed);
        let mut cancelled = 0;
        for round in 0..12 {
            let (began, limit) = (Instant::now(), random.random_range(0..400));
            let cancel = || began.elapsed() > Duration::from_millis(limit);
            let moved = order(&cluster, ATOMIC, &|_| (), &cancel).await.unwrap();
            let all = moved.slots == 4000;
            assert!(all || moved.slots == 0, "round {round}, seed {seed}: {moved:?}");
            cluster.agreed_view().await;
            cluster.assert_owner(0..SLOTS, u32::from(all)).await;
            cluster.assert_values(&keys).await;
            if all {
                break;
            }
            cancelled += 1;
        }
        assert!(cancelled > 1, "no job was cancelled, so nothing was tried");
        cluster.down().await;
    }
}

#[tokio::test]
async fn a_target_that_dies_leaves_the_source_whole() {
    for server in servers().await {
        let cluster = TestCluster::of(&server, 3, 0).await;
        let keys = numbered(0..SLOTS, 40);
        cluster.fill(&keys).await;
        let target = cluster.primary(1).name.clone();
        let (begun, seen) = tokio::sync::oneshot::channel();
        let begun = Mutex::new(Some(begun));
        let heard = |told| {
            if let MoveReport::Job { .. } = told
                && let Some(begun) = begun.lock().unwrap().take()
            {
                let _ = begun.send(());
            }
        };
        let kill = async {
            seen.await.unwrap();
            cluster.backend.kill(&target).await.unwrap();
        };
        let (moved, ()) = tokio::join!(order(&cluster, ATOMIC, &heard, &|| false), kill);
        let error = moved.unwrap_err();
        assert!(matches!(error.reason, Reason::Job { .. }), "{error}");
        assert_eq!(error.moved.slots, 0);
        cluster.assert_owner(0..SLOTS, 0).await;
        cluster.assert_values(&keys).await;
        cluster.shutdown().await;
    }
}

#[tokio::test]
async fn a_half_moved_slot_is_finished_before_a_job_is_ordered() {
    for server in servers().await {
        let cluster = TestCluster::of(&server, 3, 0).await;
        let keys = numbered(0..SLOTS, 2);
        cluster.fill(&keys).await;
        let (from, to) = (cluster.primary(0), cluster.primary(1));
        for (node, state, id) in [(to, "IMPORTING", &from.id), (from, "MIGRATING", &to.id)] {
            let mut mark = redis::cmd("CLUSTER");
            mark.arg("SETSLOT").arg(77).arg(state).arg(id);
            node.admin.query::<()>(&mark).await.unwrap();
        }
        let moved = order(&cluster, ATOMIC, &|_| (), &|| false).await.unwrap();
        assert_eq!(moved.slots, moved.slots_total);
        assert!(moved.slots >= 3999, "slot 77 may have gone with its marks: {moved:?}");
        cluster.assert_owner(0..SLOTS, 1).await;
        cluster.assert_values(&keys).await;
        cluster.down().await;
    }
}
