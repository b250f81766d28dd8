//! Verdicts on the tiny drill: what is held against the servers, and what is not.

use std::time::Duration;

use redrill::model::event::*;
use redrill::model::op::{Access, Action, Cause, CounterOp, Op, Outcome, Purpose};
use redrill::model::{Verdict, Workload};
use redrill::report;

use super::tiny::*;

#[test]
fn what_redrill_itself_sent_late_is_not_the_servers_fault() {
    // All operations of the step are 30 ms late: for `late` by the fault of redrill.
    let judged = |late: bool| {
        let mut history = history();
        for op in history.iter_mut().filter(|op| op.purpose == Purpose::Load) {
            if (20..45).contains(&op.key) {
                op.done = op.done + Duration::from_millis(30);
                op.sent = if late { op.intended + Duration::from_millis(30) } else { op.sent };
            }
        }
        build(&events(), &history)
    };
    let r = judged(true);
    assert_value(&r, "latency.p50.during", 32.0);
    assert_value(&r, "schedule.late.p99", 30.0);
    assert_eq!(r.expectations[2].verdict, Verdict::Unknown);
    let why = "it was 32.0 ms, and could have been anything from 2.00 ms to 32.0 ms had redrill";
    assert!(r.why.iter().any(|told| told.contains(why)), "{:?}", r.why);
    let summary = report::text::summary(&r, 200, false);
    assert!(summary.contains("the machine was too busy to tell"), "{summary}");
    let r = judged(false);
    assert_value(&r, "latency.p50.during", 32.0);
    assert_value(&r, "schedule.late.p99", 0.0);
    assert_eq!(r.expectations[2].verdict, Verdict::Fail);
}

#[test]
fn what_redrill_itself_did_not_see_is_neither_up_nor_down() {
    // The longest outages are 500 ms of writes (bound: at most 500) and 60 ms of reads (below
    // 60). Of the latter, so much was not seen; and somewhere so long nothing was.
    let judged = |unseen: u64, blind: u64| {
        let mut events = events();
        for event in &mut events {
            match &mut event.kind {
                EventKind::Probes { .. } => event.kind = probes(blind),
                EventKind::OutageEnded { action: Access::Read, blind_ns, .. } => {
                    *blind_ns = unseen * 1_000_000;
                }
                _ => {}
            }
        }
        let r = build(&events, &history());
        [r.expectations[0].verdict, r.expectations[1].verdict]
    };
    assert_eq!(judged(0, 0), [Verdict::Pass, Verdict::Fail]);
    assert_eq!(judged(5, 5), [Verdict::Pass, Verdict::Unknown]);
    assert_eq!(judged(0, 99), [Verdict::Pass, Verdict::Fail], "within the probes' patience");
    assert_eq!(judged(0, 150), [Verdict::Unknown, Verdict::Fail], "an outage may have hidden");
}

/// The verdict of the tiny drill on `load.recovered <= 60 s`, with the operations due from 3.1 s
/// on as `change` leaves them.
fn recovered(events: Vec<Event>, change: impl Fn(&mut Op)) -> report::Report {
    let (mut events, mut history) = (events, history());
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.expect = vec![expect("load.recovered", Compare::AtMost, 60_000.0)];
    let due = |op: &&mut Op| op.purpose == Purpose::Load && op.key >= 21;
    history.iter_mut().filter(due).for_each(change);
    build(&events, &history)
}

#[test]
fn a_load_that_does_not_come_back_fails_its_drill() {
    let dies = |op: &mut Op| op.outcome = Outcome::Unknown(Cause::Timeout);
    let r = recovered(events(), dies);
    assert_eq!((r.verdict, r.expectations[0].verdict), (Verdict::Fail, Verdict::Fail));
    let why = "does not hold: it was not over when the load ended, after 5,000 ms";
    assert!(r.why.iter().any(|told| told.contains(why)), "{:?}", r.why);
    assert_eq!((r.loads[0].recovered_ms, r.loads[0].down_for_ms), (None, Some(5_000.0)));
    let summary = report::text::summary(&r, 200, false);
    assert!(summary.contains("app did not come back"), "{summary}");
    let r = recovered(events(), |_| ());
    assert_eq!(r.expectations[0].verdict, Verdict::Pass);

    // Nobody knows how it went on where the record breaks off.
    let mut cut = events();
    cut.retain(|event| event.at < at(8_000));
    let r = recovered(cut, dies);
    assert_eq!((r.verdict, r.loads[0].down_for_ms), (Verdict::Unknown, None));

    // What redrill came too late to says nothing of the application.
    let late = |op: &mut Op| {
        op.outcome = Outcome::Fail(Cause::Shed);
        op.done = op.intended + Duration::from_millis(500);
    };
    let r = recovered(events(), late);
    assert_eq!(r.loads[0].down_for_ms, None);
}

