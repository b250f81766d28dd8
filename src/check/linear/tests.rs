//! The fast algorithms compared with the slow one, which tries every order.

use proptest::prelude::*;

use super::*;
use crate::check::register::NEVER;
use crate::model::Nanos;
use crate::model::op::RegisterOp;

const STEPS: u64 = 100_000;

fn call(act: RegisterOp, sent: u64, done: u64) -> Call {
    Call { process: 0, act, sent: Nanos(sent), done: Nanos(done) }
}

fn write(value: u64, sent: u64, done: u64) -> Call {
    call(RegisterOp::Write(value), sent, done)
}

fn read(value: u64, sent: u64, done: u64) -> Call {
    call(RegisterOp::Read((value > 0).then_some(value)), sent, done)
}

fn cas(from: u64, to: u64, sent: u64, done: u64) -> Call {
    call(RegisterOp::Cas { from: (from > 0).then_some(from), to }, sent, done)
}

fn unanswered(call: Call) -> Call {
    Call { done: NEVER, ..call }
}

/// Whether there is an order, by the plain definition.
fn ordered(calls: &[Call]) -> bool {
    fn from(state: Option<u64>, left: &[Call]) -> bool {
        left.iter().all(|call| !call.is_answered())
            || (0..left.len()).any(|i| {
                let next = left[i];
                let (legal, then) = match next.act {
                    RegisterOp::Read(value) => (value == state, state),
                    RegisterOp::Write(value) => (true, Some(value)),
                    RegisterOp::Cas { from, to } => (from == state, Some(to)),
                };
                let rest = [&left[..i], &left[i + 1..]].concat();
                legal && rest.iter().all(|other| other.done >= next.sent) && from(then, &rest)
            })
    }
    from(None, calls)
}

/// The result of [`judge`], after its window was compared with the definition.
fn judged(calls: &[Call]) -> bool {
    let Judged { order, unwritten } = judge(calls, &mut STEPS.clone());
    if let Order::Impossible(window) = &order {
        assert!(!ordered(window), "the window has an order: {window:?}");
        let missing = window.iter().find(|call| !calls.contains(call));
        assert!(missing.is_none() || !unwritten.is_empty(), "{missing:?} is made up");
    }
    assert_ne!(order, Order::Undecided);
    order == Order::Exists && unwritten.is_empty()
}

/// What is done to a register: kind, value, expected value, instant of sending, of the effect
/// and of the answer (each after the one before), and luck.
type Row = (u8, u64, u64, u64, u64, u64, u8);

fn rows(values: u64, span: u64, count: usize) -> impl Strategy<Value = Vec<Row>> {
    let row = (0..5u8, 1..=values, 0..=values, 0..span, 0..8u64, 0..8u64, 0..6u8);
    prop::collection::vec(row, 1..count)
}

/// Arbitrary answers.
fn anything(rows: &[Row], unique: bool) -> Vec<Call> {
    let call = |(i, row): (usize, &Row)| {
        let (kind, value, other, sent, before, after, luck) = *row;
        let own = if unique { i as u64 + 1 } else { value };
        let done = sent + before + after;
        let call = match kind {
            0 | 1 => return read(other, sent, done),
            2 | 3 => write(own, sent, done),
            _ => cas(other, own, sent, done),
        };
        if luck == 0 { unanswered(call) } else { call }
    };
    rows.iter().enumerate().map(call).collect()
}

/// The answers of a register that does each thing at one instant. A call without an answer was
/// done at its instant, long after it, or never.
fn right(rows: &[Row], unique: bool) -> Vec<Call> {
    let mut rows: Vec<(u64, usize, &Row)> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| (row.3 + row.4 + if row.6 == 0 { 30 * row.5 } else { 0 }, i, row))
        .collect();
    rows.sort();
    let (mut state, mut calls) = (0, Vec::new());
    for (at, i, &(kind, value, other, sent, _, after, luck)) in rows {
        let own = if unique { i as u64 + 1 } else { value };
        let done = if luck < 2 { NEVER.0 } else { at + after };
        let call = match kind {
            0 | 1 => {
                calls.push(read(state, sent, at + after));
                continue;
            }
            2 | 3 => write(own, sent, done),
            _ if state == other || other.is_multiple_of(2) => cas(state, own, sent, done),
            _ => continue,
        };
        calls.push(call);
        if luck != 1 {
            state = own;
        }
    }
    calls
}

/// Changes the answer, the effect or the time of one call of a history.
fn changed(mut calls: Vec<Call>, which: usize, value: u64, shift: u64) -> Vec<Call> {
    let count = calls.len();
    if let Some(call) = calls.get_mut(which % count.max(1)) {
        let movable = call.is_answered() && shift.is_multiple_of(2);
        match &mut call.act {
            RegisterOp::Read(found) | RegisterOp::Cas { from: found, .. }
                if !shift.is_multiple_of(3) =>
            {
                *found = (value > 0).then_some(value);
            }
            _ if movable => {
                let took = call.done.0 - call.sent.0;
                call.sent = Nanos(shift);
                call.done = Nanos(shift + took);
            }
            _ => call.done = NEVER,
        }
        calls.retain(|call| call.is_answered() || !matches!(call.act, RegisterOp::Read(_)));
    }
    calls
}

