//! Locks against a plain comparison of each with each, and known histories.

use proptest::prelude::*;

use super::*;
use crate::model::event::LocksInfo;
use crate::model::op::{Action, Cause, LockOp, Op, Outcome, Purpose};

fn op(token: u64, action: LockOp, at: (u64, u64)) -> Op {
    let op = Op::new(3, Action::Lock(action), Nanos(at.0), Nanos(at.1));
    Op { process: token as u32, ..op }
}

/// What a session does that wishes for the lock at `wished`, has it at `got`, uses it until `used`,
/// and gives it back at `back`.
fn session(token: u64, [wished, got, used, back]: [u64; 4]) -> Vec<Op> {
    let (balance, fence) = (token, 0);
    vec![
        op(token, LockOp::Acquire { token, shared: false, got: Some(0) }, (wished, got)),
        op(token, LockOp::Read { token, balance: None }, (got, got + 1)),
        op(token, LockOp::Write { token, balance, fence, taken: true }, (used, used + 1)),
        op(token, LockOp::Release { token, held: true }, (back, back + 1)),
    ]
}

/// What the account held at the end.
fn last(balance: u64) -> Op {
    let read = op(0, LockOp::Read { token: 0, balance: Some(balance) }, (10_000, 10_001));
    Op { purpose: Purpose::Final, ..read }
}

fn check(ops: &[Op]) -> Checked {
    Locks.check(&ops, &Context::default()).unwrap()
}

fn of(ops: &[Op], name: &str) -> Option<f64> {
    check(ops).measures.get(name).copied()
}

#[test]
fn one_after_the_other_is_right() {
    let ops = [session(1, [0, 5, 20, 30]), session(2, [1, 31, 40, 50]), vec![last(2)]].concat();
    let told = check(&ops);
    assert!(told.findings.iter().all(|finding| finding.verdict == Verdict::Pass));
    for (name, value) in [
        ("lock.acquired", 2.0),
        ("lock.overlaps", 0.0),
        ("lock.overlaps.possible", 0.0),
        ("lock.updates", 2.0),
        ("lock.updates.lost", 0.0),
        ("lock.tries", 1.0),
        ("lock.commands", 2.0),
        ("lock.in_vain", 0.0),
    ] {
        assert_eq!(told.measures.get(name), Some(&value), "{name}");
    }
}

#[test]
fn who_gets_it_while_another_one_uses_it_breaks_it_for_certain() {
    let ops = [session(1, [0, 5, 20, 30]), session(2, [1, 19, 40, 50]), vec![last(1)]].concat();
    let told = check(&ops);
    assert_eq!(told.measures["lock.overlaps"], 1.0);
    assert_eq!(told.measures["lock.updates.lost"], 1.0);
    assert_eq!(told.findings[0].verdict, Verdict::Fail);
    assert_eq!(
        told.findings[0].examples[0].text,
        "lock 3: client 1 (token 1) got it at 0.000000s and used it until 0.000000s; \
         client 2 (token 2) got it at 0.000000s"
    );
    // The first one did not use it any more, and had not yet given it back.
    let ops = [session(1, [0, 5, 20, 30]), session(2, [1, 25, 40, 50]), vec![last(2)]].concat();
    assert_eq!(of(&ops, "lock.overlaps"), Some(0.0));
    assert_eq!(of(&ops, "lock.overlaps.possible"), Some(1.0));
}

#[test]
fn what_the_account_refuses_was_no_use_and_is_counted() {
    let write = |token, fence, taken, at| {
        op(token, LockOp::Write { token, balance: 1, fence, taken }, (at, at + 1))
    };
    let mut stalled = session(1, [0, 5, 20, 90]);
    stalled[2] = write(1, 1, false, 60);
    let mut other = session(2, [1, 40, 45, 50]);
    other[2] = write(2, 2, true, 45);
    let ops = [stalled.clone(), other.clone(), vec![last(1)]].concat();
    assert_eq!(of(&ops, "lock.overlaps"), Some(0.0));
    assert_eq!(of(&ops, "lock.fencing.caught"), Some(1.0));
    assert_eq!(of(&ops, "lock.fencing.missed"), Some(0.0));
    stalled[2] = write(1, 1, true, 60);
    let ops = [stalled, other, vec![last(1)]].concat();
    assert_eq!(of(&ops, "lock.overlaps"), Some(1.0));
    assert_eq!(of(&ops, "lock.fencing.missed"), Some(1.0));
}

#[test]
fn an_update_without_an_answer_may_be_there_or_not() {
    let mut unknown = session(2, [1, 31, 40, 50]);
    unknown[2].outcome = Outcome::Unknown(Cause::Timeout);
    for balance in [1, 2] {
        let ops = [session(1, [0, 5, 20, 30]), unknown.clone(), vec![last(balance)]].concat();
        assert_eq!(of(&ops, "lock.updates.lost"), Some(0.0));
    }
    let ops = [session(1, [0, 5, 20, 30]), session(2, [1, 31, 40, 50])].concat();
    let told = check(&ops);
    assert_eq!(told.measures.get("lock.updates.lost"), None, "the account was not read");
    assert!(told.findings.iter().any(|finding| finding.verdict == Verdict::Unknown));
}