#[test]
fn errors_before_the_first_step_are_told() {
    // Twenty operations are due before it. The last one is under way when it begins.
    let told = |failed: u64| {
        let mut history = history();
        let due = |op: &&mut Op| op.purpose == Purpose::Load && op.key < failed;
        history.iter_mut().filter(due).for_each(|op| op.outcome = Outcome::Fail(Cause::Refused));
        let r = build(&events(), &history);
        let warnings = r.warnings.into_iter().map(|warning| warning.text);
        warnings.filter(|text| text.contains("before the first step")).collect::<Vec<String>>()
    };
    let [text] = &told(3)[..] else { panic!("one warning") };
    assert!(text.starts_with("15.8 % of the operations failed before"), "{text}");
    assert_eq!(told(0), [""; 0]);
}

#[test]
fn a_record_from_elsewhere_may_have_any_time_out() {
    for timeout_ms in [1e300, -1.0] {
        let mut events = events();
        let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
        info.loads[0].timeout_ms = timeout_ms;
        build(&events, &history());
    }
}

#[test]
fn the_schedule_ends_when_loads_are_told_to_stop() {
    let held = |drains: bool| {
        let mut events = events();
        let verify = EventKind::Phase { phase: Phase::Verify };
        let end = events.iter().position(|event| event.kind == verify).unwrap();
        let drain = Event { at: events[end].at, kind: EventKind::Phase { phase: Phase::Drain } };
        // The last answers take two seconds.
        for event in &mut events[end..] {
            event.at = event.at + Duration::from_secs(2);
        }
        events.splice(end..end, drains.then_some(drain));
        build(&events, &history()).value("schedule.held").unwrap()
    };
    assert!(held(true) > 98.0 && held(false) < 90.0, "{} {}", held(true), held(false));
}

#[test]
fn operations_that_redrill_did_not_come_to_are_not_the_servers_fault() {
    let judged = |history: &[Op]| {
        let mut events = events();
        if let EventKind::Drill(info) = &mut events[0].kind {
            info.expect = vec![expect("schedule.held", Compare::AtLeast, 97.0)];
        }
        build(&events, history).expectations[0].verdict
    };
    let shed = |late: u64| {
        let mut history = history();
        for op in history.iter_mut().filter(|op| op.purpose == Purpose::Load) {
            if (60..63).contains(&op.key) {
                op.outcome = Outcome::Fail(Cause::Shed);
                op.done = op.intended + Duration::from_millis(late);
                op.sent = op.done;
            }
        }
        history
    };
    assert_eq!(judged(&history()), Verdict::Pass);
    assert_eq!(judged(&shed(0)), Verdict::Fail, "the servers were slow");
    assert_eq!(judged(&shed(200)), Verdict::Unknown, "redrill came late, to a heap of them");
    let mut never_begun = history();
    never_begun.retain(|op| !(50..53).contains(&op.key));
    assert_eq!(judged(&never_begun), Verdict::Unknown);
}

#[test]
fn a_loss_whose_share_has_a_bound_is_not_said_to_be_unjudged() {
    let mut events = events();
    if let EventKind::Drill(info) = &mut events[0].kind {
        info.expect = vec![expect("writes.lost.share", Compare::AtMost, 0.5)];
        info.reported = vec!["writes.lost".to_owned(), "keys.not_linearizable".to_owned()];
    }
    let r = build(&events, &history());
    assert_eq!(r.verdict, Verdict::Fail, "one of 68 is more");
    let text = report::text::summary(&r, 200, false);
    assert!(text.contains("· judged by `writes.lost.share 0.5`"), "{text}");
    assert!(text.contains("reported, not judged"), "the keys are not: {text}");
}

