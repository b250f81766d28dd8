//! Drills whose servers are short of something: what the report says, and that it ends.

use std::fs;

use redrill::model::event::EventKind;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{script, server};
use crate::drill::interrupted::interrupt;
use crate::drill::place::Place;

/// One server, with these directives.
fn scenario(place: &Place, directives: &str, rest: &str) -> String {
    let topology = format!(
        "name: one\ngroups: {{ cache: {{ mode: standalone, config: {{ {directives} }} }} }}\n"
    );
    fs::write(place.path().join("one.yaml"), topology).unwrap();
    format!(
        "name: short\ntopology: ./one.yaml\n\
         loads: {{ app: {{ rate: 300/s, keys: 1000, value: 1KB }} }}\n{rest}\n"
    )
}

fn measure(report: &Value, name: &str) -> f64 {
    report["measures"][name]["value"].as_f64().unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// It ends at its next write, and what it had acknowledged was on disk by then.
#[test]
fn a_server_that_ends_of_its_full_disk_is_started_again() {
    let place = Place::new();
    let text = scenario(
        &place,
        "appendonly: yes, appendfsync: always",
        "timeline: [{ at: 1s, do: disk-full, target: cache/0/0, for: 1s }]\nsettle: 2s\n\
         expect: [writes.lost == 0]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("the server of cache/0/0 ended (exit status: 1), as its disk is full")
    );
    assert!(measure(&report, "downtime.write.max") > 500.0);
    assert!(report["steps"][0]["error"].is_null(), "{}", report["steps"]);
    place.assert_nothing_left();
}

#[test]
fn evicted_keys_are_told_beside_lost_writes() {
    let place = Place::new();
    let text = scenario(
        &place,
        "save: ''",
        "timeline: [{ at: 1s, do: memory-pressure, target: cache/0/0, maxmemory: 70%, \
         policy: allkeys-random, for: 1s }]\nsettle: 1s\nreported: [all]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert!(measure(&report, "writes.lost") > 0.0);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("cache/0/0 evicted ") && warnings.contains("as lost"), "{warnings}");
}

/// One that dies meanwhile has nothing more to bear, and one that is down nothing at all.
#[test]
fn the_dead_have_nothing_to_bear() {
    let place = Place::new();
    let text = scenario(
        &place,
        "appendonly: yes",
        "timeline:\n\
         - { at: 500ms, do: slow, target: cache/0/0, cpu: 20%, for: 1500ms }\n\
         - { at: 500ms, do: memory-pressure, target: cache/0/0, maxmemory: 200%, for: 1500ms }\n\
         - { at: 500ms, do: clock, target: cache/0/0, jump: +1m, for: 1500ms }\n\
         - { at: 1s, do: kill, target: all nodes, for: 2s }\n\
         - { at: 1500ms, do: disk-full, target: cache/0/0, for: 1s }\n\
         settle: 2s\nreported: [all]",
    );
    let ran = place.play(&text, &[]);
    // For the step that fails.
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let report = place.report();
    let errors: Vec<&Value> =
        report["steps"].as_array().unwrap().iter().map(|step| &step["error"]).collect();
    assert!(errors[..4].iter().all(|error| error.is_null()), "{errors:?}");
    assert_eq!(errors[4], "cache/0/0 is down already");
    place.assert_nothing_left();
}

#[test]
fn ctrl_c_while_a_server_is_short_of_everything() {
    let timeline = "[{ at: 200ms, do: slow, target: all primaries, cpu: 1% }, \
                    { at: 200ms, do: slow, target: all primaries, sleep: 500ms, every: 1s }, \
                    { at: 200ms, do: memory-pressure, target: all primaries, maxmemory: 50% }, \
                    { at: 200ms, do: disk-full, target: all primaries, files: all }, \
                    { at: 200ms, do: clock, target: all primaries, jump: -1h }]";
    let text = format!(
        "name: short\ntopology: standalone\nloads: {{ app: {{ rate: 200/s }} }}\n\
         timeline: {timeline}\nsettle: 60s\n"
    );
    interrupt(&text, &[], Signal::INT, "settling", |playing| {
        for step in 0..5 {
            playing.wait_for(
                "its hardships",
                |what| matches!(what, EventKind::StepEnded { step: ended, .. } if *ended == step),
            );
        }
    });
}

#[test]
fn a_server_that_cannot_have_the_library_is_refused_at_the_line() {
    let place = Place::new();
    let text = scenario(
        &place,
        "save: ''",
        "timeline: [{ at: 1s, do: clock, target: cache/0/0, jump: +1m }]",
    );
    let binary = script(
        place.path(),
        "server",
        &format!("unset LD_PRELOAD; exec {} \"$@\"", server().display()),
    );
    let ran = place.play(&text, &["--engine-binary", binary.to_str().unwrap()]);
    assert_eq!(ran.code, Some(65), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("does not load redrill's preload library"), "{}", ran.err);
    assert!(ran.err.contains("scenario.yaml:4:"), "{}", ran.err);
    assert!(place.folders().is_empty(), "nothing was started");
}
