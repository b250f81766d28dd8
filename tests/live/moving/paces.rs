//! A pace on servers that are slow by themselves: slots arrive all the same, and what could not
//! be kept is told.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redrill::backend::Backend;
use redrill::cluster::moving::{MoveReport, move_slots};
use redrill::cluster::plan::Route;
use redrill::model::event::PaceKept;
use redrill::spec::step::Pace;

use crate::moving::test_cluster::{TestCluster, numbered};

const SLOTS: u16 = 1000;
const P99: Pace = Pace::P99(Duration::from_millis(5));

/// What one move took, what it told at its end, and what it told to be out of reach.
struct Told {
    took: Duration,
    kept: PaceKept,
    unmet: Vec<PaceKept>,
}

/// Moves all the slots from one shard to another.
async fn carry(cluster: &TestCluster, (from, to): (u32, u32), pace: Pace) -> Told {
    let route = [Route { slots: (0..=SLOTS - 1).into(), from, to }];
    let (kept, unmet) = (Mutex::default(), Mutex::new(Vec::new()));
    let heard = |heard| match heard {
        MoveReport::Pace(pace) => *kept.lock() = pace,
        MoveReport::Unmet(pace) => unmet.lock().push(pace),
        _ => {}
    };
    let began = Instant::now();
    let moved = move_slots(&route, &cluster.nodes, pace, heard, || false).await.unwrap();
    assert_eq!(moved.slots, u64::from(SLOTS));
    Told { took: began.elapsed(), kept: kept.into_inner(), unmet: unmet.into_inner() }
}

/// Two shards get the processor for half of the time only, as beside busy neighbours.
async fn disturb(cluster: &TestCluster) {
    let half = Duration::from_millis(12);
    loop {
        for shard in [0, 1] {
            cluster.backend.pause(&cluster.primary(shard).name).await.unwrap();
        }
        tokio::time::sleep(half).await;
        for shard in [0, 1] {
            cluster.backend.resume(&cluster.primary(shard).name).await.unwrap();
        }
        tokio::time::sleep(half).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_servers_do_not_make_a_pace_crawl() {
    let cluster = TestCluster::up(3, 0).await;
    let keys = numbered(0..SLOTS, 20);
    cluster.fill(&keys).await;
    let moves = async {
        let fast = carry(&cluster, (0, 1), Pace::Fast).await;
        let adds = carry(&cluster, (1, 0), Pace::default()).await;
        let p99 = carry(&cluster, (0, 1), P99).await;
        [fast, adds, p99]
    };
    let [fast, adds, p99] = tokio::select! {
        told = moves => told,
        () = disturb(&cluster) => unreachable!("it does not end"),
    };
    // The disturber may have been stopped in the middle.
    for shard in [0, 1] {
        cluster.backend.resume(&cluster.primary(shard).name).await.unwrap();
    }
    let most = fast.took * 4 + Duration::from_secs(2);
    for careful in [&adds, &p99] {
        assert!(careful.took < most, "{:?} instead of {:?}", careful.took, fast.took);
        assert!(careful.kept.floor_ms > Some(5.0), "{:?}", careful.kept);
    }
    assert_eq!((&*fast.kept.pace, fast.kept.met, fast.kept.floor_ms), ("fast", None, None));
    let kept = &adds.kept;
    assert_eq!(kept.pace, "{ adds: 2ms }");
    let room = kept.goal_ms.unwrap() - kept.floor_ms.unwrap();
    assert!((room - 2.0).abs() < 1e-6, "{kept:?}");
    assert_eq!((&*p99.kept.pace, p99.kept.met), ("{ p99: 5ms }", Some(false)));
    assert_eq!(p99.unmet.len(), 1, "{:?}", p99.unmet);
    assert!(p99.unmet[0].floor_ms > Some(5.0), "{:?}", p99.unmet);
    assert_eq!(p99.unmet[0].answers_ms, None, "nothing had moved yet");
    cluster.assert_values(&keys).await;
    cluster.down().await;
}
