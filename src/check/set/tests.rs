//! Sets compared with their definitions.

use proptest::prelude::*;

use super::*;
use crate::check::tests::op;
use crate::model::op::Cause;

fn insert(element: u64, outcome: Outcome) -> Op {
    let action = Action::Set(SetOp::Insert(element));
    op(action, 0, 10 * element, 10 * element + 5, outcome)
}

fn last(members: &[u64]) -> Op {
    let action = Action::Set(SetOp::Members(members.into()));
    Op { purpose: Purpose::Final, ..op(action, 0, 9000, 9001, Outcome::Ok) }
}

fn judged(ops: &[Op]) -> Found {
    Found::read(&ops, Nanos::ZERO).unwrap()
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Ok),
        Just(Outcome::Unknown(Cause::Timeout)),
        Just(Outcome::Fail(Cause::ReadOnly)),
    ]
}

proptest! {
    #[test]
    fn counts_are_those_of_the_definition(
        inserted in prop::collection::vec(outcomes(), 0..12),
        members in prop::collection::vec(0..15u64, 0..12),
    ) {
        let outcome = |e: u64| inserted.get(e as usize).copied();
        let ops = (0u64..).zip(&inserted).map(|(element, outcome)| insert(element, *outcome));
        let found = judged(&ops.chain([last(&members)]).collect::<Vec<_>>());
        let times = |e: u64| members.iter().filter(|m| **m == e).count();
        let count = |is: &dyn Fn(u64) -> bool| (0..15).filter(|e| is(*e)).count() as u64;
        let ok = |e| outcome(e) == Some(Outcome::Ok);
        let maybe = |e| matches!(outcome(e), Some(Outcome::Unknown(_)));
        prop_assert_eq!(found.acknowledged, count(&ok));
        prop_assert_eq!(found.lost, count(&|e| ok(e) && times(e) == 0));
        prop_assert_eq!(found.recovered, count(&|e| maybe(e) && times(e) > 0));
        prop_assert_eq!(found.unexpected, count(&|e| !ok(e) && !maybe(e) && times(e) > 0));
        prop_assert_eq!(found.duplicated, count(&|e| times(e) > 1));
    }
}

#[test]
fn the_last_read_counts_and_without_one_nothing_is_known() {
    let ops = [insert(1, Outcome::Ok), last(&[1])];
    assert_eq!(judged(&ops).verdict(), Verdict::Pass);
    assert_eq!(judged(&ops[..1]).verdict(), Verdict::Unknown);
    let later = Op { sent: Nanos(9500), ..last(&[]) };
    let found = judged(&[&ops[..], &[later]].concat());
    assert_eq!((found.lost, found.verdict()), (1, Verdict::Fail));
    assert!(
        found.told().findings[0].examples[0].text.contains("element 1 of set 0 was acknowledged")
    );
    let after = op(Action::Set(SetOp::Insert(7)), 0, 8990, 9002, Outcome::Ok);
    let found = judged(&[&ops[..], &[after]].concat());
    assert_eq!(found.lost, 0, "acknowledged when the read had been sent");
}
