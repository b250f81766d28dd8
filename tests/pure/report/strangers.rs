//! Servers that are not the drill's, among its own.

use redrill::model::Verdict;
use redrill::model::event::*;
use redrill::report::Report;

use super::tiny::*;

/// The tiny drill with an expectation that holds, or one that does not, and a stranger in it.
fn visited(bound: f64, strangers: &[&str]) -> Report {
    let mut events = events();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    info.expect = vec![expect("writes.lost", Compare::AtMost, bound)];
    let place = events.iter().position(|event| event.at > at(3_500)).unwrap();
    for what in strangers {
        let kind = EventKind::Foreign { what: (*what).to_owned() };
        events.insert(place, Event { at: at(3_500), kind });
    }
    build(&events, &history())
}

#[test]
fn what_broke_while_a_stranger_took_part_is_no_fault_of_the_servers() {
    assert_eq!(visited(0.0, &[]).verdict, Verdict::Fail, "a write is lost");
    let r = visited(0.0, &["the cluster `cache` has a node that is not the drill's"]);
    assert_eq!(r.verdict, Verdict::Unknown, "{:?}", r.why);
    assert_eq!(r.expectations[0].verdict, Verdict::Unknown);
    assert!(r.why.iter().any(|why| why.contains("servers that are not the drill's took part")));
}

#[test]
fn a_stranger_is_a_finding_and_a_warning_and_no_pass() {
    let what = "user 7 of this machine listens at 127.64.0.1:6379";
    let r = visited(9.0, &[what]);
    assert_eq!(r.verdict, Verdict::Unknown, "{:?}", r.why);
    let finding = r.findings.iter().find(|finding| finding.kind == "foreign_servers").unwrap();
    assert_eq!((finding.count, finding.verdict), (1, Verdict::Unknown));
    assert!(finding.text.starts_with(what) && r.warnings.iter().any(|w| w.text == what));
    assert!(r.why.iter().any(|why| why.contains("--backend docker")), "{:?}", r.why);
}
