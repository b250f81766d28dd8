//! Nodes that are restarted one after the other.

use std::fs;

use redrill::model::event::{Event, EventKind};
use serde_json::Value;

use crate::drill::failover::{ms, scenario};
use crate::drill::place::{Place, events};

/// Who was restarted, when, and when it had passed the gate.
fn hits(step: &Value) -> Vec<(String, f64, Option<f64>)> {
    let hit = |hit: &Value| {
        let node = hit["node"].as_str().unwrap().to_owned();
        (node, ms(&hit["at_ms"]), hit["undone_ms"].as_f64())
    };
    step["hits"].as_array().unwrap().iter().map(hit).collect()
}

#[test]
fn all_are_restarted_in_turn_and_nothing_is_lost() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 500ms, do: rolling-restart, hand_over: true }]",
        "settle: 2s\nexpect: [writes.lost == 0, convergence <= 30s]",
    )
    .replace("reported: [all]\n", "");
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let hits = hits(&report["steps"][0]);
    let names: Vec<&str> = hits.iter().map(|(node, ..)| &**node).collect();
    let (replicas, primaries) = names.split_at(3);
    assert_eq!(replicas, ["cache/0/1", "cache/1/1", "cache/2/1"]);
    assert_eq!(primaries, ["cache/0/0", "cache/1/0", "cache/2/0"]);
    for pair in hits.windows(2) {
        let passed = pair[0].2.unwrap();
        assert!(passed <= pair[1].1, "the next one waits: {hits:?}");
    }
    for shard in 0..3 {
        let primary = &report["shards"][shard]["primary_after"];
        assert_eq!(*primary, format!("cache/{shard}/1"), "it was handed over");
    }
    // Each server says so when it starts, and each has started twice.
    for log in fs::read_dir(place.folder().join("logs")).unwrap() {
        let text = fs::read_to_string(log.unwrap().path()).unwrap();
        assert_eq!(text.matches("Running mode=cluster").count(), 2, "{text}");
    }
    place.assert_nothing_left();
}

#[test]
fn primaries_that_keep_nothing_and_hand_nothing_over_lose_all() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 500ms, do: rolling-restart, target: primary of shard 1, gate: answering }]",
        // It takes no writes for its first 2 s.
        "settle: 5s",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let lost = ms(&place.report()["measures"]["writes.lost"]["value"]);
    assert!(lost >= 100.0, "a third of 1,000 keys: {lost}");
}

#[test]
fn a_gate_that_is_not_passed_ends_the_step() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 200ms, do: kill, target: cache/2/1 },
          { at: 400ms, do: rolling-restart, target: all replicas, patience: 2s }]",
        "settle: 1s",
    );
    let ran = place.play(&text, &[]);
    let report = place.report();
    // However busy the machine is: nobody listens at cache/2/1.
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let certain =
        |event: &Event| matches!(event.kind, EventKind::StepEnded { step: 1, doubtful: false, .. });
    assert!(events(&place.folder()).iter().any(certain), "it does not depend on time");
    let step = &report["steps"][1];
    let error = step["error"].as_str().unwrap();
    let begins = "cache/0/1 did not pass the gate `whole` in 2 s: cache/2/1: ";
    assert!(error.starts_with(begins), "{error}");
    let hits = hits(step);
    assert_eq!(hits.len(), 1, "those after it are left alone");
    assert_eq!(hits[0].2, None, "nor is it told to be as before");
    place.assert_nothing_left();
}
