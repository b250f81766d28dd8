//! Drills with locks of every kind, and bad luck that meets them.

use std::thread;
use std::time::Duration;

use redrill::model::Nanos;
use redrill::model::event::Phase;
use redrill::model::op::{Action, LockOp, Op, Outcome, Purpose};
use serde_json::Value;

use crate::common::{client, need};
use crate::drill::place::Place;

pub fn scenario(topology: &str, loads: &[&str], settle: &str) -> String {
    let loads: String = loads.iter().map(|load| format!("  {load}\n")).collect();
    format!("name: locks\ntopology: {topology}\nloads:\n{loads}settle: {settle}\nreported: [all]")
}

/// A load on one group of locks, with its accounts apart.
pub fn load(name: &str, lock: &str, more: &str) -> String {
    format!(
        "{name}: {{ workload: lock, group: locks, lock: {{ {lock}, accounts: bank }}, {more} }}"
    )
}

pub fn measure(report: &Value, name: &str) -> f64 {
    report["measures"][name]["value"].as_f64().unwrap_or_else(|| panic!("{name} is not known"))
}

fn lock_ops(ops: &[Op], load: u8) -> impl Iterator<Item = (&Op, LockOp)> {
    let of_load = move |op: &&Op| op.load == load && op.purpose == Purpose::Load;
    ops.iter().filter(of_load).filter_map(|op| match op.action {
        Action::Lock(action) => Some((op, action)),
        _ => None,
    })
}

/// The most sessions of a load that had one lock at once: from the first read of its account to
/// the giving back.
fn most_at_once(ops: &[Op], load: u8) -> usize {
    let mut held: Vec<(u64, u64, Nanos, Nanos)> = Vec::new();
    for (op, action) in lock_ops(ops, load) {
        let known = held.iter_mut().find(|(_, token, ..)| *token == action.token());
        match (action, known) {
            (LockOp::Read { token, .. }, None) => held.push((op.key, token, op.sent, op.sent)),
            (LockOp::Release { .. }, Some(held)) => held.3 = op.sent,
            _ => {}
        }
    }
    let at = |key, at| held.iter().filter(|one| one.0 == key && one.2 <= at && at < one.3).count();
    held.iter().map(|one| at(one.0, one.2)).max().unwrap_or(0)
}

/// Four loads on the same servers, each with many clients for few locks.
#[test]
fn every_kind_of_lock_has_as_many_holders_as_it_may_have() {
    let place = Place::new();
    let many = "rate: 150/s, keys: 2, clients: 20, instances: 2";
    let loads = [
        load("mutex", "kind: mutex, patience: 2s", many),
        load("few", "kind: semaphore, holders: 3, hold: 20ms, patience: 2s", many),
        load("books", "kind: read-write, hold: 10ms, patience: 2s", many),
        load("line", "kind: fair, patience: 2s", many),
    ];
    let ran = place.play(&scenario("locks-1x0", &loads.each_ref().map(|l| &**l), "2s"), &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    let (report, ops) = (place.report(), place.ops());
    assert_eq!(measure(&report, "lock.overlaps"), 0.0, "{}", ran.out);
    assert_eq!(measure(&report, "lock.updates.lost"), 0.0, "{}", ran.out);
    assert_eq!(measure(&report, "lock.reads.changed"), 0.0, "{}", ran.out);
    assert!(measure(&report, "lock.acquired") > 200.0, "{}", ran.out);
    assert_eq!(most_at_once(&ops, 0), 1);
    assert!((2..=3).contains(&most_at_once(&ops, 1)), "{}", most_at_once(&ops, 1));
    assert!(most_at_once(&ops, 2) >= 2, "readers have it together");
    assert_eq!(most_at_once(&ops, 3), 1);
    let count = |load, is: fn(&LockOp) -> bool| {
        lock_ops(&ops, load).filter(|(op, action)| op.outcome == Outcome::Ok && is(action)).count()
    };
    let reads = |action: &LockOp| matches!(action, LockOp::Acquire { shared: true, .. });
    assert!(count(2, reads) > 0 && count(2, |action| matches!(action, LockOp::Write { .. })) > 0);
    assert_eq!(count(0, reads) + count(1, reads) + count(3, reads), 0);
    assert!(count(3, |action| matches!(action, LockOp::Wait { woken: true, .. })) > 0);
    place.assert_nothing_left();
}

/// Nobody gives the lock back, and nobody else comes and asks.
#[test]
fn who_stands_in_line_gets_the_lock_when_the_lease_of_a_dead_holder_is_over() {
    let place = Place::new();
    let lock = "kind: fair, ttl: 700ms, patience: 20s";
    let more = "rate: 0.2/s, keys: 1, timeout: 8s";
    let text = scenario("locks-1x0", &[&load("line", lock, more)], "11s");
    let mut playing = place.start(&text, &[]);
    playing.wait_for_phase(Phase::Settle);
    let mut server = server_of(&place, "locks/0/0");
    let mut set = redis::cmd("SET");
    let () =
        set.arg("line:0").arg("a dead holder").arg("PX").arg(7_000).query(&mut server).unwrap();
    let ran = playing.end();
    assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
    let ops = place.ops();
    let reads = lock_ops(&ops, 0).filter(|(_, action)| matches!(action, LockOp::Read { .. }));
    let mut waits = reads.map(|(op, _)| op.sent.since(op.began()));
    let second = waits.nth(1).expect("it got the lock");
    // It was due after 5 s. If it asked nobody for half of its time-out, it would be 4 s.
    let about = Duration::from_millis(1_500)..Duration::from_millis(3_500);
    assert!(about.contains(&second), "{second:?}: {}", ran.out);
    place.assert_nothing_left();
}

pub fn server_of(place: &Place, name: &str) -> redis::Connection {
    let record = &place.records()[0];
    let node = record.nodes.iter().find(|node| node.name.to_string() == name).unwrap();
    client(&node.address, record.password().as_ref()).get_connection().unwrap()
}

/// Its scripts go, which costs nothing, and then its memory, which breaks locks.
#[test]
#[ignore = "`just test-all`"]
fn a_server_that_forgets_its_locks_is_found_out() {
    for kind in ["mutex", "mutex-wait", "fenced", "semaphore", "read-write", "fair"] {
        let place = Place::new();
        let lock = format!("kind: {kind}, hold: 300ms, patience: 3s");
        let more = "rate: 40/s, keys: 2, clients: 20";
        let mut playing =
            place.start(&scenario("locks-1x2", &[&load("app", &lock, more)], "4s"), &[]);
        playing.wait_for_phase(Phase::Settle);
        let mut server = server_of(&place, "locks/0/0");
        let () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut server).unwrap();
        for _ in 0..6 {
            thread::sleep(Duration::from_millis(400));
            let () = redis::cmd("FLUSHALL").query(&mut server).unwrap();
        }
        let ran = playing.end();
        assert!(matches!(ran.code, Some(0..=2)), "{kind}: {}{}", ran.out, ran.err);
        let report = place.report();
        assert!(measure(&report, "lock.overlaps") > 0.0, "{kind}: {}", ran.out);
        assert!(measure(&report, "lock.acquired") > 10.0, "{kind}: {}", ran.out);
        place.assert_nothing_left();
    }
}

