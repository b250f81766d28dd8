//! The known violations, one by one; and the well-known histories that have none.

mod brute;
mod plain;

use crate::check::tests::op;
use crate::check::{Checker, Context, Example, Finding, Link, ProofAction};
use crate::model::op::{Action, Cause, Op, Outcome, Purpose, RegisterOp};
use crate::model::{Nanos, Verdict};

use super::*;

/// The operation of a process, at an instant that no other has.
fn act(process: u32, key: u64, act: RegisterOp, at: u64) -> Op {
    let op = op(Action::Register(act), key, at * 10, at * 10 + 5, Outcome::Ok);
    Op { process, ..op }
}

/// A history in lines such as `1 w0=5` (process 1 writes 5 to key 0), `2 r0=5` (process 2 reads
/// it), `2 r0=` (it finds no key) and `2 c0=5>6` (it changes 5 to 6).
fn history(lines: &[&str]) -> Vec<Op> {
    (1..).zip(lines).map(|(at, line)| parsed(line, at)).collect()
}

fn parsed(line: &str, at: u64) -> Op {
    let (process, what) = line.split_once(' ').unwrap();
    let (verb, rest) = what.split_at(1);
    let (key, value) = rest.split_once('=').unwrap();
    let number = |text: &str| text.parse().unwrap();
    let action = match verb {
        "w" => RegisterOp::Write(number(value)),
        "r" => RegisterOp::Read(value.parse().ok()),
        _ => {
            let (from, to) = value.split_once('>').unwrap();
            RegisterOp::Cas { from: from.parse().ok(), to: number(to) }
        }
    };
    act(number(process) as u32, number(key), action, at)
}

fn fill(key: u64, value: u64) -> Op {
    Op { purpose: Purpose::Fill, ..act(0, key, RegisterOp::Write(value), 0) }
}

fn unknown(op: Op) -> Op {
    Op { outcome: Outcome::Unknown(Cause::Timeout), ..op }
}

fn context() -> Context {
    Context { whole: true, many_writers: true, ..Context::default() }
}

/// What is said of causal consistency, and of convergence.
fn findings(ops: &[Op]) -> [Finding; 2] {
    let found = Causality.check(&ops, &context()).unwrap().findings.try_into().unwrap();
    let [violations, diverged]: &[Finding; 2] = &found;
    assert_eq!((&*violations.kind, &*diverged.kind), ("causality", "convergence"));
    let examples = violations.examples.iter().chain(&diverged.examples);
    examples.for_each(proves);
    found
}

/// How many violations there are, and how many groups diverge.
fn counts(ops: &[Op]) -> (u64, u64) {
    let [violations, diverged] = findings(ops);
    for finding in [&violations, &diverged] {
        let verdict = if finding.count > 0 { Verdict::Fail } else { Verdict::Pass };
        assert_eq!(finding.verdict, verdict, "{}", finding.text);
    }
    (violations.count, diverged.count)
}

fn said(lines: &[&str]) -> (u64, u64) {
    counts(&history(lines))
}

/// Whether each link of the circle is one, and the last one closes it.
fn proves(example: &Example) {
    let window = &example.window;
    for (i, proof) in window.iter().enumerate() {
        let next = &window[(i + 1) % window.len()];
        let Some(link) = proof.link else {
            assert_eq!(window.len(), 1, "{example:?}");
            return;
        };
        let found = match proof.action {
            ProofAction::Read => Some(proof.value),
            ProofAction::Cas => Some(proof.expected),
            ProofAction::Write | ProofAction::Held => None,
        };
        let next_found = match next.action {
            ProofAction::Read => Some(next.value),
            ProofAction::Cas => Some(next.expected),
            ProofAction::Write | ProofAction::Held => None,
        };
        let other_write = |key: Option<u64>, value: Option<u64>| {
            let before = window[..i].iter().rev();
            let mut before = before.take_while(|p| !matches!(p.link, Some(Link::Found)));
            let is_write = |p: &crate::check::Proof| p.action != ProofAction::Read;
            before.any(|p| is_write(p) && p.key == key && p.value != value)
        };
        let holds = match link {
            Link::Process => {
                proof.process == next.process
                    && (proof.sent_ms < next.sent_ms || i + 1 == window.len())
            }
            Link::Read => {
                proof.action != ProofAction::Read
                    && proof.key == next.key
                    && next_found == Some(proof.value)
            }
            Link::Filled => i <= 1 && proof.action == ProofAction::Write,
            Link::Found => {
                proof.key == next.key
                    && next.action != ProofAction::Read
                    && found == Some(next.value)
                    && other_write(proof.key, next.value)
            }
            Link::FoundNothing => {
                let filled = window[0].link == Some(Link::Filled) && window[0].key == proof.key;
                found == Some(None) && (filled || other_write(proof.key, None))
            }
        };
        assert!(holds, "{link:?} does not hold at {i}: {}\n{window:#?}", example.text);
    }
}

