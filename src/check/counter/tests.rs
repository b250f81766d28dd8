//! A correct counter has no findings, and each way to go wrong is found.

use proptest::prelude::*;

use super::*;
use crate::check::tests::{judged, op};
use crate::model::Verdict;
use crate::model::op::Cause;

fn add(total: u64, sent: u64, done: u64) -> Op {
    op(Action::Counter(CounterOp::Add(Some(total))), 0, sent, done, Outcome::Ok)
}

fn read(total: u64, sent: u64, done: u64) -> Op {
    let total = (total > 0).then_some(total);
    op(Action::Counter(CounterOp::Read(total)), 0, sent, done, Outcome::Ok)
}

fn last(total: u64) -> Op {
    Op { purpose: Purpose::Final, ..read(total, 9000, 9001) }
}

fn unknown(op: Op) -> Op {
    let action = Action::Counter(CounterOp::Add(None));
    Op { outcome: Outcome::Unknown(Cause::Timeout), action, ..op }
}

/// Acknowledged, lost, surplus, repeated, impossible.
fn figures(ops: &[Op]) -> [u64; 5] {
    let (found, _) = judged(Counters, ops);
    ["acknowledged", "lost", "surplus", "repeated", "impossible"].map(|word| found.of(word))
}

proptest! {
    #[test]
    fn a_right_counter_is_never_accused(
        rows in prop::collection::vec((any::<bool>(), 0..20u64, 0..20u64, 0..6u8), 0..60)
    ) {
        let (mut total, mut ops) = (0, Vec::new());
        for (i, (adds, before, after, luck)) in rows.into_iter().enumerate() {
            let now = 100 + 3 * i as u64;
            let (sent, done) = (now - before, now + after);
            total += u64::from(adds && luck != 0);
            ops.push(match (adds, luck) {
                (false, _) => read(total, sent, done),
                (true, 0 | 1) => unknown(add(0, sent, done)),
                (true, _) => add(total, sent, done),
            });
        }
        ops.push(last(total));
        prop_assert_eq!(judged(Counters, &ops).1, Verdict::Pass);
    }
}

#[test]
fn each_way_to_go_wrong_is_seen() {
    let right = [add(1, 0, 10), read(1, 20, 30), add(2, 40, 50), last(2)];
    assert_eq!(figures(&right), [2, 0, 0, 0, 0]);
    let with = |at: usize, op: Op| {
        let mut ops = right.to_vec();
        ops[at] = op;
        ops
    };
    assert_eq!(figures(&with(3, last(1)))[1], 1, "lost at the end");
    assert_eq!(figures(&with(3, last(4)))[2], 2, "more than were asked for");
    assert_eq!(figures(&with(2, add(1, 40, 50)))[3], 1, "the first one was forgotten");
    assert_eq!(figures(&with(1, read(0, 20, 30)))[4], 1, "stale");
    assert_eq!(figures(&with(1, read(2, 20, 30)))[4], 2, "ahead of time, and ahead of the next");
    assert_eq!(judged(Counters, &right[..3]).1, Verdict::Unknown);
}

#[test]
fn what_has_no_answer_may_count_or_not_but_stays_counted() {
    let late = unknown(add(0, 20, 30));
    for total in [1, 2] {
        assert_eq!(judged(Counters, &[add(1, 0, 10), late.clone(), last(total)]).1, Verdict::Pass);
    }
    let back = [add(1, 0, 10), late, read(2, 40, 50), read(1, 60, 70), last(2)];
    assert_eq!(figures(&back)[4], 1);
}
