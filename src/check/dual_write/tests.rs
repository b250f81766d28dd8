//! Each way in which two groups can come to differ.

use super::*;
use crate::check::tests::{finding, judged, op};
use crate::model::op::{Cause, Outcome, RegisterOp};
use crate::model::{Nanos, Verdict};

const UNKNOWN: Outcome = Outcome::Unknown(Cause::Timeout);

/// `value` is sent to both groups at once; it takes ten in the first, and `slow` in the second.
fn write(value: u64, sent: u64, slow: u64) -> [Op; 2] {
    let half = |group, took| {
        let action = Action::Register(RegisterOp::Write(value));
        Op { group, ..op(action, 0, sent, sent + took, Outcome::Ok) }
    };
    [half(0, 10), half(1, slow)]
}

fn end(group: u8, value: Option<u64>) -> Op {
    let action = Action::Register(RegisterOp::Read(value));
    Op { group, purpose: Purpose::Final, ..op(action, 0, 9_000, 9_001, Outcome::Ok) }
}

/// Acknowledged, one-sided, lost, reordered; and the verdict.
fn figures(writes: &[[Op; 2]], ends: [Option<u64>; 2]) -> ([u64; 4], Verdict) {
    let ops: Vec<Op> = [writes.concat(), vec![end(0, ends[0]), end(1, ends[1])]].concat();
    let (found, verdict) = judged(DualWrites, &ops);
    (["acknowledged", "one_sided", "lost", "reordered"].map(|word| found.of(word)), verdict)
}

#[test]
fn groups_that_end_alike_are_right_whatever_happened_on_the_way() {
    let [mut one, other] = [write(1, 0, 10), write(2, 5, 10)];
    one[1].outcome = UNKNOWN;
    for last in [1, 2] {
        let told = figures(&[one.clone(), other.clone()], [Some(last); 2]);
        assert_eq!(told, ([1, 0, 0, 0], Verdict::Pass));
    }
}

#[test]
fn each_way_to_differ_is_told() {
    let ends = [Some(1), Some(2)];
    let met = [write(1, 0, 10), write(2, 5, 10)];
    assert_eq!(figures(&met, ends), ([2, 0, 0, 1], Verdict::Fail), "they met on their way");
    let apart = [write(1, 0, 10), write(2, 20, 10)];
    assert_eq!(figures(&apart, ends), ([2, 0, 1, 0], Verdict::Fail), "the first one lost it");
    assert_eq!(figures(&apart, [Some(2), None]), ([2, 0, 1, 0], Verdict::Fail), "all is lost");
    for outcome in [UNKNOWN, Outcome::Fail(Cause::ReadOnly)] {
        let mut half = apart.clone();
        half[1][0].outcome = outcome;
        assert_eq!(figures(&half, ends), ([1, 1, 0, 0], Verdict::Fail), "{outcome:?}");
    }
    let slow = [write(1, 0, 40), write(2, 20, 10)];
    assert_eq!(figures(&slow, [Some(2), Some(1)]), ([2, 0, 0, 1], Verdict::Fail), "in one only");
    assert_eq!(figures(&slow, ends), ([2, 0, 1, 0], Verdict::Fail), "not in the other");
}

#[test]
fn the_writes_are_told_and_without_an_end_nothing_is_known() {
    let mut half = write(2, 20, 10);
    half[0].outcome = Outcome::Fail(Cause::ReadOnly);
    let ops: Vec<Op> = [write(1, 0, 10), half].concat();
    assert_eq!(judged(DualWrites, &ops).1, Verdict::Unknown);
    let rows = [&ops[..], &[end(0, Some(1)), end(1, Some(2))]].concat();
    let told = finding(&DualWrites, &rows);
    let text = &told.examples[0].text;
    assert!(
        text.starts_with("key 0 ended with 1 in the first group and 2 in the second"),
        "{text}"
    );
    assert!(text.contains("2 was to the first sent at 0.000s, refused, to the second"), "{text}");
    assert_eq!(told.kind, "dual_writes");
    assert_eq!(judged(DualWrites, &rows[..3]).1, Verdict::Unknown, "one end is missing");
    assert_eq!(Nanos(20), ops[2].sent);
}