#[test]
fn what_nobody_wrote_is_no_ones_past() {
    assert_eq!(said(&["1 w0=1", "2 r0=7"]), (1, 0));
    let refused = Op { outcome: Outcome::Fail(Cause::Refused), ..parsed("1 w0=7", 1) };
    assert_eq!(counts(&[refused, parsed("2 r0=7", 2)]), (1, 0), "it was refused");
    // In a part of a history the write may be missing.
    let ops = history(&["1 w0=1", "2 r0=7"]);
    let part = Context { whole: false, ..context() };
    let found = Causality.check(&&ops[..], &part).unwrap();
    assert_eq!(found.findings[0].verdict, Verdict::Unknown);
    assert!(found.measures.is_empty(), "{:?}", found.measures);
}

#[test]
fn operations_cannot_come_before_themselves() {
    let [violations, _] = findings(&history(&["1 r0=1", "1 w1=2", "2 r1=2", "2 w0=1"]));
    assert_eq!(violations.count, 1);
    assert_eq!(violations.examples[0].window.len(), 4, "{violations:?}");
    assert_eq!(said(&["1 c0=5>5"]), (1, 0), "it found what it wrote itself");
    // What follows a circle is judged as well: the second read misses what the first one found.
    let lines = ["1 r0=1", "1 w0=1", "2 w1=2", "2 w1=3", "3 r1=3", "3 r1=2"];
    assert_eq!(said(&lines), (2, 0));
}

#[test]
fn a_read_of_what_was_known_to_be_overwritten() {
    // Directly, in one session.
    assert_eq!(said(&["1 w0=1", "1 w0=2", "1 r0=1"]), (1, 0));
    // Over a second process and a second key.
    let lines = ["1 w0=1", "1 w0=2", "1 w1=3", "2 r1=3", "2 r0=1"];
    let [violations, diverged] = findings(&history(&lines));
    assert_eq!((violations.count, diverged.count), (1, 0));
    let window = &violations.examples[0].window;
    let links: Vec<Link> = window.iter().filter_map(|proof| proof.link).collect();
    let expected = [Link::Process, Link::Process, Link::Read, Link::Process, Link::Found];
    assert_eq!(links, expected, "{window:?}");
    // A compare-and-set is a read, too.
    assert_eq!(said(&["1 w0=1", "1 w0=2", "1 c0=1>3"]), (1, 0));
    // Each read counts once, whatever it knew.
    let lines = ["1 w0=1", "1 w0=2", "1 w0=3", "2 r0=3", "2 r0=1", "2 r0=1"];
    assert_eq!(said(&lines), (2, 0));
}

/// The slot in the clocks is kept while any write of the session is asked for, and not only as
/// long as the first one.
#[test]
fn what_a_session_wrote_later_is_asked_for_longer() {
    let begin = ["9 w0=1", "9 w1=11", "9 w4=21", "1 w1=12", "8 r1=11", "1 r0=1", "1 w0=2"];
    let end = ["1 w3=5", "2 w4=22", "7 r4=21", "3 r3=5", "3 r0=1"];
    assert_eq!(said(&[&begin[..], &end].concat()), (1, 0));
}

#[test]
fn a_read_of_nothing_after_a_write_that_was_known() {
    assert_eq!(said(&["1 w0=1", "1 r0="]), (1, 0));
    let lines = ["1 w0=1", "1 w1=2", "2 r1=2", "2 r0="];
    let [violations, _] = findings(&history(&lines));
    assert_eq!(violations.count, 1);
    assert_eq!(violations.examples[0].window.len(), 4, "{violations:?}");
    assert_eq!(said(&["1 w0=1", "2 r0="]), (0, 0), "it had not come yet");
}

#[test]
fn what_filled_the_keys_comes_before_everything() {
    let with_fill = |lines: &[&str]| {
        let mut ops = history(lines);
        ops.push(fill(0, 100));
        counts(&ops)
    };
    assert_eq!(with_fill(&["1 r0=100"]), (0, 0));
    assert_eq!(with_fill(&["1 r0="]), (1, 0), "it was filled");
    assert_eq!(with_fill(&["1 w0=1", "2 r0=1", "2 r0=100"]), (1, 0));
    assert_eq!(with_fill(&["1 w0=1", "2 r0=100", "2 r0=1"]), (0, 0));
    let twice = [fill(0, 100), Op { sent: Nanos(1), ..fill(0, 101) }, parsed("1 r0=100", 2)];
    assert_eq!(counts(&twice), (1, 0), "the second one filled it");
}

