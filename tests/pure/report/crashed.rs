//! A server that crashes: the worst that a drill finds, and no reason to end it.

use redrill::model::event::*;
use redrill::model::{NodeName, Verdict};
use redrill::report;

use super::tiny::*;

/// The tiny drill, in which a server crashes 2.5 s after the load's start, and whose scenario
/// only reports what checkers find. The two bounds that it has hold.
fn crashed() -> report::Report {
    let mut events = events();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.expect.truncate(1);
    info.expect.push(expect("crashes", Compare::AtMost, 9.0));
    info.reported =
        ["writes.lost", "keys.not_linearizable"].iter().map(|name| (*name).to_owned()).collect();
    let (node, status) = (NodeName::new("cache", 1, 0), "signal: 11 (SIGSEGV)".to_owned());
    let log = vec!["crashed by signal: 11".to_owned(), "=== <END> | `x`".to_owned()];
    let kind = EventKind::Crashed { node, status, log };
    let place = events.iter().position(|event| event.at > at(3_500)).unwrap();
    events.insert(place, Event { at: at(3_500), kind });
    build(&events, &history())
}

#[test]
fn it_fails_the_drill_whatever_else_holds() {
    let r = crashed();
    assert_eq!(r.verdict, Verdict::Fail);
    let why = "the server of cache/1/0 crashed at 2.500 s (signal: 11 (SIGSEGV)): no step had \
               asked for that";
    assert_eq!(r.why, [why]);
    assert!(r.completed && r.expectations.iter().all(|e| e.verdict == Verdict::Pass));
    assert_value(&r, "crashes", 1.0);
    assert_value(&r, "writes.lost", 1.0);
    assert_eq!((r.crashes.len(), r.crashes[0].at_ms), (1, 3_500.0));
    assert_value(&build(&events(), &history()), "crashes", 0.0);
}

#[test]
fn every_format_names_it_and_has_its_log_on_lines_of_its_own() {
    let r = crashed();
    let text = report::text::summary(&r, 100, false);
    assert!(text.contains("\n  · the server of cache/1/0 crashed at 2.500 s"), "{text}");
    assert!(text.contains("\n    | crashed by signal: 11\n    | === <END> | `x`\n"), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Crashed servers 1 · cache/1/0"), "{text}");
    let markdown = report::markdown::render(&r).unwrap();
    assert!(markdown.contains("The last lines of `logs/cache-1-0.log`:\n\n    crashed by"));
    assert!(markdown.contains("\n- the server of cache/1/0 crashed"), "{markdown}");
    let page = report::html::render(&r).unwrap();
    assert!(page.contains("<li>the server of cache/1/0 crashed at 2.500 s"), "{page}");
    assert!(page.contains("=== &lt;END&gt; | `x`") || page.contains("=== &#60;END&#62; | `x`"));
    let junit = report::junit::render(std::slice::from_ref(&r)).unwrap();
    assert!(junit.contains("failures=\"1\" errors=\"0\""), "{junit}");
    let whole = report::text::summary(&build(&events(), &history()), 100, false);
    assert!(!whole.contains("Crashed servers"), "{whole}");
}
