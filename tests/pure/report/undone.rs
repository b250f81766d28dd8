//! What steps left is undone when the load has ended, and the final state is read when nodes
//! are back.

use redrill::model::Verdict;
use redrill::model::event::*;
use redrill::report::{self, Report};

use super::tiny::*;

/// The tiny drill with something left to undo when its load ends, at 8,000 ms. Nodes agree since
/// then, or not, and `how` they differ.
fn undone(agreed: Option<u64>, how: &[&str]) -> Report {
    let mut events = events();
    let verify = events.iter().position(|event| event.at == at(8_000)).unwrap();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.expect.clear();
    info.reported = ["writes.lost", "keys.not_linearizable"].map(str::to_owned).to_vec();
    let told = |ms, kind| Event { at: at(ms), kind };
    let disagreed = EventKind::Disagreed {
        group: "cache".to_owned(),
        how: how.iter().map(|how| (*how).to_owned()).collect(),
        agreed: Some(at(8_000)),
    };
    let returned = EventKind::Returned { undone: at(8_040), since: agreed.map(at) };
    let mut more = vec![
        told(8_000, EventKind::Phase { phase: Phase::Undo }),
        told(8_020, EventKind::StepUndone { step: 0, nodes: vec![] }),
        told(8_070, disagreed),
        told(8_070, returned),
        told(8_090, EventKind::Phase { phase: Phase::Verify }),
    ];
    more.retain(|event| !how.is_empty() || !matches!(event.kind, EventKind::Disagreed { .. }));
    events.splice(verify..=verify, more);
    build(&events, &history())
}

fn words(r: &Report) -> String {
    let text = report::text::summary(r, 100, false);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn lost_writes_say_when_the_final_state_was_read() {
    let r = undone(Some(8_050), &[]);
    assert_eq!((r.verdict, r.timeline_end_ms), (Verdict::Pass, Some(8_000.0)), "{:?}", r.why);
    let read = r.final_read.unwrap();
    assert_eq!(
        (read.at_ms, read.undone_ms, read.agreed_ms),
        (8_090.0, Some(8_040.0), Some(8_050.0))
    );
    let told = "read 50.0 ms after all was undone, when all nodes agreed";
    assert!(words(&r).contains(told), "{}", words(&r));
    let nothing = build(&events(), &history());
    assert_eq!(nothing.final_read.unwrap().undone_ms, None);
    assert!(!words(&nothing).contains("after all was undone"));
}

#[test]
fn nodes_that_do_not_come_to_rest_fail_the_drill() {
    let r = undone(None, &["cache/0/0 has not come back"]);
    assert_eq!(r.verdict, Verdict::Fail);
    let why = "`cache` did not converge after what steps left had been undone: cache/0/0 has not \
               come back";
    assert_eq!(r.why, [why]);
    assert!(
        words(&r).contains("after all was undone, though nodes did not agree"),
        "{}",
        words(&r)
    );
}
