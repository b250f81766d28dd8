//! Sets compared with their definitions.

use proptest::prelude::*;

use super::*;
use crate::check::tests::{finding, judged, op};
use crate::model::Verdict;
use crate::model::op::Cause;

fn insert(element: u64, outcome: Outcome) -> Op {
    let action = Action::Set(SetOp::Insert(element));
    op(action, 0, 10 * element, 10 * element + 5, outcome)
}

fn last(members: &[u64]) -> Op {
    let action = Action::Set(SetOp::Members(members.into()));
    Op { purpose: Purpose::Final, ..op(action, 0, 9000, 9001, Outcome::Ok) }
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
        let found = judged(Sets, &ops.chain([last(&members)]).collect::<Vec<_>>()).0;
        let times = |e: u64| members.iter().filter(|m| **m == e).count();
        let count = |is: &dyn Fn(u64) -> bool| (0..15).filter(|e| is(*e)).count() as u64;
        let ok = |e| outcome(e) == Some(Outcome::Ok);
        let maybe = |e| matches!(outcome(e), Some(Outcome::Unknown(_)));
        prop_assert_eq!(found.of("acknowledged"), count(&ok));
        prop_assert_eq!(found.of("lost"), count(&|e| ok(e) && times(e) == 0));
        prop_assert_eq!(found.of("recovered"), count(&|e| maybe(e) && times(e) > 0));
        prop_assert_eq!(found.of("unexpected"), count(&|e| !ok(e) && !maybe(e) && times(e) > 0));
        prop_assert_eq!(found.of("duplicated"), count(&|e| times(e) > 1));
    }
}

#[test]
fn the_last_read_counts_and_without_one_nothing_is_known() {
    let ops = [insert(1, Outcome::Ok), last(&[1])];
    assert_eq!(judged(Sets, &ops).1, Verdict::Pass);
    assert_eq!(judged(Sets, &ops[..1]).1, Verdict::Unknown);
    let later = Op { sent: Nanos(9500), ..last(&[]) };
    let rows = [&ops[..], &[later]].concat();
    let (found, verdict) = judged(Sets, &rows);
    assert_eq!((found.of("lost"), verdict), (1, Verdict::Fail));
    let told = finding(&Sets, &rows);
    assert!(told.examples[0].text.contains("element 1 of set 0 was acknowledged"), "{told:?}");
    assert_eq!(
        told.text,
        "1 of 1 acknowledged elements lost, 0 unexpected, 0 duplicated, 0 recovered"
    );
    let after = op(Action::Set(SetOp::Insert(7)), 0, 8990, 9002, Outcome::Ok);
    let (found, _) = judged(Sets, &[&ops[..], &[after]].concat());
    assert_eq!(found.of("lost"), 0, "acknowledged when the read had been sent");
}
