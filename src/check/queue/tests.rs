//! Each fate of an element.

use super::*;
use crate::check::tests::{as_history, op};
use crate::model::op::Cause;

const UNKNOWN: Outcome = Outcome::Unknown(Cause::Timeout);

fn done(action: Action, value: u64, sent: u64) -> Op {
    op(action, 0, Some(value), sent, sent + 5, Outcome::Ok)
}

/// Two elements go in and come out, and then there is nothing left.
fn right() -> Vec<Op> {
    let empty = op(Action::Pop, 0, None, 9000, 9001, Outcome::Ok);
    vec![
        done(Action::Push, 1, 0),
        done(Action::Push, 2, 10),
        done(Action::Pop, 1, 20),
        done(Action::Pop, 2, 30),
        Op { purpose: Purpose::Final, ..empty },
    ]
}

fn judged(ops: &[Op], delivery: Delivery) -> Queues {
    queues(&as_history(ops), delivery).unwrap()
}

/// Lost, unexpected, repeated, after an ack, recovered; and the verdict.
fn once(ops: &[Op]) -> ([u64; 5], Verdict) {
    let found = judged(ops, Delivery::AtMostOnce);
    let Queues { lost, unexpected, repeated, after_ack, recovered, .. } = found;
    ([lost, unexpected, repeated, after_ack, recovered], found.verdict())
}

#[test]
fn each_fate_is_counted() {
    assert_eq!(once(&right()), ([0; 5], Verdict::Pass));
    let mut ops = right();
    ops.remove(3);
    assert_eq!(once(&ops), ([1, 0, 0, 0, 0], Verdict::Fail), "never came out");
    ops.push(op(Action::Pop, 0, None, 40, 50, UNKNOWN));
    assert_eq!(once(&ops), ([0; 5], Verdict::Pass), "somebody may have taken it");
    assert_eq!(judged(&ops, Delivery::AtLeastOnce).lost, 1, "taking takes nothing away there");
    ops = right();
    ops.push(done(Action::Pop, 2, 50));
    assert_eq!(once(&ops), ([0, 0, 1, 0, 0], Verdict::Fail), "twice");
    assert_eq!(judged(&ops, Delivery::AtLeastOnce).verdict(), Verdict::Pass, "which is allowed");
    ops.push(done(Action::Ack, 2, 40));
    assert_eq!(judged(&ops, Delivery::AtLeastOnce).after_ack, 1);
    assert_eq!(judged(&ops, Delivery::AtLeastOnce).verdict(), Verdict::Fail, "but not any more");
}

#[test]
fn what_went_in_without_an_answer_may_come_out() {
    let mut ops = right();
    ops[1].outcome = UNKNOWN;
    assert_eq!(once(&ops), ([0, 0, 0, 0, 1], Verdict::Pass));
    ops.remove(3);
    assert_eq!(once(&ops), ([0; 5], Verdict::Pass), "or never");
    let mut ops = right();
    ops[1].outcome = Outcome::Fail(Cause::ReadOnly);
    assert_eq!(once(&ops), ([0, 1, 0, 0, 0], Verdict::Fail), "what was refused may not");
}

#[test]
fn a_queue_that_was_not_drained_proves_no_loss() {
    let mut ops = right();
    ops.remove(3);
    ops.pop();
    assert_eq!(once(&ops), ([0; 5], Verdict::Unknown));
    let found = judged(&ops, Delivery::AtMostOnce);
    assert!(found.finding().text.contains("1 queues were not drained"));
}
