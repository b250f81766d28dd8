//! Each way to go wrong by hand, and small banks against every choice of transfers.

use proptest::prelude::*;

use super::*;
use crate::check::checker::{Checker, Context};
use crate::check::tests::{finding, judged, op};
use crate::model::Verdict;
use crate::model::op::Cause;

const UNKNOWN: Outcome = Outcome::Unknown(Cause::Timeout);

fn row(action: TransferOp, sent: u64, outcome: Outcome) -> Op {
    op(Action::Transfer(action), 0, sent, sent + 5, outcome)
}

fn open(balances: &[i64]) -> Op {
    Op { purpose: Purpose::Fill, ..row(TransferOp::Open(balances.into()), 0, Outcome::Ok) }
}

fn moved(from: u16, to: u16, amount: u32, sent: u64, outcome: Outcome) -> Op {
    let (others, fails) = (Box::default(), false);
    row(TransferOp::Move { from, to, amount, others, fails }, sent, outcome)
}

fn read(balances: &[i64], sent: u64) -> Op {
    row(TransferOp::Balances(balances.into()), sent, Outcome::Ok)
}

fn last(balances: &[i64]) -> Op {
    Op { purpose: Purpose::Final, ..read(balances, 9_000) }
}

/// Torn, half done, lost; and the verdict.
fn figures(ops: &[Op]) -> ([u64; 3], Verdict) {
    let (found, verdict) = judged(Transfers, ops);
    (["torn", "half_done", "lost"].map(|word| found.of(word)), verdict)
}

#[test]
fn each_way_to_go_wrong_is_seen() {
    let begun = [open(&[10, 10, 10]), moved(0, 1, 4, 20, Outcome::Ok)];
    let with = |rest: &[Op]| figures(&[&begun[..], rest].concat());
    assert_eq!(with(&[read(&[6, 14, 10], 40), last(&[6, 14, 10])]), ([0; 3], Verdict::Pass));
    assert_eq!(with(&[read(&[6, 10, 10], 22), last(&[6, 14, 10])]), ([1, 0, 0], Verdict::Fail));
    assert_eq!(with(&[last(&[6, 10, 10])]), ([0, 1, 0], Verdict::Fail), "half of it was done");
    assert_eq!(with(&[last(&[10, 10, 10])]), ([0, 0, 1], Verdict::Fail), "it was acknowledged");
    assert_eq!(with(&[]), ([0; 3], Verdict::Unknown), "nobody read it at the end");
    let told = finding(&Transfers, &[&begun[..], &[last(&[6, 10, 10])]].concat());
    assert!(told.examples[0].text.contains("bank 0 ended with 26 instead of 30"), "{told:?}");
}

#[test]
fn whoever_pays_several_pays_each_of_them_and_what_was_done_in_part_is_counted() {
    let pays = |outcome| {
        let (others, fails) = (Box::from([2]), true);
        row(TransferOp::Move { from: 0, to: 1, amount: 3, others, fails }, 20, outcome)
    };
    let partial = Outcome::Unknown(Cause::Partial);
    let with = |outcome, end: &[i64]| {
        let (found, verdict) = judged(Transfers, &[open(&[10; 3]), pays(outcome), last(end)]);
        (["half_done", "lost", "partial"].map(|word| found.of(word)), verdict)
    };
    assert_eq!(with(Outcome::Ok, &[4, 13, 13]), ([0, 0, 0], Verdict::Pass));
    assert_eq!(with(Outcome::Ok, &[7, 13, 10]), ([0, 1, 0], Verdict::Fail), "one got nothing");
    assert_eq!(with(partial, &[4, 13, 13]), ([0, 0, 1], Verdict::Pass), "the others were done");
    assert_eq!(with(partial, &[4, 10, 10]), ([1, 0, 1], Verdict::Fail), "only the first was");
    let ops = [open(&[10; 3]), pays(partial), last(&[4, 10, 10])];
    let told = Transfers.check(&ops.as_slice(), &Context::default()).unwrap();
    assert_eq!(told.measures.get("transactions.torn"), Some(&1.0));
    assert_eq!(told.measures.get("transactions.partial"), Some(&1.0));
}

