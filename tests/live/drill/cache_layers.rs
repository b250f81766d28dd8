//! Caches whose copies are in several places, and what becomes of writes, on real servers.

use std::fs;

use serde_json::Value;

use crate::drill::broken::TAGS_GET_LOST;
use crate::drill::caches::{play, play_on};
use crate::drill::place::Place;
use crate::drill::ready::measure;
use crate::drill::wrong;

/// Nothing is served that is wrong, or late.
fn assert_right(report: &Value) {
    for wrong in ["cache.stale.late", "cache.impossible", "cache.outlived", "cache.resurrected"] {
        assert_eq!(measure(report, wrong), 0.0, "{wrong}: {}", report["findings"]);
    }
}

#[test]
fn processes_of_a_host_have_copies_in_common() {
    let report = play(
        "reads: 90%, layers: { l1: { in: process, ttl: 200ms }, l2: { in: host, count: 2, ttl: 3s }, \
         l3: { group: cache, ttl: 5s } }, origin: { latency: 1ms }, stampede: lease, \
         invalidate: publish, bound: 300ms",
    );
    assert_right(&report);
    for layer in ["cache.hits.near", "cache.hits.host", "cache.hits.group"] {
        assert!(measure(&report, layer) > 2.0, "{layer}: {}", report["measures"]);
    }
    let [all, near, host, group] =
        ["cache.hits", "cache.hits.near", "cache.hits.host", "cache.hits.group"]
            .map(|name| measure(&report, name));
    assert!((near + host + group - all).abs() < 0.01, "{}", report["measures"]);
    assert!(measure(&report, "invalidation.host.p99") < 300.0, "{}", report["measures"]);
    assert!(measure(&report, "invalidation.reached") > 99.0, "{}", report["measures"]);
}

/// Slow readers put nothing old back, although nothing but the version keeps them from it.
#[test]
fn what_is_written_through_a_cache_is_never_old() {
    let report = play(
        "reads: 60%, layers: { l1: { group: cache, ttl: 2s } }, origin: { latency: 1ms..60ms }, \
         write: through, bound: 1ms",
    );
    assert_right(&report);
    assert_eq!(measure(&report, "cache.lost"), 0.0, "{}", report["measures"]);
    assert!(measure(&report, "cache.hits") > 90.0, "copies are replaced: {}", report["measures"]);
}

/// What is acknowledged before the origin has it is lost with its process, and only then.
#[test]
fn what_a_process_had_not_written_when_it_ended_is_lost() {
    let lost = |write: &str, step: &str| {
        let keys = format!(
            "reads: 50%, layers: {{ l1: {{ group: cache, ttl: 5s }} }}, origin: {{ latency: 5ms }}, \
             write: {write}"
        );
        let steps = format!("timeline=[{step}]");
        // So many that few are written again.
        let args = ["--set", "loads.app.keys=5000", "--set", &steps];
        let report = play_on("standalone", &keys, &args);
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
        (measure(&report, "cache.lost"), measure(&report, "cache.write.p95"))
    };
    let ends = "{ at: 2s, do: restart-processes, load: app }";
    let (behind, fast) = lost("behind", ends);
    // Those of a tenth of a second at most, of 300 a second.
    assert!((1.0..=60.0).contains(&behind), "{behind}");
    assert_eq!(lost("behind", "").0, 0.0, "nothing ended");
    let (through, slow) = lost("through", ends);
    assert_eq!(through, 0.0, "the origin had it");
    assert!(fast < slow, "who writes behind does not wait for the origin: {fast} and {slow} ms");
}

#[test]
fn copies_are_replaced_ahead_of_their_end() {
    let misses = |write: &str| {
        let report = play(&format!(
            "reads: 100%, warm: priority, layers: {{ l1: {{ group: cache, ttl: 600ms }} }}, \
             origin: {{ latency: 40ms }}, write: {write}, stampede: lock"
        ));
        assert_right(&report);
        measure(&report, "cache.misses")
    };
    let [aside, ahead] = ["aside", "ahead"].map(misses);
    assert!(aside > 20.0, "{aside}");
    assert_eq!(ahead, 0.0, "nobody waited for the origin");
}

