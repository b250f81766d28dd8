//! Both guarantees compared with their definitions, written a second time.

use proptest::prelude::*;

use super::*;
use crate::check::linear::{Order, judge};

/// Whether an operation on the version that `b` saw had ended before `from`.
fn precedes(calls: &[Call], b: Option<u64>, from: Nanos) -> bool {
    let writers = |value| calls.iter().filter(move |call| call.written() == Some(value));
    let Some(b) = b else { return true };
    let sane = |call: &&Call| writers(b).all(|writer| writer.sent <= call.done);
    let on_it = calls.iter().filter(|c| c.written() == Some(b) || c.found() == Some(Some(b)));
    writers(b).count() == 1 && on_it.filter(sane).any(|call| call.done < from)
}

/// When the first write of a value was sent that `read` found, if anybody wrote it.
fn sent(calls: &[Call], read: &Call) -> Option<Nanos> {
    let RegisterOp::Read(Some(value)) = read.act else { return None };
    calls.iter().filter(|call| call.written() == Some(value)).map(|call| call.sent).min()
}

fn counted(calls: &[Call]) -> (u64, u64) {
    let (mut missed, mut back) = (0, 0);
    for read in calls {
        let RegisterOp::Read(found) = read.act else { continue };
        let before = |c: &&Call| c.process == read.process && c.done <= read.sent && *c != read;
        let mut own = calls.iter().filter(before).filter(|call| call.written().is_some());
        missed += u64::from(own.any(|own| precedes(calls, found, own.sent)));
        let mut seen = calls.iter().filter(before).filter_map(|call| sent(calls, call));
        back += u64::from(seen.any(|seen| precedes(calls, found, seen)));
    }
    (missed, back)
}

fn judged(calls: &[Call]) -> (u64, u64) {
    let mut sessions = Sessions::default();
    sessions.judge(0, 0, &mut calls.to_vec());
    (sessions.own_missed, sessions.not_monotonic)
}

/// Three processes that do one call after another. A process without an answer does no more.
fn histories() -> impl Strategy<Value = Vec<Call>> {
    let row = (0..5u8, 0..6u64, 0..6u64, 1..8u64, 1..8u64);
    prop::collection::vec((0..3u32, row), 1..24).prop_map(|rows| {
        let (mut calls, mut clocks) = (Vec::new(), [Some(0); 3]);
        for (process, (kind, value, other, pause, took)) in rows {
            let Some(clock) = clocks[process as usize] else { continue };
            let (sent, found) = (clock + pause, (other > 0).then_some(other));
            let act = match kind {
                0..3 => RegisterOp::Read(found),
                3 => RegisterOp::Write(value + 1),
                _ => RegisterOp::Cas { from: found, to: value + 1 },
            };
            let lost = took == 1 && kind >= 3;
            clocks[process as usize] = (!lost).then_some(sent + took);
            let done = if lost { NEVER } else { Nanos(sent + took) };
            calls.push(Call { process, act, sent: Nanos(sent), done });
        }
        calls
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn they_are_those_of_the_definition(calls in histories()) {
        prop_assert_eq!(judged(&calls), counted(&calls));
    }

    /// A register with an order of all operations keeps both guarantees.
    #[test]
    fn a_linearizable_register_keeps_both(calls in histories()) {
        let verdict = judge(&calls, &mut 10_000);
        if verdict.order == Order::Exists && verdict.unwritten.is_empty() {
            prop_assert_eq!(judged(&calls), (0, 0));
        }
    }
}

fn call(process: u32, act: RegisterOp, sent: u64) -> Call {
    Call { process, act, sent: Nanos(sent), done: Nanos(sent + 5) }
}

#[test]
fn a_client_that_misses_its_own_write() {
    let calls = |reader, sent| {
        let old = [call(0, RegisterOp::Write(1), 0), call(1, RegisterOp::Write(2), 10)];
        [&old[..], &[call(reader, RegisterOp::Read(Some(1)), sent)]].concat()
    };
    assert_eq!(judged(&calls(1, 20)), (1, 0));
    assert_eq!(judged(&calls(2, 20)), (0, 0), "it is stale, but to a client that wrote nothing");
    let gone = [call(0, RegisterOp::Write(1), 0), call(0, RegisterOp::Read(None), 10)];
    assert_eq!(judged(&gone), (1, 0));
}

#[test]
fn a_client_that_goes_back_in_time() {
    let mut calls = vec![
        call(0, RegisterOp::Write(1), 0),
        call(1, RegisterOp::Write(2), 10),
        call(2, RegisterOp::Read(Some(2)), 12),
        call(2, RegisterOp::Read(Some(1)), 20),
    ];
    assert_eq!(judged(&calls), (0, 1));
    calls[3].process = 3;
    assert_eq!(judged(&calls), (0, 0));
    calls[3].process = 2;
    calls[1].sent = Nanos(5);
    assert_eq!(judged(&calls), (0, 0), "the writes overlap: nobody knows which came last");
}
