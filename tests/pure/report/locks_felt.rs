//! Of a load that takes locks, silence, recovery, errors and answers count acquisitions: that a
//! release is answered gives nobody a lock.

use std::time::Duration;

use redrill::model::event::*;
use redrill::model::op::{Action, Cause, LockOp, Op, Outcome, Part, Purpose};
use redrill::model::{Verdict, Workload};
use redrill::report::Report;

use super::tiny::{self, at, expect};

/// The tiny drill, of which each session takes a lock: on one server, or on three.
fn events(servers: u32) -> Vec<Event> {
    let mut events = tiny::events();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    let locks = LocksInfo {
        holders: 1,
        take: 1,
        ttl_ms: 2_000.0,
        by_library: servers == 1,
        servers,
        quorum: servers / 2 + 1,
        ..LocksInfo::default()
    };
    let load = &mut info.loads[0];
    (load.workload, load.locks) = (Workload::Lock, Some(locks));
    load.more_groups = (1..servers).map(|n| (format!("lock{n}"), vec![])).collect();
    info.reported = Vec::new();
    info.expect = vec![
        expect("load.downtime.max", Compare::AtMost, 1_000.0),
        expect("load.recovered", Compare::AtMost, 1_000.0),
        expect("errors.total", Compare::Equal, 0.0),
    ];
    events
}

/// Seven seconds of sessions, ten a second. Each has its operations: on which group, what, how it
/// ends.
fn history(session: impl Fn(u64) -> Vec<(u32, u8, LockOp, Outcome)>) -> Vec<Op> {
    let mut ops = Vec::new();
    for n in 0..70 {
        let began = at(1_000 + n * 100);
        let stages = session(n);
        for (index, &(step, group, action, outcome)) in stages.iter().enumerate() {
            let sent = began + Duration::from_millis(u64::from(step));
            let last = index + 1 == stages.len();
            let part = Part { session: n, step, began, late: at(0), last };
            let op = Op::new(n % 5, Action::Lock(action), sent, sent + Duration::from_millis(1));
            ops.push(Op { group, outcome, part: Some(part), ..op });
        }
    }
    let last = LockOp::Read { token: 0, balance: Some(0) };
    let finals = |key| Op::new(key, Action::Lock(last), at(8_100), at(8_101));
    ops.extend((0..5).map(|key| Op { purpose: Purpose::Final, ..finals(key) }));
    ops
}

const LIBRARY: Outcome = Outcome::Unknown(Cause::Library);
const REFUSED: Outcome = Outcome::Fail(Cause::Refused);

fn acquire(n: u64, got: Option<u64>) -> LockOp {
    LockOp::Acquire { token: n + 1, shared: false, got }
}

fn release(n: u64) -> LockOp {
    LockOp::Release { token: n + 1, held: false }
}

fn had(n: u64, from: u32) -> [(u32, u8, LockOp, Outcome); 2] {
    let read = LockOp::Read { token: n + 1, balance: Some(0) };
    [(from, 0, read, Outcome::Ok), (from + 1, 0, release(n), Outcome::Ok)]
}

fn verdicts(r: &Report) -> Vec<Verdict> {
    r.expectations.iter().map(|e| e.verdict).collect()
}

#[test]
fn a_library_that_never_gets_a_lock_is_down_all_the_time() {
    let never = |n| vec![(0, 0, acquire(n, None), LIBRARY), (1, 0, release(n), Outcome::Ok)];
    let r = tiny::build(&events(1), &history(never));
    assert_eq!(verdicts(&r), [Verdict::Fail; 3], "{:?}", r.why);
    assert_eq!(r.value("errors.total"), Some(70.0));
    assert_eq!(r.measures["load.downtime.max"].at_least, Some(7_000.0));
    assert_eq!((r.loads[0].figures.answered, r.loads[0].figures.errors), (0, 70));
    assert_eq!(r.value("throughput.before"), Some(0.0));
    // It says that somebody has the lock, whom nobody ever sees.
    let taken = |n| vec![(0, 0, acquire(n, None), Outcome::Ok)];
    let r = tiny::build(&events(1), &history(taken));
    assert_eq!(verdicts(&r)[..2], [Verdict::Fail; 2], "{:?}", r.why);
    assert_eq!(r.value("throughput.before"), Some(0.0));
}

#[test]
fn a_time_without_locks_is_a_silence_although_releases_are_answered() {
    let session = |n| {
        if (25..45).contains(&n) {
            return vec![(0, 0, acquire(n, None), LIBRARY), (1, 0, release(n), Outcome::Ok)];
        }
        [vec![(0, 0, acquire(n, Some(0)), Outcome::Ok)], had(n, 1).to_vec()].concat()
    };
    let r = tiny::build(&events(1), &history(session));
    assert_eq!(verdicts(&r), [Verdict::Fail; 3], "{:?}", r.why);
    tiny::assert_value(&r, "load.downtime.max", 2_001.0);
    tiny::assert_value(&r, "load.recovered", 2_500.0);
    assert_eq!(r.value("errors.total"), Some(20.0));
}

#[test]
fn a_dead_server_of_three_is_no_silence_of_those_who_get_their_locks() {
    let session = |n| {
        let third = match (20..60).contains(&n) {
            true => (0, 2, acquire(n, None), REFUSED),
            false => (0, 2, acquire(n, Some(0)), Outcome::Ok),
        };
        let granted = |group| (0, group, acquire(n, Some(0)), Outcome::Ok);
        // Its answer comes before the others, and after them.
        let tries = match n % 2 {
            0 => [third, granted(0), granted(1)],
            _ => [granted(0), granted(1), third],
        };
        [&tries[..], &had(n, 1)[..]].concat()
    };
    let r = tiny::build(&events(3), &history(session));
    assert_eq!(verdicts(&r), [Verdict::Pass; 3], "{:?}", r.why);
    tiny::assert_value(&r, "load.downtime.max", 1.0);
}