/// Two states of a search that differ only in how far its window reaches.
#[test]
fn where_a_search_has_been_is_not_mistaken() {
    let calls = [
        write(5, 0, 0),
        cas(4, 1, 31, 38),
        cas(5, 4, 32, 39),
        write(4, 34, 34),
        read(5, 38, 69),
        unanswered(write(5, 60, 60)),
    ];
    assert_eq!(judge(&calls, &mut STEPS.clone()).order, Order::Exists);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 3000 } else { 100_000 }))]

    #[test]
    fn unique_values_are_judged_as_by_trying(rows in rows(6, 30, 8)) {
        let calls = anything(&rows, true);
        prop_assert_eq!(judged(&calls), ordered(&calls));
    }

    #[test]
    fn repeated_values_are_judged_as_by_trying(rows in rows(3, 30, 8)) {
        let calls = anything(&rows, false);
        prop_assert_eq!(judged(&calls), ordered(&calls));
    }

    /// Most changes make a history wrong, and some do not.
    #[test]
    fn a_changed_operation_is_found_where_it_matters(
        rows in rows(3, 30, 9), unique: bool, which: usize, value in 0..9u64, shift in 0..60u64
    ) {
        let calls = changed(right(&rows, unique), which, value, shift);
        prop_assert_eq!(judged(&calls), ordered(&calls));
    }

    /// Far longer than can be tried. Where values repeat, the search may give up.
    #[test]
    fn a_right_register_is_never_accused(rows in rows(5, 200, 120)) {
        prop_assert!(judged(&right(&rows, true)));
        let Judged { order, unwritten } = judge(&right(&rows, false), &mut 1_000);
        prop_assert!(!matches!(order, Order::Impossible(_)) && unwritten.is_empty());
    }

    /// Uses the search although it is not needed.
    #[test]
    fn both_ways_agree(rows in rows(6, 60, 24), which: usize, value in 0..24u64, shift in 0..60u64) {
        for calls in [anything(&rows, true), changed(right(&rows, true), which, value, shift)] {
            let (calls, _) = explained(&calls);
            let searched = search::search(&calls, &mut STEPS.clone());
            let sorted = zones::conflict(&calls, &Writers::of(&calls)).is_none();
            prop_assert_eq!(searched == Found::Order, sorted);
            prop_assert!(searched != Found::Nothing);
        }
    }
}

/// The window of calls that have no order.
fn window(calls: &[Call]) -> Vec<Call> {
    assert!(!judged(calls));
    match judge(calls, &mut STEPS.clone()).order {
        Order::Impossible(window) => window,
        order => panic!("{order:?}"),
    }
}

#[test]
fn a_stale_read() {
    let proof = [write(1, 0, 10), write(2, 20, 30), read(1, 40, 50)];
    let others = [write(7, 60, 70), read(7, 80, 90), read(2, 32, 60)];
    assert_eq!(window(&[&others[..], &proof[..]].concat()), proof);
    let in_time = [write(1, 0, 10), write(2, 20, 40), read(1, 40, 50)];
    assert!(judged(&in_time), "sent in the very nanosecond in which the other was done");
}

/// Both found the first value, and one of the two changes is gone.
#[test]
fn a_lost_update() {
    let both = [write(1, 0, 10), cas(1, 2, 20, 40), cas(1, 3, 21, 39)];
    assert_eq!(window(&[&both[..], &[read(3, 50, 60)]].concat()), both);
    assert!(judged(&[both[0], both[1], unanswered(both[2])]), "it need not have been done");
    let seen = [both[0], both[1], unanswered(both[2]), read(3, 50, 60)];
    assert_eq!(window(&seen).len(), 4, "it was");
    assert!(judged(&[both[0], cas(1, 2, 20, 40), cas(2, 3, 21, 39)]));
}

/// Each side of a cut accepts its own writes and returns them.
#[test]
fn a_split_brain_pair() {
    let sides = [
        [write(1, 0, 10), read(1, 40, 50), read(1, 80, 90)],
        [write(2, 5, 12), read(2, 20, 30), read(2, 60, 70)],
    ];
    let window = window(&sides.concat());
    assert_eq!(window.len(), 4, "each is read after the other was done: {window:?}");
    assert!(judged(&[&sides[0][..2], &sides[1][..1]].concat()), "the first write may be later");
    assert!(judged(&[&sides[0][..1], &sides[1][..2]].concat()), "and so may the second");
}

#[test]
fn what_was_seen_of_a_write_without_an_answer_stays_seen() {
    let late = unanswered(write(2, 20, 0));
    assert!(judged(&[write(1, 0, 10), late, read(1, 900, 910)]), "not done yet, or never");
    assert!(judged(&[write(1, 0, 10), late, read(1, 900, 910), read(2, 920, 930)]), "done late");
    let back = [write(1, 0, 10), late, read(2, 900, 910), read(1, 920, 930)];
    assert_eq!(window(&back).len(), 4);
}

