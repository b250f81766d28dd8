//! Locks against a plain comparison of each with each, and known histories.

use proptest::prelude::*;

use super::super::checker::Fault;
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
fn an_account_that_takes_an_older_holder_s_update_fails_the_drill() {
    let fenced = |token, fence, at: [u64; 4]| {
        let mut ops = session(token, at);
        let write = LockOp::Write { token, balance: 1, fence, taken: true };
        ops[2] = op(token, write, (at[2], at[2] + 1));
        ops
    };
    let told = |first, second| {
        let older = fenced(1, first, [0, 5, 60, 90]);
        check(&[older, fenced(2, second, [1, 40, 45, 50]), vec![last(1)]].concat())
    };
    for (first, second) in [(1, 2), (7, 7)] {
        let told = told(first, second);
        assert_eq!(told.measures["lock.fencing.missed"], 1.0, "{first} and {second}");
        let finding = &told.findings[2];
        assert_eq!((&*finding.kind, finding.verdict), ("unfenced_updates", Verdict::Fail));
        assert_eq!(
            finding.examples[0].text,
            format!(
                "the account of lock 3 took what client 1 (token 1) wrote at 0.000000s with the \
                 number {first}, after client 2 (token 2) had written with the number {second}"
            )
        );
    }
    // The numbers went back: who has the greater one wrote last.
    assert_eq!(told(8, 7).measures["lock.fencing.missed"], 0.0);
}

