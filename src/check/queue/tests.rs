//! Every possible history of an element.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::check::tests::{finding, judged, op};
use crate::model::Verdict;
use crate::model::op::{Cause, Purpose};

const UNKNOWN: Outcome = Outcome::Unknown(Cause::Timeout);

fn did(action: QueueOp, sent: u64, outcome: Outcome) -> Op {
    op(Action::Queue(action), 0, sent, sent + 5, outcome)
}

fn push(value: u64, sent: u64) -> Op {
    did(QueueOp::Push(value), sent, Outcome::Ok)
}

fn pop(value: u64, sent: u64) -> Op {
    did(QueueOp::Pop(Some(value)), sent, Outcome::Ok)
}

fn drain(left: Vec<u64>, sent: u64) -> Op {
    Op { purpose: Purpose::Final, ..did(QueueOp::Drain(left.into()), sent, Outcome::Ok) }
}

/// Two elements go in and come out, and then there is nothing left.
fn right() -> Vec<Op> {
    vec![push(1, 0), push(2, 10), pop(1, 20), pop(2, 30), drain(Vec::new(), 9000)]
}

/// Lost, unexpected, repeated, after an ack, recovered; and the verdict.
fn once(ops: &[Op]) -> ([u64; 5], Verdict) {
    let (found, verdict) = judged(Queues::AtMostOnce, ops);
    let words = ["lost", "unexpected", "repeated", "after_ack", "recovered"];
    (words.map(|word| found.of(word)), verdict)
}

/// The answers of a correct queue. For each row: whether it pushes, and its luck: unanswered
/// and not done, unanswered and done, or answered.
fn told(rows: &[(bool, u8)]) -> Vec<Op> {
    let (mut queue, mut ops) = (VecDeque::new(), Vec::new());
    for (i, (pushes, luck)) in rows.iter().enumerate() {
        let (sent, new) = (10 * i as u64, i as u64 + 1);
        let action = match (pushes, luck) {
            (true, 0) => QueueOp::Push(new),
            (true, _) => {
                queue.push_back(new);
                QueueOp::Push(new)
            }
            (false, 0) => QueueOp::Pop(None),
            (false, 1) => QueueOp::Pop(queue.pop_front().and(None)),
            (false, _) => QueueOp::Pop(queue.pop_front()),
        };
        ops.push(did(action, sent, if *luck < 2 { UNKNOWN } else { Outcome::Ok }));
    }
    ops.push(drain(queue.into(), 10_000));
    ops
}

/// What came out with the operation.
fn out(op: &Op) -> Vec<u64> {
    match &op.action {
        Action::Queue(QueueOp::Pop(value)) => value.iter().copied().collect(),
        Action::Queue(QueueOp::Drain(left)) => left.to_vec(),
        _ => Vec::new(),
    }
}

/// Acknowledged elements that no pop returned, less those that a pop without an answer may have
/// taken.
fn missed(ops: &[Op]) -> u64 {
    let came = |value| ops.iter().any(|op| out(op).contains(value));
    let sure = ops.iter().filter_map(|op| match &op.action {
        Action::Queue(QueueOp::Push(value)) if op.outcome == Outcome::Ok => Some(value),
        _ => None,
    });
    let missing = sure.filter(|value| !came(value)).count();
    let pop = Action::Queue(QueueOp::Pop(None));
    let unanswered = |op: &&Op| op.action == pop && op.outcome == UNKNOWN;
    missing.saturating_sub(ops.iter().filter(unanswered).count()) as u64
}

proptest! {
    #[test]
    fn a_right_queue_is_never_accused_and_what_goes_wrong_is_counted(
        rows in prop::collection::vec((any::<bool>(), 0..8u8), 1..60),
        which in any::<Index>(),
    ) {
        let right = told(&rows);
        prop_assert_eq!(judged(Queues::AtMostOnce, &right).1, Verdict::Pass);
        prop_assert_eq!(judged(Queues::AtLeastOnce, &right).0.of("after_ack"), 0);

        let places = |at: usize| (0..out(&right[at]).len()).map(move |n| (at, n));
        let all: Vec<(usize, usize)> = (0..right.len()).flat_map(places).collect();
        prop_assume!(!all.is_empty());
        let (at, n) = all[which.index(all.len())];
        let mut twice = right.clone();
        twice.push(pop(out(&right[at])[n], 9_000));
        prop_assert_eq!(&once(&twice).0[..3], &[0, 0, 1]);
        let without = |instead: Option<u64>| {
            let mut ops = right.clone();
            match &mut ops[at].action {
                Action::Queue(QueueOp::Drain(left)) => {
                    let mut some = left.to_vec();
                    some.splice(n..=n, instead);
                    *left = some.into();
                }
                action => *action = Action::Queue(QueueOp::Pop(instead)),
            }
            ops
        };
        let never = without(None);
        prop_assert_eq!(&once(&never).0[..3], &[missed(&never), 0, 0]);
        let strange = without(Some(5_000));
        prop_assert_eq!(&once(&strange).0[..3], &[missed(&strange), 1, 0]);
    }
}

#[test]
fn each_fate_is_counted() {
    assert_eq!(once(&right()), ([0; 5], Verdict::Pass));
    let mut ops = right();
    ops.remove(3);
    assert_eq!(once(&ops), ([1, 0, 0, 0, 0], Verdict::Fail), "never came out");
    ops.push(did(QueueOp::Pop(None), 40, UNKNOWN));
    assert_eq!(once(&ops), ([0; 5], Verdict::Pass), "somebody may have taken it");
    assert_eq!(
        judged(Queues::AtLeastOnce, &ops).0.of("lost"),
        1,
        "taking takes nothing away there"
    );
    ops = right();
    ops.push(pop(2, 50));
    assert_eq!(once(&ops), ([0, 0, 1, 0, 0], Verdict::Fail), "twice");
    assert_eq!(judged(Queues::AtLeastOnce, &ops).1, Verdict::Pass, "which is allowed");
    ops.push(did(QueueOp::Ack(2), 40, Outcome::Ok));
    assert_eq!(judged(Queues::AtLeastOnce, &ops).0.of("after_ack"), 1);
    assert_eq!(judged(Queues::AtLeastOnce, &ops).1, Verdict::Fail, "but not any more");
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
    let told = finding(&Queues::AtMostOnce, &ops);
    assert!(told.text.ends_with("; 1 queues were not drained"), "{told:?}");
}
