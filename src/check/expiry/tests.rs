//! Keys with an end compared with their definitions.

use proptest::prelude::*;

use super::*;
use crate::check::checker::Fault;
use crate::model::Nanos;
use crate::model::StepKind;
use crate::model::op::{Action, Cause, ExpiryOp, Op, Outcome};

const MS: u64 = 1_000_000;

fn set(value: u64, lives: u64, (sent, done): (u64, u64)) -> Op {
    let action = Action::Expiry(ExpiryOp::Set { value, lives: Nanos(lives * MS) });
    Op::new(1, action, Nanos(sent * MS), Nanos(done * MS))
}

fn look(value: u64, found: Option<u64>, (sent, done): (u64, u64)) -> Op {
    let action = ExpiryOp::Look { value, ends: Nanos::ZERO, replica: false, found };
    Op::new(1, Action::Expiry(action), Nanos(sent * MS), Nanos(done * MS))
}

fn told_with(ops: &[Op], faults: Vec<Fault>) -> Checked {
    let context = Context { faults, ..Context::default() };
    Expiries.check(&ops, &context).unwrap()
}

fn of<const N: usize>(ops: &[Op], names: [&str; N]) -> [f64; N] {
    let told = told_with(ops, Vec::new());
    names.map(|name| told.measures.get(name).copied().unwrap_or(f64::NAN))
}

#[test]
fn a_key_is_late_if_it_was_seen_after_its_end() {
    // Its time is over between 1,000 and 1,010 ms.
    let key = set(1, 1_000, (0, 10));
    let late = |there, gone| {
        let looks = [look(1, Some(1), (there, there + 1)), look(1, None, (gone - 1, gone))];
        of(
            &[std::slice::from_ref(&key), &looks[..]].concat(),
            ["expiry.late.max", "expiry.accuracy", "expiry.early"],
        )
    };
    assert_eq!(late(1_000, 1_015), [0.0, 100.0, 0.0]);
    assert_eq!(late(1_030, 1_036), [20.0, 100.0, 0.0]);
    assert_eq!(late(1_070, 1_080), [60.0, 0.0, 0.0]);
    let [late_by, accuracy, early] = late(1_000, 1_200);
    assert!(accuracy.is_nan() && (late_by, early) == (0.0, 0.0), "nobody looked in between");
}

#[test]
fn a_key_that_goes_too_soon_is_found_unless_a_step_explains_it() {
    let ops = [set(1, 1_000, (0, 10)), look(1, Some(1), (400, 401)), look(1, None, (700, 701))];
    assert_eq!(of(&ops, ["expiry.early", "expiry.accuracy"]), [1.0, 0.0]);
    let found = told_with(&ops, Vec::new());
    assert_eq!(found.findings[0].verdict, Verdict::Fail);
    assert!(found.findings[0].examples[0].text.contains("was gone by"), "{found:?}");
    let fault = |loses_writes, moves_clocks, from: u64| Fault {
        step: 0,
        kind: StepKind::Kill,
        text: String::new(),
        from: Nanos(from * MS),
        until: Some(Nanos((from + 100) * MS)),
        loses_writes,
        moves_clocks,
    };
    let with = |fault| {
        let told = told_with(&ops, vec![fault]);
        ["expiry.early", "expiry.touched", "expiry.judged"].map(|name| told.measures[name])
    };
    assert_eq!(with(fault(true, false, 500)), [0.0, 1.0, 0.0], "it may be lost");
    assert_eq!(with(fault(false, true, 500)), [0.0, 1.0, 0.0], "its end was moved");
    assert_eq!(with(fault(false, false, 500)), [1.0, 0.0, 1.0]);
    assert_eq!(with(fault(true, true, 90_000)), [1.0, 0.0, 1.0], "that was later");
}

/// Of ten keys, which end between 1,000 and 1,001 ms, the last one is there for 40 ms more; replicas have
/// the others of them.
#[test]
fn when_keys_go_is_told_of_all_and_of_replicas() {
    let ops: Vec<Op> = (0..10)
        .flat_map(|key| {
            let (late, replica) = (if key == 9 { 40 } else { 0 }, key % 2 == 0);
            let look = |found, at| {
                let action = ExpiryOp::Look { value: key, ends: Nanos::ZERO, replica, found };
                Op::new(key, Action::Expiry(action), Nanos(at * MS), Nanos((at + 1) * MS))
            };
            let gone = 1_002 + late;
            [Op { key, ..set(key, 1_000, (0, 1)) }, look(Some(key), gone - 3), look(None, gone)]
        })
        .collect();
    let names = [
        "expiry.accuracy",
        "expiry.accuracy.replicas",
        "expiry.late.p99",
        "expiry.late.max",
        "expiry.spread",
    ];
    let [all, replicas, p99, max, spread] = of(&ops, names);
    assert_eq!((all, replicas), (100.0, 100.0));
    // It was seen at 1,039, and its time was over by 1,001.
    assert_eq!((p99, max), (38.0, 38.0));
    assert_eq!(spread, 40.0);
}

#[test]
fn what_another_one_took_the_place_of_is_not_judged() {
    let ops = |outcome| {
        let other = Op { outcome, ..set(2, 100, (300, 310)) };
        [set(1, 1_000, (0, 10)), other, look(1, None, (600, 601))]
    };
    assert_eq!(of(&ops(Outcome::Ok), ["expiry.judged"]), [0.0]);
    assert_eq!(of(&ops(Outcome::Unknown(Cause::Timeout)), ["expiry.judged"]), [0.0]);
    assert_eq!(of(&ops(Outcome::Fail(Cause::Refused)), ["expiry.early"]), [1.0]);
}

proptest! {
    /// Looks at each millisecond, of which some are left out: what is told of a key that goes at
    /// `gone` is never wrong.
    #[test]
    fn nothing_is_said_that_is_not_so(
        sent in 0..20_u64,
        took in 0..20_u64,
        // When the server set it, within that, in parts of twenty; and when it let it go.
        at in 0..=20_u64,
        gone in 0..400_u64,
        left_out in prop::collection::vec(any::<bool>(), 500),
    ) {
        let ops: Vec<Op> = [set(1, 200, (sent, sent + took))]
            .into_iter()
            .chain((0..500_u64).filter(|at| left_out[*at as usize]).map(|at| {
                let now = sent + took + at;
                look(1, (now < gone).then_some(1), (now, now))
            }))
            .collect();
        let ends = sent + took * at / 20 + 200;
        let told = told_with(&ops, Vec::new()).measures;
        let late = told.get("expiry.late.max").copied().unwrap_or(0.0);
        prop_assert!(late <= gone.saturating_sub(ends) as f64, "{} {} {}", late, gone, ends);
        if told["expiry.early"] > 0.0 {
            prop_assert!(gone < ends);
        }
        match told.get("expiry.accuracy") {
            Some(100.0) => prop_assert!(gone.abs_diff(ends) <= 50, "{} {}", gone, ends),
            Some(_) => prop_assert!(gone.abs_diff(ends) > 50, "{} {}", gone, ends),
            None => {}
        }
    }
}