/// The link on which it hears is cut, and nothing else is.
#[test]
fn who_hears_of_no_write_serves_old_copies_until_their_time_is_over() {
    for invalidate in ["publish", "tracking-broadcast"] {
        let keys = format!(
            "reads: 90%, layers: {{ l1: {{ in: process, ttl: 1s }}, l2: {{ group: cache, ttl: 5s }} }}, \
             origin: {{ latency: 1ms }}, stampede: lease, invalidate: {invalidate}, bound: 300ms"
        );
        let cut = "timeline=[{ at: 1s, do: partition, target: subscribers, for: 2s }]";
        let report = play_on("standalone", &keys, &["--set", cut]);
        assert!(measure(&report, "cache.stale.late") > 20.0, "{}", report["measures"]);
        let age = measure(&report, "cache.stale.age.max");
        assert!((300.0..1_200.0).contains(&age), "{invalidate}: {age}");
        assert_eq!(measure(&report, "cache.outlived"), 0.0, "{}", report["findings"]);
        assert_eq!(measure(&report, "errors.total"), 0.0, "{}", report["why"]);
    }
}

/// A server tells who has read a copy there, until the connection is lost. Then nothing is kept.
#[test]
fn what_is_tracked_is_forgotten_with_its_connection() {
    let keys = "reads: 90%, layers: { l1: { in: process, ttl: 3s }, l2: { group: cache, ttl: 5s } }, \
                origin: { latency: 1ms }, stampede: lease, invalidate: tracking, bound: 300ms";
    let steps = "timeline=[{ at: 1s, do: reset, between: [clients, cache/0/0] }, \
                 { at: 2s, do: client-kill, target: cache/0/0 }]";
    let report = play_on("standalone", keys, &["--set", steps]);
    assert_right(&report);
    assert!(measure(&report, "cache.hits.near") > 5.0, "{}", report["measures"]);
    assert!(measure(&report, "invalidation.reached") > 99.0, "{}", report["measures"]);
}

/// Two warm at once, and neither asks the origin for what the other one has asked for.
#[test]
fn what_steps_warm_is_there_before_readers_come() {
    let keys = "reads: 100%, layers: { l1: { group: cache, ttl: 60s } }, origin: { latency: 5ms }, \
                stampede: lock";
    let steps = "timeline=[{ at: 0s, do: warm, load: app }, { at: 0s, do: warm, load: app }]";
    let args = ["--set", "loads.app.keys=500", "--set", steps, "--set", "settle=3s"];
    let report = play_on("standalone", keys, &args);
    assert_right(&report);
    assert_eq!(measure(&report, "warm.done"), 100.0, "{}", report["measures"]);
    assert!(measure(&report, "warm.used") > 80.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "stampede.computations.max"), 1.0, "{}", report["measures"]);
    // Those that came while it was at work.
    assert!(measure(&report, "cache.misses") < 250.0, "{}", report["measures"]);
}

/// A server that has saved a snapshot comes back with it, and with what was old by then.
#[test]
#[ignore = "`just test-all`"]
fn a_snapshot_brings_old_copies_back() {
    let keys = "reads: 80%, layers: { l1: { group: cache, ttl: 60s } }, origin: { latency: 1ms }, \
                stampede: lease, warm: priority, bound: 300ms";
    let late = |save: &str| {
        let steps = format!(
            "timeline=[{save}{{ at: 1500ms, do: restart, target: cache/0/0, data: kept }}]"
        );
        let args = ["--set", &steps, "--set", "settle=2s", "--set", "loads.app.keys=200"];
        let report = play_on("standalone", keys, &args);
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
        measure(&report, "cache.stale.late")
    };
    assert!(late("{ at: 500ms, do: save, target: cache/0/0 }, ") > 10.0);
    assert_eq!(late(""), 0.0, "it comes back with nothing");
}

/// Entities of five users and a half, in processes and in a cluster.
fn families(invalidate: &str, args: &[&str]) -> Value {
    let keys = format!(
        "reads: 90%, layers: {{ l1: {{ in: process, ttl: 8s }}, l2: {{ group: cache, ttl: 30s }} }}, \
         origin: {{ latency: 1ms..20ms }}, stampede: lease, invalidate: {invalidate}, bound: 300ms"
    );
    play_on("cluster-3x1", &keys, &[&["--set", "loads.app.keys=66"], args].concat())
}

