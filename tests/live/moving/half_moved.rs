//! Slots that somebody else left half moved are finished, whatever state they are in.

use redrill::cluster::moving::move_slots;
use redrill::cluster::plan::Route;
use redrill::model::Password;
use redrill::node::Node;
use redrill::spec::step::Pace;

use crate::common::with_password;
use crate::moving::test_cluster::{TestCluster, key, numbered};

async fn set_slot(at: &Node, slot: u16, what: &str, of: &Node) {
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg("SETSLOT").arg(slot).arg(what).arg(&of.id);
    at.admin.query::<()>(&cmd).await.unwrap();
}

async fn carry(from: &Node, to: &Node, how: Option<&str>, key: &str) {
    let mut cmd = redis::cmd("MIGRATE");
    cmd.arg(to.addr.ip().to_string()).arg(to.addr.port()).arg("").arg(0).arg(1000).arg(how);
    let password = to.admin.password().map(Password::reveal);
    cmd.arg(password.map(|_| "AUTH")).arg(password).arg("KEYS").arg(key);
    assert_eq!(from.admin.query::<String>(&cmd).await.unwrap(), "OK");
}

/// Every slot from 0 to 9 in another state of a move from shard 0 to shard 1.
async fn leave_half_moved(cluster: &TestCluster) {
    let (from, to) = (cluster.primary(0), cluster.primary(1));
    let open = async |slot| {
        set_slot(to, slot, "IMPORTING", from).await;
        set_slot(from, slot, "MIGRATING", to).await;
    };
    // Slot 0: only importing. Slot 1: only migrating. Slot 2: both.
    set_slot(to, 0, "IMPORTING", from).await;
    set_slot(from, 1, "MIGRATING", to).await;
    open(2).await;
    // Slot 3: some keys have gone.
    open(3).await;
    carry(from, to, None, &key(3, 1)).await;
    // Slot 4: a key is on both sides, and a client has written to it since.
    open(4).await;
    carry(from, to, Some("COPY"), &key(4, 1)).await;
    let newer = format!("value {} of slot {}", 1, 4);
    carry(from, to, Some("COPY"), &key(4, 2)).await;
    from.admin.query::<()>(redis::cmd("SET").arg(key(4, 2)).arg("newer")).await.unwrap();
    from.admin.query::<()>(redis::cmd("SET").arg(key(4, 1)).arg(newer)).await.unwrap();
    // Slot 5: some keys have gone, and the source has forgotten about it.
    open(5).await;
    carry(from, to, None, &key(5, 1)).await;
    set_slot_stable(from, 5).await;
    // Slot 6: all keys have gone, and only the target knows that it owns the slot.
    open(6).await;
    for n in 0..3 {
        carry(from, to, None, &key(6, n)).await;
    }
    set_slot(to, 6, "NODE", to).await;
}

/// Carries the first key of each of the slots of shard 0 to shard 1, and has both forget the move.
pub async fn strand(cluster: &TestCluster, slots: std::ops::Range<u16>) {
    let (from, to) = (cluster.primary(0), cluster.primary(1));
    for slot in slots {
        set_slot(to, slot, "IMPORTING", from).await;
        set_slot(from, slot, "MIGRATING", to).await;
        carry(from, to, None, &key(slot, 1)).await;
        set_slot_stable(from, slot).await;
        set_slot_stable(to, slot).await;
    }
}

async fn set_slot_stable(at: &Node, slot: u16) {
    let mut cmd = redis::cmd("CLUSTER");
    at.admin.query::<()>(cmd.arg("SETSLOT").arg(slot).arg("STABLE")).await.unwrap();
}

fn keys() -> Vec<(String, String)> {
    let mut keys = numbered(0..10, 3);
    let conflict = keys.iter_mut().find(|(name, _)| *name == key(4, 2)).unwrap();
    conflict.1 = "newer".to_owned();
    keys
}

#[tokio::test]
async fn every_half_moved_state_is_finished() {
    let cluster = TestCluster::up(3, 0).await;
    cluster.fill(&numbered(0..10, 3)).await;
    leave_half_moved(&cluster).await;
    assert!(cluster.marks().await.len() >= 9, "{:?}", cluster.marks().await);
    let moved = move_slots(&[], &cluster.nodes, Pace::Fast, |_| (), || false).await.unwrap();
    assert_eq!((moved.slots, moved.slots_total), (0, 0), "nobody asked for these");
    assert_eq!(cluster.marks().await, [""; 0]);
    cluster.assert_owner(0..7, 1).await;
    cluster.assert_owner(7..10, 0).await;
    cluster.assert_values(&keys()).await;
    cluster.down().await;
}

#[tokio::test]
async fn half_moved_slots_that_are_wanted_elsewhere_get_there() {
    let cluster = TestCluster::up(3, 0).await;
    cluster.fill(&numbered(0..10, 3)).await;
    leave_half_moved(&cluster).await;
    let route = [Route { slots: (0..=9).into(), from: 0, to: 2 }];
    let moved = move_slots(&route, &cluster.nodes, Pace::Fast, |_| (), || false).await.unwrap();
    assert_eq!((moved.slots, moved.slots_total), (10, 10));
    cluster.assert_owner(0..10, 2).await;
    cluster.assert_values(&keys()).await;
    cluster.down().await;
}

/// Two nodes fetch the slot, and each has got a key of it.
#[tokio::test]
async fn a_slot_that_two_fetch_ends_whole() {
    let cluster = TestCluster::up(3, 0).await;
    let keys = numbered(0..1, 6);
    cluster.fill(&keys).await;
    let (from, one, two) = (cluster.primary(0), cluster.primary(1), cluster.primary(2));
    for (to, n) in [(one, 1), (two, 2)] {
        set_slot(to, 0, "IMPORTING", from).await;
        set_slot(from, 0, "MIGRATING", to).await;
        carry(from, to, None, &key(0, n)).await;
    }
    set_slot_stable(from, 0).await;
    let route = [Route { slots: (0..=0).into(), from: 0, to: 1 }];
    move_slots(&route, &cluster.nodes, Pace::Fast, |_| (), || false).await.unwrap();
    cluster.assert_owner(0..1, 1).await;
    cluster.assert_values(&keys).await;
    cluster.down().await;
}

/// What redis-cli leaves when it is stopped.
#[tokio::test]
async fn what_redis_cli_left_is_finished() {
    let Some(cli) = crate::common::need::cli() else { return };
    let cluster = TestCluster::up(3, 0).await;
    let keys = numbered(0..300, 20);
    cluster.fill(&keys).await;
    let mut reshard = std::process::Command::new(cli);
    with_password(&mut reshard, cluster.nodes[0].admin.password());
    let mut reshard = reshard
        .args(["--cluster", "reshard", &cluster.nodes[0].addr.to_string(), "--cluster-yes"])
        .args(["--cluster-from", &cluster.nodes[0].id, "--cluster-to", &cluster.nodes[1].id])
        .args(["--cluster-slots", "300", "--cluster-pipeline", "2"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut left = Vec::new();
    for _ in 0..2_000 {
        left = cluster.marks().await;
        if !left.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    reshard.kill().unwrap();
    reshard.wait().unwrap();
    assert!(!left.is_empty(), "redis-cli was too quick or did nothing");
    let route = [Route { slots: (0..=299).into(), from: 0, to: 1 }];
    move_slots(&route, &cluster.nodes, Pace::Fast, |_| (), || false).await.unwrap();
    cluster.assert_owner(0..300, 1).await;
    cluster.assert_values(&keys).await;
    cluster.down().await;
}
