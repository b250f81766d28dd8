//! Repositories on real servers: what their caches spare, and what was served wrongly.

use serde_json::Value;

use crate::common::run;
use crate::drill::place::{Place, assert_ended_or_busy};
use crate::drill::ready::measure;

#[test]
fn cache_aside_keeps_readers_away_from_the_origin() {
    let place = Place::new();
    let args = ["--profile", "ci", "--set", "settle=6s"];
    let ran = run(&mut place.run_of("cache-aside", &args));
    let report = place.report();
    assert_ended_or_busy(0, &ran, &report);
    assert!(measure(&report, "cache.hits.near") > 20.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "cache.misses.cold"), 0.0, "it was warm: {}", report["measures"]);
    place.assert_nothing_left();
}

/// Sixty clients of six processes look at five entities, whose copies are kept for 300 ms.
fn play(keys: &str) -> Value {
    let text = format!(
        "name: caches\ntopology: standalone\n\
         loads: {{ app: {{ workload: cache, rate: 600/s, clients: 60, instances: 6, keys: 5, {keys} }} }}\n\
         settle: 4s\nreported: [all]"
    );
    let place = Place::new();
    let ran = place.play(&text, &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{keys}: {}{}", ran.out, ran.err);
    let report = place.report();
    place.assert_nothing_left();
    report
}

#[test]
fn each_way_with_stampedes_does_what_it_promises() {
    let most = |stampede: &str| {
        let report = play(&format!(
            "reads: 100%, layers: {{ l1: {{ group: cache, ttl: 300ms }} }}, \
             origin: {{ latency: 60ms }}, stampede: {stampede}"
        ));
        assert!(measure(&report, "cache.misses.expired") > 5.0, "{}", report["measures"]);
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
        measure(&report, "stampede.computations.max")
    };
    let [none, lock, flight] = ["none", "lock", "single-flight"].map(most);
    assert!(none > 6.0, "each of them asks: {none}");
    assert_eq!(lock, 1.0, "one of all");
    assert!(flight <= 6.0, "one of each process: {flight}");
}

#[test]
fn a_process_that_nobody_tells_serves_old_versions() {
    let late = |invalidate: &str| {
        let report = play(&format!(
            "reads: 90%, layers: {{ l1: {{ in: process, ttl: 3s }}, l2: {{ group: cache, ttl: 5s }} }}, \
             origin: {{ latency: 1ms }}, invalidate: {invalidate}, bound: 300ms"
        ));
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
        measure(&report, "cache.stale.late")
    };
    assert!(late("delete") > 100.0, "other processes keep theirs");
    assert_eq!(late("publish"), 0.0);
    assert_eq!(late("ttl"), 0.0, "within the copies' own time");
}
