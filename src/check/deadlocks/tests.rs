//! Deadlocks against a comparison of all groups of sessions, and known histories.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::event::LocksInfo;
use crate::model::op::{Action, Cause, LockOp, Op, Outcome};

const LEASE: Duration = Duration::from_nanos(1_000);

fn op(token: u64, key: u64, action: LockOp, at: (u64, u64)) -> Op {
    let op = Op::new(key, Action::Lock(action), Nanos(at.0), Nanos(at.1));
    Op { process: token as u32, ..op }
}

/// A try to get the lock.
fn tried(token: u64, key: u64, got: bool, at: u64) -> Op {
    let got = got.then_some(0);
    op(token, key, LockOp::Acquire { token, shared: false, got }, (at, at + 1))
}

/// It gets the lock at that instant.
fn gets(token: u64, key: u64, at: u64) -> [Op; 2] {
    let read = op(token, key, LockOp::Read { token, balance: None }, (at, at + 1));
    [tried(token, key, true, at - 1), read]
}

fn gives_back(token: u64, key: u64, at: u64) -> Op {
    op(token, key, LockOp::Release { token, held: true }, (at, at + 1))
}

fn aborts(token: u64, key: u64, at: u64, found: u64) -> Op {
    let found = Nanos(found);
    op(token, key, LockOp::Abort { token, held: true, found }, (at, at + 1))
}

/// What is known of a load whose sessions take so many locks.
fn of_locks(take: u32) -> Context {
    let ttl_ms = LEASE.as_secs_f64() * 1e3;
    Context {
        locks: vec![Some(LocksInfo { holders: 1, take, ttl_ms, ..LocksInfo::default() })],
        ..Context::default()
    }
}

fn check(ops: &[Op]) -> Checked {
    let context = of_locks(2);
    Deadlocks.check(&ops, &context).unwrap()
}

fn told(ops: &[Op], name: &str) -> Option<f64> {
    check(ops).measures.get(name).copied()
}

/// The first one has lock 1 and wants 2; the second one has lock 2 and wants 1 from 50 on. `end` is
/// how that ends.
fn crossed(end: &[Op]) -> Vec<Op> {
    let (first, second) = (gets(1, 1, 10), gets(2, 2, 12));
    let waits = [tried(1, 2, false, 20), tried(1, 2, false, 60), tried(2, 1, false, 50)];
    [&first[..], &second, &waits, end].concat()
}

#[test]
fn a_deadlock_that_the_load_found_is_told_with_its_times() {
    let [again, read] = gets(1, 2, 75);
    let end = [aborts(2, 2, 70, 53), again, read, gives_back(1, 2, 80), gives_back(1, 1, 81)];
    let found = check(&crossed(&end));
    for (name, value) in [
        ("lock.deadlocks", 1.0),
        ("lock.deadlocks.found", 1.0),
        ("lock.deadlocks.missed", 0.0),
        ("lock.deadlocks.resolved", 1.0),
        ("lock.deadlocks.unresolved", 0.0),
        ("lock.deadlocks.false", 0.0),
        ("lock.deadlocks.chances", 2.0),
        ("lock.deadlocks.detect.max", 3e-6),
        ("lock.deadlocks.lasted.max", 20e-6),
    ] {
        assert_eq!(found.measures.get(name), Some(&value), "{name}");
    }
    assert_eq!(found.findings[0].verdict, Verdict::Fail);
    assert_eq!(
        found.findings[0].examples[0].text,
        "client 2 (token 2) waited for lock 1, client 1 (token 1) waited for lock 2, which the next \
         one had, and the last one the first: closed at 0.000000s, found at 0.000000s, over at \
         0.000000s"
    );
}