/// A session that wishes for the lock at `got`, has it then, uses it until `used`, and gives it
/// back.
fn held(token: u64, shared: bool, [got, used, given_back]: [u64; 3]) -> Held {
    Held {
        load: 0,
        token,
        process: 0,
        wished: Nanos(got),
        got: Nanos(got),
        used: Nanos(used),
        given_back: Nanos(given_back),
        released: None,
        shared,
        changed: false,
        fence: 0,
        written: None,
        balance: 0,
        leased: None,
        updates: 0,
        refused: 0,
    }
}

#[test]
fn readers_have_a_lock_together_and_writers_do_not() {
    assert_eq!(overlaps(&[held(1, true, [0, 50, 50]), held(2, true, [10, 60, 60])], 1), []);
    assert_eq!(overlaps(&[held(1, true, [0, 50, 50]), held(2, false, [10, 60, 60])], 1).len(), 1);
    assert_eq!(overlaps(&[held(1, false, [0, 50, 50]), held(2, true, [10, 60, 60])], 1).len(), 1);
}

#[test]
fn a_semaphore_has_so_many_holders_and_no_more() {
    let three =
        [session(1, [0, 5, 20, 30]), session(2, [1, 6, 40, 50]), session(3, [2, 7, 40, 41])];
    let ops = [three.concat(), vec![last(3)]].concat();
    let check = |holders| {
        let locks = LocksInfo { holders, take: 1, ttl_ms: 1e3 };
        let context = Context { locks: vec![Some(locks)], ..Context::default() };
        Locks.check(&&ops[..], &context).unwrap()
    };
    let overlaps = |holders| check(holders).measures["lock.overlaps"];
    assert_eq!([1, 2, 3].map(overlaps), [2.0, 1.0, 0.0]);
    let told = check(2).findings[0].examples[0].text.clone();
    for who in ["client 1 (token 1)", "client 2 (token 2)", "client 3 (token 3)"] {
        assert!(told.contains(who), "{told}");
    }
}

#[test]
fn a_reader_is_to_find_the_account_as_it_was() {
    let read = |balance, at| op(1, LockOp::Read { token: 1, balance }, (at, at + 1));
    let mut reader = session(1, [0, 5, 20, 30]);
    reader[0] = op(1, LockOp::Acquire { token: 1, shared: true, got: Some(0) }, (0, 5));
    reader[1] = read(None, 5);
    for (found, changed, used) in [(None, 0.0, 0.0), (Some(1), 1.0, 1.0)] {
        reader[2] = read(found, 20);
        let ops = [reader.clone(), session(2, [1, 19, 40, 50]), vec![last(1)]].concat();
        assert_eq!(of(&ops, "lock.reads.changed"), Some(changed));
        assert_eq!(of(&ops, "lock.overlaps"), Some(1.0), "a writer came between its reads");
        reader[2] = read(found, 19);
        let ops = [reader.clone(), session(2, [1, 19, 40, 50]), vec![last(1)]].concat();
        assert_eq!(of(&ops, "lock.overlaps"), Some(0.0));
        assert_eq!(of(&ops, "lock.reads.changed"), Some(used));
    }
}

fn some_held() -> impl Strategy<Value = Vec<Held>> {
    let one = (0..40_u64, 0..12_u64, 0..6_u64, any::<bool>());
    prop::collection::vec(one, 0..9).prop_map(|all| {
        let mut held: Vec<Held> = (0..)
            .zip(all)
            .map(|(token, (got, use_for, keep_for, shared))| {
                held(token, shared, [got, got + use_for, got + use_for + keep_for])
            })
            .collect();
        held.sort_by_key(|one| (one.got, one.token));
        held
    })
}

/// For each that got it: whether as many others before it as may have it used it afterwards, or had
/// it.
fn by_comparing_all(held: &[Held], holders: usize) -> Vec<(u64, bool)> {
    let mut found = Vec::new();
    for (place, then) in held.iter().enumerate() {
        let others = || held[..place].iter().filter(|one| !(one.shared && then.shared));
        let (certain, possible) = (
            others().filter(|one| one.used > then.got).count() >= holders,
            others().filter(|one| one.given_back > then.got).count() >= holders,
        );
        if certain || possible {
            found.push((then.token, certain));
        }
    }
    found
}

proptest! {
    #[test]
    fn overlaps_are_those_that_comparing_all_finds(held in some_held(), holders in 1..5_usize) {
        let found: Vec<(u64, bool)> =
            overlaps(&held, holders).iter().map(|one| (one.then.token, one.is_certain)).collect();
        prop_assert_eq!(found, by_comparing_all(&held, holders));
        for Overlap { first, besides, then, is_certain } in overlaps(&held, holders) {
            let mut others = vec![first];
            others.extend(besides);
            prop_assert_eq!(others.len(), holders);
            for (place, one) in others.iter().enumerate() {
                prop_assert!(!(one.shared && then.shared));
                let end = if is_certain { one.used } else { one.given_back };
                prop_assert!(one.got <= then.got && end > then.got);
                prop_assert!(others[..place].iter().all(|other| other.token != one.token));
            }
        }
    }
}