#[test]
fn a_write_that_was_not_done_is_no_use() {
    let mut stalled = session(1, [0, 5, 60, 90]);
    stalled[2].outcome = Outcome::Fail(Cause::Refused);
    let ops = [stalled, session(2, [1, 40, 45, 50]), vec![last(1)]].concat();
    assert_eq!(of(&ops, "lock.overlaps"), Some(0.0));
    assert_eq!(of(&ops, "lock.overlaps.possible"), Some(1.0), "it might have used it");
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
        refused: None,
        not_held: None,
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
        let locks = LocksInfo { holders, take: 1, ttl_ms: 1e3, ..LocksInfo::default() };
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

fn millis(ms: u64) -> u64 {
    ms * 1_000_000
}

/// A session that never gives the lock back, whose lease it got between these instants, in ms.
fn abandons(token: u64, [wished, got]: [u64; 2]) -> Vec<Op> {
    let [wished, got] = [wished, got].map(millis);
    session(token, [wished, got, got + 1, got + 2])[..2].to_vec()
}

fn uses(token: u64, at: [u64; 4]) -> Vec<Op> {
    session(token, at.map(millis))
}

/// With leases of 500 ms, and a fault from one instant to the other, in ms.
fn leased(ops: &[Op], fault: Option<(u64, Option<u64>)>) -> Checked {
    judged_of(1, ops, fault)
}

fn judged_of(holders: u32, ops: &[Op], fault: Option<(u64, Option<u64>)>) -> Checked {
    let locks = vec![Some(LocksInfo { holders, take: 1, ttl_ms: 500.0, ..LocksInfo::default() })];
    let at = |ms| Nanos(millis(ms));
    let faults = fault.into_iter().map(|(from, until)| Fault {
        step: 4,
        kind: crate::model::StepKind::Kill,
        text: "kill".to_owned(),
        from: at(from),
        until: until.map(at),
        loses_writes: true,
        moves_clocks: false,
    });
    let context = Context { locks, faults: faults.collect(), ..Context::default() };
    Locks.check(&ops, &context).unwrap()
}

#[test]
fn a_lease_that_nobody_gives_back_ends_on_time() {
    // It is asked for at 0 and answered at 5: it ends between 500 and 505.
    for (got, early, late) in [(497, 1.0, Some(0.0)), (499, 0.0, Some(0.0)), (525, 0.0, Some(20.0))]
    {
        let ops = [abandons(1, [0, 5]), uses(2, [10, got, got + 1, got + 2])].concat();
        let told = leased(&ops, None);
        assert_eq!(told.measures["lock.lease.early"], early, "got at {got}");
        assert_eq!(told.measures.get("lock.lease.late.max").copied(), late, "got at {got}");
    }
    // Nobody waited for it.
    let ops = [abandons(1, [0, 5]), uses(2, [600, 700, 701, 702])].concat();
    assert_eq!(leased(&ops, None).measures.get("lock.lease.late.max"), None);
    // What is given back has no lease any more.
    let ops = [uses(1, [0, 5, 6, 7]), uses(2, [10, 11, 12, 13])].concat();
    let told = leased(&ops, None);
    assert_eq!(told.measures["lock.lease.early"], 0.0);
    assert_eq!(told.measures.get("lock.lease.late.max"), None);
}

#[test]
fn a_lease_that_is_extended_lasts_from_then_on() {
    let extend = |held| op(1, LockOp::Extend { token: 1, held }, (millis(300), millis(301)));
    for (held, early) in [(true, 1.0), (false, 0.0)] {
        let ops = [abandons(1, [0, 5]), vec![extend(held)], uses(2, [10, 600, 601, 602])].concat();
        assert_eq!(leased(&ops, None).measures["lock.lease.early"], early, "{held}");
    }
}

#[test]
fn a_lock_can_be_had_again_when_faults_and_leases_are_over() {
    let again = |ops: &[Op], until| {
        let told = leased(ops, Some((2, until)));
        let known = told.measures.get("lock.free_again").copied();
        (known, told.at_least.get("lock.free_again").copied())
    };
    // The fault is over at 100, the lease at 505, and somebody has waited since 20.
    let ops = [abandons(1, [0, 5]), uses(2, [20, 545, 546, 547])].concat();
    assert_eq!(again(&ops, Some(100)), (Some(40.0), None));
    assert_eq!(again(&ops, Some(525)), (Some(20.0), None), "the fault lasts for longer");
    assert_eq!(again(&ops, None), (None, None), "it is never over");
    // Nobody wishes for it before 600.
    let ops = [abandons(1, [0, 5]), uses(2, [600, 610, 611, 612])].concat();
    assert_eq!(again(&ops, Some(100)), (Some(10.0), None));
    // Somebody tries from 600 to 1900, in vain.
    let tried = |from: u64, to: u64| {
        let at = (millis(from), millis(to));
        op(2, LockOp::Acquire { token: 2, shared: false, got: None }, at)
    };
    let ops = [abandons(1, [0, 5]), vec![tried(600, 601), tried(1_899, 1_900)]].concat();
    assert_eq!(again(&ops, Some(100)), (None, Some(1_300.0)));
    assert_eq!(again(&ops[..3], Some(100)), (None, None), "the load's end cuts the wish off");
    assert_eq!(again(&ops[..2], Some(100)), (None, None), "nobody wishes for it");
}

#[test]
fn a_semaphore_can_be_had_again_when_the_leases_of_all_its_holders_are_over() {
    let again = |ops: &[Op]| {
        let told = judged_of(2, ops, Some((2, Some(100))));
        let early = told.measures["lock.lease.early"];
        (told.measures.get("lock.free_again").copied(), early)
    };
    let both = [abandons(1, [0, 5]), abandons(2, [0, 35])].concat();
    // Their leases are over at 505 and 535.
    let waits = uses(3, [20, 575, 576, 577]);
    assert_eq!(again(&[both.clone(), waits].concat()), (Some(40.0), 0.0));
    let soon = uses(3, [20, 510, 511, 512]);
    assert_eq!(again(&[both, soon].concat()), (Some(0.0), 0.0), "the first lease is enough");
}

#[test]
fn what_is_wrong_belongs_to_the_step_that_began_last() {
    let mut second = uses(2, [1, 50, 70, 71]);
    // Both have read the account before either writes it.
    let write = LockOp::Write { token: 2, balance: 1, fence: 0, taken: true };
    second[2] = op(2, write, (millis(70), millis(71)));
    let ops = [uses(1, [0, 5, 60, 61]), second, vec![last(1)]].concat();
    let by_step = |fault| leased(&ops, fault).locks[&0].by_step.clone();
    let wrong = LocksWrong { overlaps: 1, lost: 1, ..LocksWrong::default() };
    assert_eq!(by_step(Some((40, Some(45)))), [LocksOfStep { step: 4, wrong }]);
    assert_eq!(by_step(Some((55, None))).len(), 1, "the update alone");
    assert_eq!(by_step(Some((80, None))), [], "before it");
    let told = leased(&ops, Some((40, Some(45))));
    assert_eq!(told.of_loads[&0].measures, told.measures, "there is one load");
    let figures = &told.locks[&0];
    assert_eq!((figures.acquired, figures.updates, figures.wrong), (2, 2, wrong));
    let example = &told.findings[0].examples[0];
    assert!(
        example.text.ends_with("got it at 0.050000s (after the step kill)"),
        "{}",
        example.text
    );
    let during = leased(&ops, Some((40, Some(51)))).findings[0].examples[0].text.clone();
    assert!(during.ends_with(" (during the step kill)"), "{during}");
    let bars: Vec<_> = example.window.iter().map(|p| (p.process, p.value, p.done_ms)).collect();
    assert_eq!(bars, [(1, Some(1), Some(60.0)), (2, Some(2), Some(70.0))]);
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
    /// Counted one by one.
    #[test]
    fn the_most_overtaken_is_who_most_came_after_and_got_it_before(
        mut all in prop::collection::vec((0..20_u64, 0..20_u64), 0..12),
        in_vain in prop::collection::vec((0..20_u64, 0..20_u64), 0..4),
    ) {
        all.sort_by_key(|(_, got)| *got);
        let wish = |(token, (wished, got)): (u64, &(u64, u64))| {
            Held { wished: Nanos(*wished), ..held(token, false, [*got, *got, *got]) }
        };
        let all: Vec<Held> = (0..).zip(&all).map(wish).collect();
        let in_vain: Vec<(Nanos, Nanos)> =
            in_vain.iter().map(|(wished, ended)| (Nanos(*wished), Nanos(*ended))).collect();
        let later = |some: &[Held], wished| {
            some.iter().filter(|other| other.wished > wished).count() as u64
        };
        let passed = |(place, one): (usize, &Held)| later(&all[..place], one.wished);
        let gone_by = |(wished, ended): &(Nanos, Nanos)| {
            let by_then = all.iter().take_while(|other| other.got < *ended).count();
            later(&all[..by_then], *wished)
        };
        let passed = all.iter().enumerate().map(passed);
        let most = passed.chain(in_vain.iter().map(gone_by)).max().unwrap_or(0);
        prop_assert_eq!(waits::most_overtaken(&all, in_vain.into_iter()), most);
    }
}

/// It was told so until its patience was over.
#[test]
fn who_gave_up_because_another_one_had_the_lock_timed_out() {
    let taken = |token, at| op(token, LockOp::Acquire { token, shared: false, got: None }, at);
    let unheard = Op { outcome: Outcome::Unknown(Cause::Timeout), ..taken(4, (30, 40)) };
    let abort = LockOp::Abort { token: 5, held: false, found: Nanos(31) };
    let vain = vec![
        taken(2, (6, 7)),
        taken(2, (16, 17)),
        taken(4, (6, 7)),
        unheard,
        taken(5, (6, 30)),
        op(5, abort, (32, 33)),
        last(1),
    ];
    let ops = [session(1, [0, 5, 20, 30]), vain].concat();
    assert_eq!(of(&ops, "lock.in_vain"), Some(3.0));
    assert_eq!(of(&ops, "lock.timed_out"), Some(1.0));
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

/// The server answers to the release, sent within the lease, that it does not have the lock.
#[test]
fn locks_that_a_server_lacked_are_counted_and_whether_somebody_wanted_them() {
    let context = Context {
        locks: vec![Some(LocksInfo { holders: 1, ttl_ms: 1e-3, ..LocksInfo::default() })],
        ..Context::default()
    };
    let told = |ops: &[Op]| {
        let measures = Locks.check(&ops, &context).unwrap().measures;
        [measures["lock.lacked"], measures["lock.lacked.wanted"]]
    };
    let lacked = |at: [u64; 4]| {
        let mut ops = session(1, at);
        ops[3] = op(1, LockOp::Release { token: 1, held: false }, (at[3], at[3] + 1));
        ops
    };
    assert_eq!(told(&session(1, [0, 5, 20, 30])), [0.0, 0.0]);
    assert_eq!(told(&lacked([0, 5, 20, 30])), [1.0, 0.0], "nobody wanted it");
    assert_eq!(told(&lacked([0, 5, 20, 2_000])), [0.0, 0.0], "its lease was over");
    let taken = |at| op(2, LockOp::Acquire { token: 2, shared: false, got: None }, at);
    assert_eq!(told(&[&lacked([0, 5, 20, 30])[..], &[taken((10, 11))]].concat()), [1.0, 1.0]);
    assert_eq!(told(&[&lacked([0, 5, 20, 30])[..], &[taken((40, 41))]].concat()), [1.0, 0.0]);
}
