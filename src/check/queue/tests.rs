//! Each fate of an element.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::sample::Index;

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

/// What clients of a queue are told that does all right. Of each row, whether it pushes, and with
/// what luck: unanswered and not done, unanswered and done, or answered.
fn told(rows: &[(bool, u8)]) -> Vec<Op> {
    let (mut queue, mut ops) = (VecDeque::new(), Vec::new());
    for (i, (pushes, luck)) in rows.iter().enumerate() {
        let (sent, new) = (10 * i as u64, i as u64 + 1);
        let value = match (pushes, luck) {
            (true, 0) => Some(new),
            (true, _) => {
                queue.push_back(new);
                Some(new)
            }
            (false, 0) => None,
            (false, 1) => queue.pop_front().and(None),
            (false, _) => queue.pop_front(),
        };
        let action = if *pushes { Action::Push } else { Action::Pop };
        let outcome = if *luck < 2 { UNKNOWN } else { Outcome::Ok };
        ops.push(op(action, 0, value, sent, sent + 5, outcome));
    }
    let left = queue.into_iter().map(Some).chain([None]);
    let drain = |(i, value): (usize, Option<u64>)| {
        let sent = 10_000 + 10 * i as u64;
        let pop = op(Action::Pop, 0, value, sent, sent + 5, Outcome::Ok);
        Op { purpose: Purpose::Final, ..pop }
    };
    ops.extend(left.enumerate().map(drain));
    ops
}

/// Acknowledged elements that nobody was given, less those that a pop without an answer may
/// have taken.
fn missed(ops: &[Op]) -> u64 {
    let came = |value| ops.iter().any(|op| op.action == Action::Pop && op.value == Some(value));
    let sure = ops.iter().filter(|op| op.action == Action::Push && op.outcome == Outcome::Ok);
    let missing = sure.filter(|op| !came(op.value.unwrap())).count();
    let unanswered = |op: &&Op| op.action == Action::Pop && op.outcome == UNKNOWN;
    missing.saturating_sub(ops.iter().filter(unanswered).count()) as u64
}

proptest! {
    #[test]
    fn a_right_queue_is_never_accused_and_what_goes_wrong_is_counted(
        rows in prop::collection::vec((any::<bool>(), 0..8u8), 1..60),
        which in any::<Index>(),
    ) {
        let right = told(&rows);
        prop_assert_eq!(judged(&right, Delivery::AtMostOnce).wrong(), 0);
        prop_assert_eq!(judged(&right, Delivery::AtLeastOnce).after_ack, 0);

        let came_out = |op: &&Op| op.action == Action::Pop && op.value.is_some();
        let out: Vec<usize> =
            (0..right.len()).filter(|at| came_out(&&right[*at])).collect();
        prop_assume!(!out.is_empty());
        let at = out[which.index(out.len())];
        let mut twice = right.clone();
        twice.push(Op { sent: Nanos(9_000), done: Nanos(9_005), ..right[at].clone() });
        prop_assert_eq!(&once(&twice).0[..3], &[0, 0, 1]);
        let mut never = right.clone();
        never.remove(at);
        prop_assert_eq!(&once(&never).0[..3], &[missed(&never), 0, 0]);
        let mut strange = right;
        strange[at].value = Some(5_000);
        prop_assert_eq!(&once(&strange).0[..3], &[missed(&strange), 1, 0]);
    }
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