#[test]
fn what_does_not_count_is_no_failure_and_no_list_shows_it_as_one() {
    // The key of number 5 is lost, so no order explains what was seen of it either.
    let judged = |bounds: &[f64]| {
        let mut events = events();
        if let EventKind::Drill(info) = &mut events[0].kind {
            let bound = |bound: &f64| expect("writes.lost", Compare::AtMost, *bound);
            info.expect = bounds.iter().map(bound).collect();
            info.reported = vec!["keys.not_linearizable".to_owned()];
        }
        build(&events, &history())
    };
    let r = judged(&[10.0]);
    assert_eq!((r.verdict, r.why.len()), (Verdict::Pass, 0), "{:?}", r.why);
    let (within, reported) = ("(within its bound `writes.lost 10`)", "(reported, not judged)");
    let text = report::text::summary(&r, 100, false);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let note = "at least: a later write to a key hides an earlier loss";
    let told = format!("Lost writes 1 · of 68 acknowledged · {note} · within its bound");
    assert!(words.contains(&format!("{told} `writes.lost 10`")), "{text}");
    assert!(words.contains("Keys not linearizable 1 · reported, not judged"), "{text}");
    let markdown = report::markdown::render(&r).unwrap();
    assert!(markdown.contains(&format!("\n- – 1 of 68 acknowledged writes lost {within}\n")));
    assert!(markdown.contains(&format!(" keys not linearizable {reported}\n")), "{markdown}");
    let page = report::html::render(&r).unwrap();
    for (text, wrong) in [("markdown", markdown.contains('❌')), ("page", page.contains('✗'))] {
        assert!(!wrong, "a cross in the {text}");
    }
    assert_eq!(page.matches("<li class=\"aside\">").count(), 2, "{page}");
    let junit = report::junit::render(std::slice::from_ref(&r)).unwrap();
    assert!(junit.contains("failures=\"0\" errors=\"0\""), "{junit}");

    // One bound that is broken, and it counts.
    let r = judged(&[10.0, 0.0]);
    assert!(r.why.iter().any(|why| why == "1 of 68 acknowledged writes lost"), "{:?}", r.why);
    assert_eq!(r.set_aside(&r.findings[0]), None);
}

#[test]
fn a_step_that_fails_makes_the_drill_fail() {
    let mut events = events();
    let history: Vec<Op> = history().into_iter().filter(|op| op.key != 5).collect();
    for event in &mut events {
        match &mut event.kind {
            EventKind::Drill(info) => info.expect.truncate(1),
            EventKind::StepEnded { error, .. } => *error = Some("no space".to_owned()),
            _ => {}
        }
    }
    let r = build(&events, &history);
    assert_eq!(r.verdict, Verdict::Fail);
    assert_eq!(r.why.len(), 1);
    assert!(r.why[0].ends_with("failed: no space"), "{:?}", r.why);
}

#[test]
fn a_drill_that_was_interrupted_is_unknown_whatever_it_saw() {
    let mut events = events();
    events.last_mut().unwrap().kind = EventKind::Ended { end: End::Interrupted };
    let r = build(&events, &history());
    assert_eq!(r.verdict, Verdict::Unknown);
    assert!(r.why[0].contains("interrupted"), "{:?}", r.why);
    assert!(r.expectations.iter().all(|judged| judged.verdict == Verdict::Unknown));
}

#[test]
fn what_could_not_be_told_is_unknown_and_never_passes() {
    let mut events = events();
    events.retain(|event| {
        !matches!(event.kind, EventKind::Probes { .. } | EventKind::Converged { .. })
    });
    let history: Vec<Op> =
        history().into_iter().filter(|op| op.purpose != Purpose::Final).collect();
    let r = build(&events, &history);
    for name in ["downtime.write.max", "downtime.read.max", "convergence", "writes.lost"] {
        assert!(r.has(name) && r.value(name).is_none(), "{name}: {:?}", r.value(name));
    }
    assert_eq!(r.verdict, Verdict::Unknown);
    assert!(r.why.iter().any(|why| why.contains("downtime.write.max is not known")));
}