#[test]
fn two_regions_that_see_two_writes_in_different_orders() {
    let lines = ["1 w0=1", "2 w0=2", "3 r0=1", "3 r0=2", "4 r0=2", "4 r0=1"];
    let [violations, diverged] = findings(&history(&lines));
    assert_eq!((violations.count, violations.verdict), (0, Verdict::Pass), "causal it is");
    assert_eq!((diverged.count, diverged.verdict), (1, Verdict::Fail), "{}", diverged.text);
    assert_eq!(diverged.examples[0].window.len(), 6, "{diverged:?}");
    // Without the second reader nobody contradicts.
    assert_eq!(said(&lines[..4]), (0, 0));
    // Over two keys: no reader contradicts another one about one of them.
    let lines = ["1 w0=1", "2 w1=2", "1 w1=3", "2 w0=4", "1 r1=2", "2 r0=1"];
    assert_eq!(said(&lines), (0, 1));
}

#[test]
fn what_is_causal_although_it_has_no_single_order() {
    // Both miss the other's write: neither sequential nor linearizable.
    assert_eq!(said(&["1 w0=1", "1 r1=", "2 w1=2", "2 r0="]), (0, 0));
    // Late reads, in the order of writing.
    assert_eq!(said(&["1 w0=1", "1 w0=2", "2 r0=", "2 r0=1", "2 r0=2"]), (0, 0));
    // Each keeps its own write, and never hears of the other's.
    assert_eq!(said(&["1 w0=1", "2 w0=2", "1 r0=1", "2 r0=2", "1 r0=1"]), (0, 0));
    // Two compare-and-sets at once in two regions both found the same.
    assert_eq!(said(&["1 w0=1", "2 r0=1", "1 c0=1>2", "2 c0=1>3", "1 r0=3"]), (0, 0));
}

#[test]
fn a_write_of_unknown_outcome() {
    let ops = |lines: &[&str]| {
        let mut ops = history(lines);
        ops[1] = unknown(ops[1].clone());
        ops
    };
    // It happened, because it was read; and then the session had come that far.
    let lines = ["1 w0=1", "1 w1=2", "2 r1=2", "2 r0="];
    assert_eq!(counts(&ops(&lines)), (1, 0));
    // Nobody read it, so perhaps it never happened.
    assert_eq!(counts(&ops(&["1 w0=1", "1 w0=2", "2 r0=1"])), (0, 0));
    // It may have happened long after: what has the same number does not come after it.
    assert_eq!(counts(&ops(&["1 w0=1", "1 w0=2", "1 r0=1", "2 r0=2", "1 r0=1"])), (0, 0));
    // A compare-and-set that was found has found what it changed.
    let lines = ["1 w0=1", "1 c0=2>3", "2 r0=3", "3 w0=2", "3 w0=4", "3 w1=5", "2 r1=5", "2 r0=2"];
    assert_eq!(counts(&ops(&lines)), (1, 0));
}

#[test]
fn what_is_not_judged() {
    let ops = history(&["1 w0=1", "1 r0="]);
    let found = Causality.check(&&ops[..], &Context::default()).unwrap();
    assert!(found.findings.is_empty() && found.measures.is_empty(), "one group takes writes");
    // Final reads belong to no session.
    let last = |op: Op| Op { purpose: Purpose::Final, ..op };
    assert_eq!(counts(&[ops[0].clone(), last(ops[1].clone())]), (0, 0));
    // Processes of loads without common keys may have one number.
    let other = |op: Op| Op { load: 1, ..op };
    let lines = history(&["1 w0=1", "1 w1=2", "2 r1=2", "2 r0="]);
    assert_eq!(counts(&lines), (1, 0));
    let apart: Vec<Op> = lines
        .iter()
        .cloned()
        .enumerate()
        .map(|(i, op)| if i < 2 { op } else { other(op) })
        .collect();
    assert_eq!(counts(&apart).0, 1, "only what nobody wrote in that load");
    let shared: Vec<Op> = apart.into_iter().map(|op| Op { shares: Some(0), ..op }).collect();
    assert_eq!(counts(&shared), (1, 0));
    // Values that were written twice show nothing.
    let [violations, diverged] = findings(&history(&["1 w0=1", "2 w0=1", "1 w0=2", "1 r0=1"]));
    assert_eq!([violations.verdict, diverged.verdict], [Verdict::Unknown; 2]);
    let [violations, _] = findings(&history(&["1 w0=1", "2 w0=1", "1 r0=1", "1 r0="]));
    assert_eq!((violations.verdict, violations.count), (Verdict::Fail, 1), "{violations:?}");
}