#[test]
fn a_lease_may_be_too_short_for_any_lock_and_may_last_for_a_year() {
    let place = Place::new();
    let short = "short: { workload: lock, groups: [a, b, c], \
                 lock: { kind: redlock, ttl: 2ms, patience: 100ms, accounts: bank }, \
                 rate: 20/s, keys: 100, timeout: 200ms }";
    let year = "year: { workload: lock, group: e, lock: { ttl: 525600m, accounts: bank }, \
                rate: 20/s, keys: 100 }";
    let ran = place.play(&scenario("redlock-5", &[short, year], "3s"), &[]);
    assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
    let (report, ops) = (place.report(), place.ops());
    assert_eq!(measure(&report, "lock.overlaps"), 0.0, "{}", ran.out);
    assert!(measure(&report, "lock.in_vain") > 10.0, "{}", ran.out);
    let reads = |load| {
        lock_ops(&ops, load).filter(|(_, action)| matches!(action, LockOp::Read { .. })).count()
    };
    assert_eq!(reads(0), 0, "2 ms are for clocks that differ, and nothing is left");
    assert!(reads(1) > 10);
    place.assert_nothing_left();
}

/// A server from Redis 8.4 or Valkey 9.0 on has such commands; others say so before the load.
#[test]
fn newer_servers_compare_by_commands_and_older_ones_say_that_they_cannot() {
    let lock = "kind: mutex, by: command, hold: 20ms, ttl: 1s, extend: 5ms, patience: 2s";
    let text = scenario("locks-1x0", &[&load("app", lock, "rate: 60/s, keys: 2")], "2s");
    for server in need::engines() {
        let place = Place::new();
        let binary = ["--backend", "process", "--engine-binary", server.to_str().unwrap()];
        let ran = place.play(&text, &binary);
        let told = ran.err.split_whitespace().collect::<Vec<&str>>().join(" ");
        if told.contains("has no command that deletes a key only if it has a certain value") {
            assert!(told.contains("Redis 8.4") && told.contains("by: script"), "{told}");
            assert!(place.ops().is_empty(), "nothing is begun");
            place.assert_nothing_left();
            continue;
        }
        assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
        let (report, ops) = (place.report(), place.ops());
        assert_eq!(measure(&report, "lock.overlaps"), 0.0, "{}", ran.out);
        let held = |is: fn(&LockOp) -> bool| lock_ops(&ops, 0).filter(|(_, it)| is(it)).count();
        assert!(held(|it| matches!(it, LockOp::Extend { held: true, .. })) > 10, "{}", ran.out);
        assert!(held(|it| matches!(it, LockOp::Release { held: true, .. })) > 10, "{}", ran.out);
        place.assert_nothing_left();
    }
}

/// Clients that try at once may share four servers evenly. Then nobody has a majority, and they try
/// again: nobody waits for ever.
#[test]
fn of_four_servers_three_decide() {
    let place = Place::new();
    let load = "app: { workload: lock, groups: [a, b, c, d], rate: 100/s, keys: 1, clients: 20, \
                instances: 4, lock: { kind: redlock, hold: 3ms, accounts: bank } }";
    let ran = place.play(&scenario("redlock-5", &[load], "4s"), &[]);
    assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
    let report = place.report();
    assert!(measure(&report, "lock.acquired") > 20.0, "{}", ran.out);
    assert_eq!(measure(&report, "lock.overlaps"), 0.0, "{}", ran.out);
}