#[test]
fn a_deadlock_that_patience_ends_was_not_found_and_was_resolved() {
    let [again, read] = gets(2, 1, 100);
    let end = [gives_back(1, 1, 90), again, read, gives_back(2, 1, 110), gives_back(2, 2, 111)];
    let ops = crossed(&end);
    assert_eq!(told(&ops, "lock.deadlocks"), Some(1.0));
    assert_eq!(told(&ops, "lock.deadlocks.missed"), Some(1.0));
    assert_eq!(told(&ops, "lock.deadlocks.unresolved"), Some(0.0));
    assert_eq!(told(&ops, "lock.deadlocks.lasted.max"), Some(40e-6));
    assert_eq!(told(&ops, "lock.deadlocks.detect.max"), None, "nobody found it");
    // Both are cut off by the load's end, at once after the deadlock has closed.
    assert_eq!(told(&crossed(&[]), "lock.deadlocks.unresolved"), Some(0.0));
    assert_eq!(told(&crossed(&[]), "lock.deadlocks.missed"), Some(0.0));
}

#[test]
fn who_waits_for_a_lock_whose_lease_is_over_is_in_no_deadlock() {
    let ops = [&gets(1, 1, 10)[..], &gets(2, 2, 12), &[tried(1, 2, false, 20)]].concat();
    let late = |at| [&ops[..], &[tried(1, 2, false, 1_200), tried(2, 1, false, at)]].concat();
    assert_eq!(told(&late(1_009), "lock.deadlocks"), Some(1.0));
    assert_eq!(told(&late(1_010), "lock.deadlocks"), Some(0.0), "the first one had it until then");
}

#[test]
fn an_alarm_without_a_deadlock_is_false() {
    let ops = [&gets(1, 1, 10)[..], &[tried(1, 2, false, 20), aborts(1, 1, 30, 22)]].concat();
    assert_eq!(told(&ops, "lock.deadlocks.false"), Some(1.0));
    // A real one that was over before.
    let end = [gives_back(1, 1, 90), aborts(2, 2, 100, 95)];
    assert_eq!(told(&crossed(&end), "lock.deadlocks.false"), Some(1.0));
    assert_eq!(told(&crossed(&end), "lock.deadlocks.missed"), Some(1.0));
}

#[test]
fn who_is_to_give_way_already_ends_a_cycle_that_closes_meanwhile() {
    // The second one hears at 70 what was found at 53. A third one comes into a cycle with it at 60.
    let third = [&gets(3, 3, 14)[..], &[tried(3, 2, false, 60), gives_back(3, 3, 90)]].concat();
    let waits = [tried(1, 3, false, 40), tried(1, 3, false, 86)];
    let first = [&gets(1, 1, 10)[..], &waits, &[gives_back(1, 1, 95)]].concat();
    let second = [tried(2, 1, false, 50), aborts(2, 2, 70, 63)];
    let ops = [&gets(2, 2, 12)[..], &first, &third, &second].concat();
    assert_eq!(told(&ops, "lock.deadlocks"), Some(1.0));
    assert_eq!(told(&ops, "lock.deadlocks.missed"), Some(0.0));
    let known = [&ops[..ops.len() - 1], &[aborts(2, 2, 70, 53)]].concat();
    assert_eq!(told(&known, "lock.deadlocks.missed"), Some(0.0));
    assert_eq!(told(&known, "lock.deadlocks.detect.max"), Some(0.0), "it was known before");
    assert_eq!(told(&known, "lock.deadlocks.false"), Some(1.0), "nothing had closed at 53");
}

#[test]
fn a_deadlock_that_is_over_before_its_clients_know_is_not_missed() {
    // The second one hears at 51 that it has to wait.
    let missed = |over| {
        let ops = [&gets(1, 1, 10)[..], &gets(2, 2, 12), &[tried(1, 2, false, 20)]].concat();
        // The load goes on.
        let end = [tried(2, 1, false, 50), gives_back(1, 1, over), tried(3, 3, true, 80)];
        told(&[&ops[..], &end].concat(), "lock.deadlocks.missed")
    };
    assert_eq!((missed(51), missed(52)), (Some(0.0), Some(1.0)));
}

