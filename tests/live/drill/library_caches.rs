//! Caches of libraries: the adapter that the document shows, which is right as long as it is alone.

use std::fs;
use std::path::Path;

use redrill::backend::process::binary::on_path;
use serde_json::Value;

use crate::common::need;
use crate::drill::place::Place;
use crate::drill::ready::measure;

/// Plays the adapter in so many processes, with a step.
fn play(instances: u32, step: &str) -> Option<Value> {
    let Some(python) = on_path("python3") else {
        need::skip(need::Need::RedisPy, "there is no python3 on PATH");
        return None;
    };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adapters.md");
    let page = fs::read_to_string(page).unwrap();
    let code = page.split("```python\n").find(|code| code.contains("own-memory")).unwrap();
    let place = Place::new();
    let file = place.path().join("adapter.py");
    fs::write(&file, code.split("```").next().unwrap()).unwrap();
    let text = format!(
        "name: own-memory\ntopology: standalone\nloads:\n  app:\n    workload: cache\n    \
         client: {{ command: [{}, {}] }}\n    rate: 300/s\n    clients: 30\n    \
         instances: {instances}\n    keys: 20\n    reads: 90%\n    \
         layers: {{ l1: {{ in: process, ttl: 60s }}, l2: {{ group: cache, ttl: 60s }} }}\n    \
         origin: {{ latency: 5ms }}\n    bound: 100ms\n    warm: priority\ntimeline: [{step}]\n\
         settle: 3s\nreported: [all]\n",
        python.display(),
        file.display()
    );
    let ran = place.play(&text, &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    let report = place.report();
    place.assert_nothing_left();
    assert_eq!(report["loads"][0]["adapter"]["name"], "own-memory");
    assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
    Some(report)
}

#[test]
fn a_library_that_has_all_copies_itself_is_right() {
    let Some(report) = play(1, "") else { return };
    assert!(measure(&report, "cache.hits.near") > 50.0, "{}", report["measures"]);
    assert!(measure(&report, "origin.worst") > 10.0, "what was written is asked for again");
    assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
    assert_eq!(measure(&report, "errors.total"), 0.0, "{}", report["why"]);
}

#[test]
fn a_library_that_tells_nobody_is_found_out_where_it_is_not_alone() {
    let Some(report) = play(3, "") else { return };
    assert!(measure(&report, "cache.stale.late") > 50.0, "{}", report["measures"]);
}

/// What the origin refuses, the order that asked for it fails.
#[test]
fn an_origin_that_fails_is_told_to_the_library() {
    let step = "{ at: 1s, do: origin, load: app, failing: 100%, for: 500ms }";
    let Some(report) = play(1, step) else { return };
    assert!(measure(&report, "errors.fail") > 10.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "errors.unknown"), 0.0, "{}", report["why"]);
    assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
}
