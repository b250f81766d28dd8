//! Loads that are closed by their clients.

use std::fs;

use redrill::report::{self, text};

use super::{fixture, folder, made};

#[test]
fn a_closed_load_has_no_schedule_and_its_latencies_say_what_they_leave_out() {
    let run = folder(&fixture::steady());
    let events = run.join("events.jsonl");
    let open = fs::read_to_string(&events).unwrap();
    let closed = open.replacen("\"rate\":500.0", "\"rate\":null,\"think_ms\":0.0", 1);
    assert_ne!(open, closed);
    fs::write(&events, closed).unwrap();
    let r = report::build(&run).unwrap();
    let schedule: Vec<&String> =
        r.measures.keys().filter(|name| name.starts_with("schedule.")).collect();
    assert_eq!(schedule, [""; 0]);
    let summary = text::summary(&r, 200, false);
    let note = "coordinated omission: clients of app send nothing while they wait\n";
    assert!(summary.contains(note), "{summary}");
    assert!(!summary.contains("schedule") && !summary.contains("sent late"), "{summary}");
    assert_eq!(r.loads[0].rate, None);
    // What does not need a schedule is there.
    let open = made(&fixture::steady());
    for name in ["throughput.before", "latency.p99.before", "concurrency.max", "concurrency.mean"] {
        let value = |r: &report::Report| r.measures[name].value;
        assert!(value(&r).is_some_and(|value| value > 0.0), "{name}");
        assert_eq!(value(&r), value(&open), "{name}");
    }
    assert_eq!(value_of(&open, "schedule.held"), Some(100.0));
}

fn value_of(r: &report::Report, name: &str) -> Option<f64> {
    r.measures.get(name)?.value
}
