//! Lines of servers' logs: quoted where they explain, and a full disk that no step asked for.

use redrill::model::event::*;
use redrill::model::logged::{LogLine, LogTopic};
use redrill::model::{NodeName, StepKind, Verdict};
use redrill::report;

use super::tiny::*;

fn line(topic: LogTopic, text: &str) -> LogLine {
    LogLine { node: NodeName::new("cache", 1, 0), topic, text: text.to_owned(), count: 3 }
}

/// The tiny drill, in which servers logged these lines.
fn logged(events: Vec<Event>, lines: Vec<LogLine>) -> report::Report {
    let mut events = events;
    let end = events.len() - 1;
    let last = events[end].at;
    events.insert(end, Event { at: last, kind: EventKind::Logged { lines } });
    build(&events, &history())
}

#[test]
fn every_format_quotes_the_lines() {
    let lines = vec![line(LogTopic::Failover, "# Manual failover timed out. <b>\u{1b}[2J")];
    let r = logged(events(), lines);
    assert_eq!(r.verdict, build(&events(), &history()).verdict, "they decide no verdict");
    let text = report::text::summary(&r, 100, false);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("cache/1/0 # Manual failover timed out."), "{text}");
    assert!(words.contains("(3 times)") && !text.contains('\u{1b}'), "{text}");
    let markdown = report::markdown::render(&r).unwrap();
    assert!(markdown.contains("    cache/1/0 3 times: # Manual failover timed out."), "{markdown}");
    let page = report::html::render(&r).unwrap();
    assert!(page.contains("cache/1/0 3 times: # Manual failover timed out."), "{page}");
    assert!(!page.contains("out. <b>") && !page.contains('\u{1b}'));
    let json = serde_json::to_value(&r).unwrap();
    assert_eq!(json["logged"][0]["topic"], "failover");
}

/// Nothing is logged then.
#[test]
fn so_does_a_server_that_ended_as_its_file_became_too_large() {
    let mut events = events();
    let (node, status) = (NodeName::new("cache", 1, 0), "signal: 25 (SIGXFSZ)".to_owned());
    let kind = EventKind::Crashed { node, status, log: Vec::new() };
    let place = events.iter().position(|event| event.at > at(3_500)).unwrap();
    events.insert(place, Event { at: at(3_500), kind });
    let r = build(&events, &history());
    assert_eq!(r.verdict, Verdict::Unknown, "{:?}", r.why);
    assert!(r.why[0].contains("(by its server: `signal: 25 (SIGXFSZ)`)"), "{:?}", r.why);
}

#[test]
fn a_full_disk_that_no_step_asked_for_makes_all_that_is_wrong_unknown() {
    let mut events = events();
    let (node, status) = (NodeName::new("cache", 1, 0), "exit status: 1".to_owned());
    let kind = EventKind::Crashed { node, status, log: Vec::new() };
    let place = events.iter().position(|event| event.at > at(3_500)).unwrap();
    events.insert(place, Event { at: at(3_500), kind });
    assert_eq!(build(&events, &history()).verdict, Verdict::Fail);
    let full = || vec![line(LogTopic::Disk, "# AOF: No space left on device")];
    let r = logged(events.clone(), full());
    assert_eq!(r.verdict, Verdict::Unknown, "{:?}", r.why);
    let why = "the disk of cache/1/0 was full, or its files may not get larger, and no step had \
               asked for that (by its server: `# AOF: No space left on device`): make room, and run \
               it again";
    assert_eq!(r.why[0], why);
    assert!(r.expectations.iter().all(|judged| judged.verdict != Verdict::Fail));
    assert!(r.findings.iter().all(|finding| finding.verdict != Verdict::Fail));
    let junit = report::junit::render(std::slice::from_ref(&r)).unwrap();
    assert!(junit.contains("failures=\"0\""), "{junit}");
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.steps[0].kind = StepKind::DiskFull;
    assert_eq!(logged(events, full()).verdict, Verdict::Fail, "a step had asked for it");
}