#[test]
fn the_beginning_is_a_value_like_others() {
    assert!(judged(&[read(0, 0, 5), write(1, 3, 8), read(1, 9, 10), cas(1, 2, 11, 12)]));
    assert!(judged(&[cas(0, 1, 3, 8), read(0, 0, 5)]));
    assert_eq!(window(&[write(1, 0, 5), read(1, 6, 8), read(0, 7, 9)]).len(), 2);
    assert_eq!(window(&[cas(0, 1, 0, 5), cas(0, 2, 4, 9)]).len(), 2, "a lock taken twice");
}

#[test]
fn a_value_that_nobody_wrote_is_told_apart() {
    let calls = [write(1, 0, 10), read(9, 20, 30), read(1, 40, 50)];
    let judged = judge(&calls, &mut STEPS.clone());
    assert_eq!((judged.order, judged.unwritten), (Order::Exists, vec![calls[1]]));
}

/// One after the other, many at once, all before any answer, and without any answer.
#[test]
fn right_histories_of_every_shape_pass() {
    let in_turn: Vec<Call> = (1..500).map(|i| write(i, 10 * i, 10 * i + 5)).collect();
    let all_at_once: Vec<Call> = (1..500).map(|i| write(i, 0, 1000 + i)).collect();
    let chain: Vec<Call> = (1..500).map(|i| cas(i - 1, i, i / 20, i / 20 + 3)).collect();
    let lost: Vec<Call> = (1..500).map(|i| unanswered(write(i, i, 0))).collect();
    let same: Vec<Call> = (0..500).map(|i| write(1 + i % 3, i, i + 20)).collect();
    for calls in [in_turn, all_at_once, chain, lost, same, Vec::new()] {
        assert!(judged(&calls), "{:?} …", calls.first());
    }
}

/// The search says so and does not guess.
#[test]
fn a_search_that_runs_out_of_steps_is_undecided() {
    let writes = (0..30).map(|i| write(1 + i % 4, i, 1000));
    let reads = (1..=4).map(|i| read(i, 1001, 2000));
    let calls: Vec<Call> = writes.chain(reads).collect();
    assert_eq!(judge(&calls, &mut 5).order, Order::Undecided);
    assert!(matches!(judge(&calls, &mut STEPS.clone()).order, Order::Impossible(_)));
}

/// Whatever else is in flight, and however few steps there are.
#[test]
fn what_came_back_is_found_without_a_search() {
    let window = |mut calls: Vec<Call>, few: &[Call]| {
        calls.extend((0..200).map(|i| unanswered(write(1 + i % 3, i, 0))));
        calls.extend(few);
        match judge(&calls, &mut 0).order {
            Order::Impossible(window) => assert_eq!(window, few),
            order => panic!("{order:?}"),
        }
    };
    let twice = [write(8, 300, 305), write(8, 310, 320)];
    let stale = [write(8, 310, 320), write(9, 330, 340), read(8, 350, 360)];
    window(vec![twice[0]], &stale);
    // The write was never answered, but its value had been read before the next was sent.
    let own =
        [unanswered(write(8, 310, 0)), read(8, 315, 320), write(9, 330, 340), read(8, 350, 360)];
    window(Vec::new(), &own);
    let back =
        [write(8, 310, 320), unanswered(write(9, 330, 0)), read(9, 335, 340), read(8, 350, 360)];
    window(Vec::new(), &back);
    let gone = [write(9, 330, 340), read(0, 350, 360)];
    let judged = judge(&[&twice[..], &gone[..]].concat(), &mut 0).order;
    assert!(matches!(judged, Order::Impossible(few) if few.len() == 2));
    let late = [twice[0], write(8, 310, 335), write(9, 330, 340), read(8, 350, 360)];
    assert_eq!(judge(&late, &mut STEPS.clone()).order, Order::Exists, "the second may be later");
}

/// 10,000 writes without an answer, of a few values and of many, beside 2,000 that are answered.
#[test]
fn many_unknown_outcomes_do_not_use_up_the_steps() {
    for values in [5, 3_000] {
        let value = |i: u64| 1 + i.wrapping_mul(0x9E37_79B9) % values;
        let mut calls = Vec::new();
        for i in 0..2_000 {
            let at = 100 * i;
            calls.extend((0..5).map(|j| unanswered(write(value(5 * i + j), at + j, 0))));
            calls.push(write(value(7 * i), at + 10, at + 40));
            calls.push(cas(value(7 * i), value(3 * i), at + 45, at + 60));
            // Of one of those that were never answered: it has taken effect late.
            calls.push(read(value(2 * i), at + 65, at + 90));
        }
        assert_eq!(judge(&calls, &mut 40_000).order, Order::Exists, "{values} values");
        // Nobody has written this after it was over.
        calls.extend([write(9_000, 1, 2), write(9_000, 3, 4), read(9_000, 199_990, 199_999)]);
        assert!(matches!(judge(&calls, &mut 40_000).order, Order::Impossible(_)), "{values}");
    }
}