#[test]
fn the_terminal_has_every_reason_of_what_is_unknown_with_what_to_do() {
    let mut events = events();
    events.retain(|event| !matches!(event.kind, EventKind::Converged { .. }));
    if let EventKind::Drill(info) = &mut events[0].kind {
        // It had not converged when the load ended, five seconds after the step's start.
        let bounds = (6_001..=6_012).map(f64::from);
        let bounds = bounds.map(|bound| expect("convergence", Compare::AtMost, bound));
        info.expect = bounds.collect();
    }
    let history: Vec<Op> =
        history().into_iter().filter(|op| op.purpose != Purpose::Final).collect();
    let r = build(&events, &history);
    assert_eq!((r.verdict, r.why.len()), (Verdict::Unknown, 13), "{:?}", r.why);
    let summary = report::text::summary(&r, 80, false);
    let words: Vec<&str> = summary.split_whitespace().collect();
    for why in &r.why {
        assert!(words.join(" ").contains(why.as_str()), "{why}\n{summary}");
    }
    assert!(r.why[..12].iter().all(|why| why.ends_with("with a longer `settle`")), "{:?}", r.why);
    assert!(r.why[12].contains("; have all shards served again"), "{:?}", r.why);
}

#[test]
fn steps_that_were_never_begun_are_told_together() {
    let mut events = events();
    if let EventKind::Drill(info) = &mut events[0].kind {
        info.steps = vec![info.steps[0].clone(); 4];
    }
    let r = build(&events, &history());
    let never: Vec<&String> = r.why.iter().filter(|why| why.contains("never begun")).collect();
    assert_eq!(never.len(), 1, "{:?}", r.why);
    assert!(never[0].contains("was never begun, nor were 2 after it"), "{never:?}");
}

/// Two loads have a counter each. That of `other` ends without the increment that was acknowledged.
#[test]
fn a_bound_on_one_load_judges_that_load_alone() {
    let judged = |expect: Vec<Expectation>, reported: &[&str]| {
        let mut events = events();
        let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
        info.loads[0].workload = Workload::Counter;
        let other = LoadInfo { name: "other".to_owned(), ..info.loads[0].clone() };
        info.loads.push(other);
        info.expect = expect;
        info.reported = reported.iter().map(|name| (*name).to_owned()).collect();
        let op = |load: u8, action, ms: u64| {
            let op = Op::new(0, Action::Counter(action), at(ms), at(ms + 1));
            Op { load, ..op }
        };
        let last = |load: u8, total| {
            let read = op(load, CounterOp::Read(Some(total)), 8_100);
            Op { purpose: Purpose::Final, ..read }
        };
        let add = |load: u8| op(load, CounterOp::Add(Some(1)), 2_000);
        build(&events, &[add(0), add(1), last(0, 1), last(1, 0)])
    };
    let of = |load: &str, bound: f64| {
        let all = expect("counter.lost", Compare::Equal, bound);
        Expectation { load: Some(load.to_owned()), ..all }
    };
    let both = vec![of("app", 0.0), of("other", 1.0)];
    let r = judged(both, &["counter.wrong"]);
    assert_eq!(r.verdict, Verdict::Pass, "{:?}", r.why);
    assert_value(&r, "counter.lost", 1.0);
    let told = |load: usize| r.loads[load].measures["counter.lost"].value;
    assert_eq!([told(0), told(1)], [Some(0.0), Some(1.0)]);
    // Whatever is not reported fails the drill, as it does without a bound.
    assert_eq!(judged(vec![of("other", 1.0)], &[]).verdict, Verdict::Fail);
    let r = judged(vec![of("other", 0.0)], &["counter.wrong"]);
    assert_eq!(r.verdict, Verdict::Fail);
    let r = judged(vec![of("nobody", 0.0)], &["counter.wrong"]);
    assert_eq!(r.verdict, Verdict::Unknown);
    assert!(r.why[0].contains("counter.lost of nobody is not known"), "{:?}", r.why);
}