#[test]
fn a_transfer_without_an_answer_is_done_wholly_or_not_at_all() {
    let begun = [open(&[10, 10]), moved(0, 1, 4, 20, UNKNOWN), moved(1, 0, 3, 30, UNKNOWN)];
    for end in [[10, 10], [6, 14], [13, 7], [9, 11]] {
        let ops = [&begun[..], &[last(&end)]].concat();
        assert_eq!(figures(&ops), ([0; 3], Verdict::Pass), "{end:?}");
    }
    let ops = [&begun[..], &[last(&[5, 15])]].concat();
    assert_eq!(figures(&ops), ([0, 0, 1], Verdict::Fail));
    let refused = moved(0, 1, 4, 20, Outcome::Fail(Cause::TryAgain));
    let ops = [open(&[10, 10]), refused, last(&[6, 14])];
    assert_eq!(figures(&ops).0, [0, 0, 1], "what was refused may not have been done");
}

/// Whether some choice among `maybe` turns `from` into `to`: the definition.
fn reachable(from: &[i64], maybe: &[(u16, u16, u32)], to: &[i64]) -> bool {
    (0..1u32 << maybe.len()).any(|choice| {
        let mut now = from.to_vec();
        for (i, (a, b, amount)) in maybe.iter().enumerate() {
            if choice & (1 << i) != 0 {
                now[usize::from(*a)] -= i64::from(*amount);
                now[usize::from(*b)] += i64::from(*amount);
            }
        }
        now == to
    })
}

proptest! {
    /// Transfers are answered, refused, or neither and then done wholly, by half or not at all.
    #[test]
    fn a_right_bank_is_never_accused_and_a_wrong_one_is_when_every_choice_says_so(
        rows in prop::collection::vec((0..3u16, 1..3u16, 1..5u32, 0..8u8), 0..10),
        late in prop::option::of((0..3usize, 0..3usize, 1..4i64)),
        looks in prop::collection::vec(any::<bool>(), 10),
    ) {
        let opened = [10i64; 3];
        let (mut now, mut sure, mut maybe) = (opened.to_vec(), opened.to_vec(), Vec::new());
        let mut ops = vec![open(&opened)];
        let (mut torn, mut halves) = (0, 0);
        for (i, (from, step, amount, luck)) in rows.into_iter().enumerate() {
            let (to, sent) = ((from + step) % 3, 100 + 20 * i as u64);
            let (a, b, n) = (usize::from(from), usize::from(to), i64::from(amount));
            let outcome = match luck {
                0..3 => UNKNOWN,
                3 => Outcome::Fail(Cause::TryAgain),
                _ => Outcome::Ok,
            };
            // Of those without an answer 0 is not done, 1 is, and 2 is by half.
            if luck != 0 && luck != 3 {
                now[a] -= n;
                now[b] += if luck == 2 { 0 } else { n };
                halves += i64::from(luck == 2) * n;
            }
            match outcome {
                Outcome::Ok => {
                    sure[a] -= n;
                    sure[b] += n;
                }
                Outcome::Unknown(_) => maybe.push((from, to, amount)),
                Outcome::Fail(_) => {}
            }
            ops.push(moved(from, to, amount, sent, outcome));
            if looks[i] {
                ops.push(read(&now, sent + 10));
                torn += u64::from(halves != 0);
            }
        }
        // Acknowledged transfers may be lost: then somebody has what another should have.
        if let Some((a, b, n)) = late {
            now[a] -= n;
            now[b] += n;
        }
        ops.push(last(&now));
        let right = reachable(&sure, &maybe, &now);
        let expected = [torn, u64::from(halves != 0), u64::from(halves == 0 && !right)];
        prop_assert_eq!(figures(&ops).0, expected);
    }
}