#[test]
#[ignore = "`just test-all`"]
fn whole_families_go_by_tag_and_by_pattern() {
    let all = "timeline=[{ at: 1s, do: invalidate, load: app, all: true }, \
               { at: 2s, do: invalidate, load: app, pattern: 'app:1:*' }, \
               { at: 2500ms, do: invalidate, load: app, keys: [3, 65] }]";
    for invalidate in ["tags", "pattern"] {
        let report = families(invalidate, &["--set", all]);
        assert_right(&report);
        assert_eq!(measure(&report, "invalidation.left"), 0.0, "{}", report["findings"]);
        assert!(measure(&report, "invalidation.reached") > 99.0, "{}", report["measures"]);
        assert!(measure(&report, "cache.hits") > 5.0, "{}", report["measures"]);
        assert!(measure(&report, "consistency.sweep") < 500.0, "{}", report["measures"]);
        let notes = report["steps"].to_string();
        for entities in [66, 12, 18] {
            assert!(notes.contains(&format!("{entities} entities were changed")), "{notes}");
        }
    }
}

/// The writer begins a new generation, and other processes keep what they have.
#[test]
#[ignore = "`just test-all`"]
fn nobody_finds_a_copy_of_an_old_generation() {
    let late = |near: &str, steps: &str| {
        let report = play_on(
            "cluster-3x1",
            &format!(
                "reads: 80%, layers: {{ {near} l2: {{ group: cache, ttl: 8s }} }}, \
                 origin: {{ latency: 1ms..60ms }}, stampede: lock, invalidate: versioned, bound: 100ms"
            ),
            &["--set", &format!("timeline=[{steps}]")],
        );
        assert_eq!(measure(&report, "cache.resurrected"), 0.0, "{}", report["findings"]);
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
        assert_eq!(measure(&report, "invalidation.left"), 0.0, "{}", report["findings"]);
        assert!(measure(&report, "cache.hits") > 5.0, "{}", report["measures"]);
        measure(&report, "cache.stale.late")
    };
    let moves = "{ at: 1s, do: reshard, from: 0, to: 1, slots: 1500 }, \
                 { at: 3s, do: invalidate, load: app, keys: 5 }";
    assert_eq!(late("", moves), 0.0);
    assert_eq!(late("", "{ at: 1s, do: flush, target: all primaries }"), 0.0);
    assert!(late("l1: { in: process, ttl: 3s },", "") > 20.0, "other processes keep theirs");
}

/// What writers forget to delete is found, even if nobody reads it.
#[test]
fn copies_that_are_left_behind_are_counted() {
    let place = Place::new();
    let text = "name: forgotten\ntopology: cluster-3x1\n\
                loads: { app: { workload: cache, rate: 400/s, clients: 40, instances: 4, keys: 66, \
                reads: 50%, layers: { l1: { group: cache, ttl: 60s } }, stampede: lease, \
                origin: { latency: 1ms }, invalidate: tags } }\nsettle: 3s\nreported: [all]";
    let report = wrong::reported(&place, text, TAGS_GET_LOST);
    assert!(measure(&report, "invalidation.left") > 5.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
    assert!(
        report["measures"]["consistency.sweep"]["at_least"].is_number(),
        "{}",
        report["measures"]
    );
    place.assert_nothing_left();
}

/// Another group stands before the load's. It is emptied with every write, and no slow reader fills it
/// with what is old.
#[test]
fn a_nearer_group_serves_nothing_old() {
    let place = Place::new();
    let topology =
        "name: two\ngroups: { cache: { mode: standalone }, rack: { mode: standalone } }\n";
    fs::write(place.path().join("two.yaml"), topology).unwrap();
    let text = "name: near\ntopology: ./two.yaml\nloads:\n  app:\n    workload: cache\n    \
                rate: 600/s\n    clients: 60\n    instances: 6\n    keys: 20\n    reads: 80%\n    \
                layers:\n      l1: { in: process, ttl: 200ms }\n      \
                l2: { in: host, count: 2, ttl: 300ms }\n      \
                near: { group: rack, ttl: 2s, jitter: 10% }\n      far: { group: cache, ttl: 5s }\n    \
                origin: { latency: 1ms..30ms }\n    stampede: lease\n    invalidate: confirmed\n\
                settle: 4s\n";
    let ran = place.play(text, &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    let report = place.report();
    place.assert_nothing_left();
    assert_right(&report);
    for layer in ["cache.hits.near", "cache.hits.host", "cache.hits.near_group"] {
        assert!(measure(&report, layer) > 2.0, "{layer}: {}", report["measures"]);
    }
}
