//! A real cluster of three nodes.

use std::time::Duration;

use redrill::model::op::{Action, Op, Outcome, Purpose, RegisterOp};
use redrill::model::slot::slot_of;
use redrill::spec::scenario::{ClientKind, Load};

use super::real::{Server, wait};
use super::support::{Rig, load};

const SHARES: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

fn cluster() -> Vec<Server> {
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    let servers: Vec<Server> = SHARES.iter().map(|_| Server::start(&options)).collect();
    let port = servers[0].address.port().to_string();
    for (server, (first, last)) in servers.iter().zip(SHARES) {
        let (first, last) = (first.to_string(), last.to_string());
        server.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).unwrap();
        server.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port]).unwrap();
    }
    wait("all nodes agree", || {
        servers.iter().all(|server| {
            let info: String = server.ask(&["CLUSTER", "INFO"]).unwrap();
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        })
    });
    servers
}

fn read(found: Option<u64>) -> Action {
    Action::Register(RegisterOp::Read(found))
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_filled_over_all_slots_and_read_back() {
    let servers = cluster();
    let load = Load { keys: 60_000, ..load(2_000.0, 0.5) };
    let mut rig = Rig::launch(&load, &[servers[1].address], true).await;
    assert_eq!(rig.runner.fill().await.unwrap(), 60_000);

    let filled = |&slot: &u16| {
        let owner = SHARES.iter().position(|&(_, last)| slot <= last).unwrap();
        let count = ["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()];
        servers[owner].ask::<u64>(&count).unwrap() > 0
    };
    let sampled = (0..16_384).step_by(16).take(1000);
    let used = sampled.filter(filled).count();
    assert!(used > 900, "only {used} of 1000 slots have a key");

    let (_, totals) = rig.run(Duration::from_secs(1)).await;
    assert_eq!((totals.ok, totals.fail + totals.unknown), (totals.intended, 0), "{totals:?}");
    let deadline = rig.clock.now() + Duration::from_secs(20);
    let last = rig.runner.final_read(deadline).await.unwrap();
    assert_eq!((last.read, last.unread), (60_000, 0));
    let left = rig.finish();
    assert_eq!(left.of(Purpose::Fill).len(), 60_000);
    let finals = left.of(Purpose::Final);
    assert!(finals.iter().all(|op| op.outcome == Outcome::Ok));
    // Nothing was lost, so each key holds the value of its last write.
    let mut state = vec![None; 60_000];
    let mut writes: Vec<_> = left.ops.iter().filter(|op| op.purpose != Purpose::Final).collect();
    writes.retain(|op| op.action.written().is_some());
    writes.sort_by_key(|op| op.done);
    writes.iter().for_each(|op| state[op.key as usize] = op.action.written());
    let held = |op: &&&Op| op.action == read(state[op.key as usize]);
    let differing = finals.len() - finals.iter().filter(held).count();
    // Two writes of one key may overlap, and then their order is not known.
    assert!(differing < 5, "{differing} keys do not hold their last write");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_primary_leaves_its_keys_unread_within_the_deadline() {
    let mut servers = cluster();
    let load = Load { keys: 3_000, ..load(1_000.0, 0.5) };
    let mut rig = Rig::launch(&load, &[servers[0].address], true).await;
    rig.runner.fill().await.unwrap();
    servers[2].kill();
    let began = rig.clock.now();
    let last = rig.runner.final_read(began + Duration::from_secs(1)).await.unwrap();
    let took = rig.clock.now().since(began);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(last.read + last.unread, 3_000);
    assert!(last.unread >= 900, "{last:?}");
    let left = rig.finish();
    let unread = left.of(Purpose::Final).into_iter().filter(|op| op.outcome != Outcome::Ok);
    assert_eq!(unread.count() as u64, last.unread);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_client_does_the_same_operations() {
    let servers = cluster();
    let load = Load { client: ClientKind::RedisRs, ..load(500.0, 0.5) };
    let mut rig = Rig::launch(&load, &[servers[0].address], true).await;
    assert_eq!(rig.runner.fill().await.unwrap(), 500);
    let (_, totals) = rig.run(Duration::from_secs(1)).await;
    assert!(totals.intended >= 490);
    assert_eq!((totals.ok, totals.fail + totals.unknown), (totals.intended, 0), "{totals:?}");
    let deadline = rig.clock.now() + Duration::from_secs(5);
    assert_eq!(rig.runner.final_read(deadline).await.unwrap().read, 500);
    rig.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_moves_under_the_load_and_nobody_notices_but_the_counters() {
    let servers = cluster();
    // One key, so all operations are in the slot that moves.
    let load = Load { keys: 1, ..load(1_000.0, 0.5) };
    let slot = slot_of(b"app:0");
    let from = SHARES.iter().position(|&(_, last)| slot <= last).unwrap();
    let (source, target) = (&servers[from], &servers[(from + 1) % 3]);
    let mut rig = Rig::launch(&load, &[servers[0].address], true).await;
    rig.runner.fill().await.unwrap();
    rig.runner.begin(rig.clock.now()).unwrap();
    let pause = || tokio::time::sleep(Duration::from_millis(100));
    pause().await;
    let id = |server: &Server| server.ask::<String>(&["CLUSTER", "MYID"]).unwrap();
    let (slot, from_id, to_id) = (slot.to_string(), id(source), id(target));
    let set = |server: &Server, words: [&str; 2]| {
        server.ask::<()>(&["CLUSTER", "SETSLOT", &slot, words[0], words[1]]).unwrap();
    };
    set(target, ["IMPORTING", &from_id]);
    set(source, ["MIGRATING", &to_id]);
    pause().await;
    let port = target.address.port().to_string();
    source.ask::<()>(&["MIGRATE", "127.0.0.1", &port, "app:0", "0", "5000"]).unwrap();
    pause().await;
    set(target, ["NODE", &to_id]);
    set(source, ["NODE", &to_id]);
    pause().await;
    let totals = rig.runner.stop().await.unwrap();
    let deadline = rig.clock.now() + Duration::from_secs(5);
    assert_eq!(rig.runner.final_read(deadline).await.unwrap().read, 1);
    let left = rig.finish();

    assert_eq!(totals.ok, totals.intended, "{totals:?}");
    assert!(totals.ask > 20 && totals.moved > 0, "{totals:?}");
    let writes = left.ops.iter().filter(|op| op.action.written().is_some());
    let last = writes.max_by_key(|op| op.done).unwrap();
    assert_eq!(left.of(Purpose::Final)[0].action, read(last.action.written()));
}
