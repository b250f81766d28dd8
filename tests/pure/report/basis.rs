//! Without what a verdict rests on, no drill passes.

use std::fs;

use redrill::model::event::*;
use redrill::model::op::{Action, Cause, Op, Outcome, Purpose, RegisterOp};
use redrill::model::{NodeName, Verdict};
use redrill::report::{self, Report};

use super::tiny::{self, at};

/// The tiny drill without expectations, and with a sample that counts its operations.
fn events() -> Vec<Event> {
    let mut events = tiny::events();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.expect = Vec::new();
    info.reported = vec!["writes.lost".to_owned(), "keys.not_linearizable".to_owned()];
    let sample = Sample { from: at(1_000), ok: 68, fail: 1, unknown: 1, ..Sample::default() };
    let end = events.len() - 1;
    events.insert(end, Event { at: at(8_450), kind: EventKind::Sample(sample) });
    events
}

fn assert_unknown(r: &Report, why: &str) {
    assert_eq!(r.verdict, Verdict::Unknown, "{:?}", r.why);
    assert!(r.why.iter().any(|told| told.contains(why)), "{why}: {:?}", r.why);
}

#[test]
fn a_drill_passes_with_its_whole_history_alone() {
    let (events, history) = (events(), tiny::history());
    assert_eq!(tiny::build(&events, &history).verdict, Verdict::Pass);
    let dir = tempfile::tempdir().unwrap();
    tiny::write(dir.path(), &events, &history);
    let path = dir.path().join("history.jsonl.zst");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_unknown(&report::build(dir.path()).unwrap(), "breaks off");
    fs::write(&path, "").unwrap();
    assert_unknown(&report::build(dir.path()).unwrap(), "breaks off");
    // Whole lines are missing, as after a frame's end.
    tiny::write(dir.path(), &events, &history[..40]);
    assert_unknown(&report::build(dir.path()).unwrap(), "has 40 of the 70 operations");
    fs::remove_file(&path).unwrap();
    assert_unknown(&report::build(dir.path()).unwrap(), "history.jsonl.zst is missing");
}

#[test]
fn a_load_without_a_good_answer_never_passes() {
    let mut history = tiny::history();
    history.retain(|op| op.purpose == Purpose::Load);
    let outcome = |op: &mut Op, outcome| op.outcome = outcome;
    history.iter_mut().for_each(|op| outcome(op, Outcome::Fail(Cause::ClusterDown)));
    assert_unknown(&tiny::build(&events(), &history), "none of 70 operations of load `app`");
    history.iter_mut().for_each(|op| outcome(op, Outcome::Fail(Cause::Shed)));
    assert_unknown(&tiny::build(&events(), &history), "no operation of load `app` was sent");
    history.iter_mut().for_each(|op| op.load = 1);
    assert_unknown(&tiny::build(&events(), &history), "of different drills");
}

#[test]
fn probes_that_were_never_answered_are_no_pass() {
    let mut events = events();
    for event in &mut events {
        if let EventKind::Probes { sent, failed, .. } = &mut event.kind {
            *failed = *sent;
        }
    }
    assert_unknown(&tiny::build(&events, &tiny::history()), "probes was answered");
}

/// What is wrong for certain stays wrong.
#[test]
fn a_failure_that_needs_no_history_is_still_one() {
    let mut events = events();
    let (node, log) = (NodeName::new("cache", 0, 0), Vec::new());
    let crashed = EventKind::Crashed { node, status: "exit code 1".to_owned(), log };
    events.insert(20, Event { at: at(5_000), kind: crashed });
    let dir = tempfile::tempdir().unwrap();
    tiny::write(dir.path(), &events, &tiny::history());
    fs::remove_file(dir.path().join("history.jsonl.zst")).unwrap();
    assert_eq!(report::build(dir.path()).unwrap().verdict, Verdict::Fail);
}

/// Keys that differ and writes that are lost may be the doing of the replicator that is gone. A crash
/// of a server is not.
#[test]
fn a_loss_of_redrills_own_blames_no_server() {
    let mut events = events();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.reported = Vec::new();
    info.expect = vec![tiny::expect("downtime.write.max", Compare::AtMost, 1.0)];
    let mut history = tiny::history();
    let is_last = |op: &Op| op.purpose == Purpose::Final && op.key == 7;
    let lost = history.iter_mut().find(|op| is_last(op)).unwrap();
    lost.action = Action::Register(RegisterOp::Read(None));
    assert_eq!(tiny::build(&events, &history).verdict, Verdict::Fail);
    let what = "redrill's own replicator us>eu/0 ended (signal: 9 (SIGKILL))".to_owned();
    events.insert(20, Event { at: at(3_500), kind: EventKind::OwnLost { what } });
    let r = tiny::build(&events, &history);
    assert_unknown(&r, "us>eu/0 ended (signal: 9 (SIGKILL)), 2.5 s into the load");
    assert!(r.expectations.iter().all(|e| e.verdict == Verdict::Unknown), "{:?}", r.why);
    assert!(r.findings.iter().all(|one| one.verdict != Verdict::Fail), "{:?}", r.findings);
    let (node, log) = (NodeName::new("cache", 0, 0), Vec::new());
    let crashed = EventKind::Crashed { node, status: "exit code 1".to_owned(), log };
    events.insert(20, Event { at: at(5_000), kind: crashed });
    assert_eq!(tiny::build(&events, &history).verdict, Verdict::Fail);
}
