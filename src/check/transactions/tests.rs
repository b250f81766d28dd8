//! Transactions that only two keys together show to be wrong.

use crate::check::{Checker, Context, Transactions};
use crate::model::op::{Action, Cause, Op, Outcome, Part, RegisterOp};
use crate::model::{Nanos, Verdict};

/// None if nothing is tied.
fn judged(ops: &[Op]) -> Option<Verdict> {
    let checked = Transactions.check(&ops, &Context::default()).unwrap();
    checked.findings.first().map(|finding| finding.verdict)
}

type Act = (u64, RegisterOp);

fn txn(number: u64, acts: &[Act], sent: u64, done: Option<u64>) -> Vec<Op> {
    let act = |(key, act): &Act| {
        let part =
            Part { session: number, step: 0, began: Nanos(sent), late: Nanos::ZERO, last: false };
        let outcome = done.map_or(Outcome::Unknown(Cause::Other), |_| Outcome::Ok);
        let op = Op::new(*key, Action::Register(*act), Nanos(sent), Nanos(done.unwrap_or(sent)));
        Op { part: Some(part), outcome, ..op }
    };
    acts.iter().map(act).collect()
}

const fn write(key: u64, value: u64) -> Act {
    (key, RegisterOp::Write(value))
}

const fn read(key: u64, value: u64) -> Act {
    (key, RegisterOp::Read(Some(value)))
}

#[test]
fn a_transaction_is_seen_as_a_whole() {
    let first = txn(0, &[write(1, 5), write(2, 5)], 0, Some(10));
    let second = |done| txn(1, &[write(1, 6), write(2, 6)], 20, done);
    let seen = |x, y| txn(2, &[read(1, x), read(2, y)], 22, Some(40));
    for done in [Some(30), None] {
        let judged = |x, y| judged(&[first.clone(), second(done), seen(x, y)].concat());
        assert_eq!(judged(5, 5), Some(Verdict::Pass));
        assert_eq!(judged(6, 6), Some(Verdict::Pass));
        assert_eq!(judged(6, 5), Some(Verdict::Fail), "half of it");
    }
}

#[test]
fn keys_that_nothing_ties_are_not_judged_here() {
    let alone = Op::new(1, Action::Register(RegisterOp::Write(1)), Nanos(0), Nanos(1));
    assert_eq!(judged(&[alone.clone(), Op { key: 2, ..alone }]), None);
}