#[test]
fn who_the_load_s_end_cuts_off_waits_until_then() {
    // Its last try was at 20. The cycle closes at 50.
    let ops = [&gets(1, 1, 10)[..], &gets(2, 2, 12), &[tried(1, 2, false, 20)]].concat();
    let end = [tried(2, 1, false, 50), aborts(2, 2, 70, 53), tried(3, 1, false, 80)];
    let ops = [&ops[..], &end].concat();
    assert_eq!(told(&ops, "lock.deadlocks.found"), Some(1.0));
    assert_eq!(told(&ops, "lock.deadlocks.false"), Some(0.0));
}

#[test]
fn a_deadlock_that_was_over_is_resolved_though_its_sessions_are_cut_off_later() {
    // The second one gives way, and somebody else gets the lock that the first one waits for.
    let end = [&[aborts(2, 2, 70, 53)][..], &gets(3, 2, 75), &[tried(1, 2, false, 200)]].concat();
    assert_eq!(told(&crossed(&end), "lock.deadlocks.unresolved"), Some(0.0));
}

#[test]
fn a_try_without_an_answer_shows_no_waiting_and_loads_of_one_lock_are_not_asked() {
    let mut ops = crossed(&[]);
    let closes = ops.iter_mut().find(|op| op.sent == Nanos(50)).unwrap();
    closes.outcome = Outcome::Unknown(Cause::Timeout);
    assert_eq!(told(&ops, "lock.deadlocks"), Some(0.0));
    let context = of_locks(1);
    assert!(Deadlocks.check(&&crossed(&[])[..], &context).unwrap().measures.is_empty());
}

#[test]
fn where_there_was_no_deadlock_none_lasted() {
    let ops = [&gets(1, 1, 10)[..], &[gives_back(1, 1, 20)]].concat();
    assert_eq!(told(&ops, "lock.deadlocks.lasted.p99"), Some(0.0));
    assert_eq!(told(&ops, "lock.deadlocks.detect.p99"), Some(0.0));
}

/// Sessions that each have one lock, their own, and perhaps wait for another one; with the instants
/// from which and until which that is so.
fn some() -> impl Strategy<Value = Vec<(u64, u64, u64, u64)>> {
    let one = (0..5_u64, 1..40_u64, 1..40_u64, 1..60_u64);
    prop::collection::vec(one, 2..6)
}

/// In each cycle of sessions that wait for each other, the last one begins to wait before the first
/// one goes: all rings of sessions are tried.
fn by_trying_all(some: &[(u64, u64, u64, u64)]) -> usize {
    let mut rings: Vec<Vec<usize>> = (0..some.len()).map(|one| vec![one]).collect();
    let mut found = 0;
    while let Some(ring) = rings.pop() {
        let last = ring[ring.len() - 1];
        let next = some[last].0 as usize;
        // Each ring once: from its smallest.
        if next == ring[0] && ring.len() > 1 {
            let begun = ring.iter().map(|one| some[*one].1 + some[*one].2).max();
            let gone = ring.iter().map(|one| gone(some[*one])).min();
            found += usize::from(begun < gone);
        } else if next < some.len() && next > ring[0] && !ring.contains(&next) {
            rings.push([&ring[..], &[next]].concat());
        }
    }
    found
}

fn gone((_, got, waits_after, waits_for): (u64, u64, u64, u64)) -> u64 {
    got + waits_after + waits_for
}

proptest! {
    #[test]
    fn deadlocks_are_the_rings_that_trying_all_finds(some in some()) {
        let mut ops = Vec::new();
        for (own, one) in (0..).zip(&some) {
            let (other, got, waits_after, _) = *one;
            ops.extend(gets(own, own, got));
            if other != own {
                ops.push(tried(own, other, false, got + waits_after));
            }
            ops.push(gives_back(own, own, gone(*one)));
        }
        prop_assert_eq!(told(&ops, "lock.deadlocks"), Some(by_trying_all(&some) as f64));
    }
}
