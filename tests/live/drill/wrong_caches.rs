//! A cache that is wrong in one thing, which the scenario of that thing finds; and the same cache
//! without that, which is right, and is never accused.

use redis::cmd;
use redrill::backend::process::binary::on_path;
use redrill::model::event::Phase;
use redrill::spec::{FileKind, library};
use serde_json::Value;
use std::thread;
use std::time::Duration;

use crate::common::need::{self, Need};
use crate::drill::locks::server_of;
use crate::drill::place::Place;
use crate::drill::ready::measure;

/// What of a ready scenario is played, and how the processes of the cache hear of changes.
struct Drill {
    scenario: &'static str,
    news: &'static str,
    set: Vec<&'static str>,
}

impl Drill {
    /// By `cache.py` in the place of redrill's own repository. Halfway the servers may lose all that
    /// they have.
    fn play(&self, wrong: Option<&str>, flushes: bool) -> Option<Value> {
        let Some(python) = on_path("python3") else {
            need::skip(Need::RedisPy, "there is no python3 on PATH");
            return None;
        };
        let ready = library::find(FileKind::Scenario, self.scenario).unwrap();
        // A library's cache has its own ways.
        let is_own = |line: &&str| line.contains("stampede: l") || line.contains("invalidate: ");
        let text: Vec<&str> = ready.text.lines().filter(|line| !is_own(line)).collect();
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/drill/cache.py");
        let words = [python.to_str().unwrap(), file, self.news].into_iter().chain(wrong);
        let words: Vec<String> = words.map(|word| format!("'{word}'")).collect();
        let by = format!("loads.app.client={{ command: [{}] }}", words.join(", "));
        let set = [by.as_str()].into_iter().chain(self.set.iter().copied());
        let args: Vec<&str> =
            set.flat_map(|set| ["--set", set]).chain(["--profile", "ci"]).collect();
        let place = Place::new();
        let mut playing = place.start(&text.join("\n"), &args);
        if flushes {
            playing.wait_for_phase(Phase::Settle);
            thread::sleep(Duration::from_millis(1_500));
            let () = cmd("FLUSHALL").query(&mut server_of(&place, "cache/0/0")).unwrap();
        }
        let ran = playing.end();
        assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
        let report = place.report();
        place.assert_nothing_left();
        assert_eq!(report["loads"][0]["adapter"]["version"], wrong.unwrap_or("right"));
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
        assert!(measure(&report, "cache.hits") > 10.0, "{}", report["measures"]);
        Some(report)
    }

    fn of_both(&self, wrong: &str, flushes: bool) -> Option<(Value, Value)> {
        let right = self.play(None, flushes)?;
        assert!(!is_accused(&right), "{}", right["findings"]);
        Some((right, self.play(Some(wrong), flushes)?))
    }

    /// The right cache does nothing of what this measure counts, and the wrong one is failed for it.
    fn finds(&self, wrong: &str, name: &str) {
        let Some((_, report)) = self.of_both(wrong, wrong == "ignores-flush") else { return };
        assert!(measure(&report, name) > 0.0, "{wrong}: {}", report["measures"]);
        assert!(is_accused(&report), "{wrong}: {}", report["findings"]);
        assert_eq!(report["verdict"], "fail", "{wrong}: {}", report["why"]);
    }
}

/// Of anything but what redrill's own canaries miss.
pub fn is_accused(report: &Value) -> bool {
    let is_wrong = |one: &Value| one["verdict"] != "pass" && one["kind"] != "canaries";
    report["findings"].as_array().unwrap().iter().any(is_wrong)
}

#[test]
#[ignore = "`just test-all`"]
fn all_compute_who_compute_before_they_lock() {
    let drill = Drill {
        scenario: "cache-stampede",
        news: "publish",
        set: vec!["loads.app.rate=500/s", "loads.app.instances=4", "settle=4s"],
    };
    let Some((right, wrong)) = drill.of_both("asks-first", false) else { return };
    let [right, most] = [&right, &wrong].map(|of| measure(of, "stampede.computations.max"));
    assert_eq!(right, 1.0);
    assert!(most > 80.0, "{most} of a hundred readers");
    assert_eq!(wrong["verdict"], "fail", "{}", wrong["why"]);
}

/// Nobody gets the locks of two processes that have died.
#[test]
#[ignore = "`just test-all`"]
fn a_lock_without_an_expiry_is_found_when_its_holder_dies() {
    let drill = Drill {
        scenario: "cache-stampede-holder",
        news: "publish",
        set: vec![
            "loads.app.rate=300/s",
            "loads.app.instances=2",
            "loads.app.timeout=2s",
            "loads.app.origin.latency=400ms",
            "timeline=[{ at: 1s, do: kill, target: app/actor/0, for: 200ms }, \
             { at: 2s, do: kill, target: app/actor/1, for: 200ms }]",
            "settle=4s",
        ],
    };
    let Some((right, wrong)) = drill.of_both("endless-lock", false) else { return };
    assert!((0.0..4_000.0).contains(&measure(&right, "load.recovered")), "{}", right["why"]);
    assert_eq!(wrong["measures"]["load.recovered"]["value"], Value::Null, "{}", wrong["why"]);
    // On a busy machine nobody knows whose fault that is.
    assert_ne!(wrong["verdict"], "pass", "{}", wrong["why"]);
}

/// A process stands still for longer than its locks last, and for longer than what it asked for is
/// good. Then somebody else has them.
#[test]
#[ignore = "`just test-all`"]
fn a_lock_that_is_given_back_without_its_token_lets_two_compute() {
    let drill = Drill {
        scenario: "cache-stampede-many",
        news: "publish",
        set: vec![
            "loads.app.rate=400/s",
            "loads.app.instances=2",
            "loads.app.keys=20",
            "loads.app.timeout=3s",
            "loads.app.origin.latency=400ms",
            "timeline=[{ at: 1s, do: pause, target: app/actor/0, for: 2s }, \
             { at: 4500ms, do: pause, target: app/actor/1, for: 2s }]",
            "settle=1500ms",
        ],
    };
    let Some((right, wrong)) = drill.of_both("any-lock", false) else { return };
    let [right, most] = [&right, &wrong].map(|of| measure(of, "stampede.computations.max"));
    assert_eq!(right, 1.0);
    assert!(most > 1.0, "{}", wrong["measures"]);
    assert_eq!(wrong["verdict"], "fail", "{}", wrong["why"]);
}

/// The answer is an old one, and is there after the message about the new one.
#[test]
#[ignore = "`just test-all`"]
fn a_fill_that_was_overtaken_by_its_invalidation_is_found() {
    let drill = Drill {
        scenario: "cache-invalidation-race",
        news: "publish",
        set: vec![
            "topology=standalone",
            "loads.app.rate=800/s",
            "loads.app.clients=100",
            "loads.app.instances=2",
            "loads.app.keys=100",
            "loads.app.reads=80%",
            "loads.app.origin.latency=1ms..300ms",
            "settle=4s",
        ],
    };
    drill.finds("keeps-overtaken", "cache.stale.late");
}

/// Who reads between the two leaves the old copy.
#[test]
#[ignore = "`just test-all`"]
fn copies_that_are_dropped_before_the_write_are_put_back() {
    let drill = Drill {
        scenario: "cache-invalidation-race",
        news: "publish",
        set: vec![
            "topology=standalone",
            "loads.app.rate=500/s",
            "loads.app.instances=2",
            "loads.app.keys=50",
            "loads.app.reads=95%",
            "loads.app.origin.latency=5ms",
            "settle=3s",
        ],
    };
    drill.finds("drops-before", "cache.stale.late");
}

#[test]
#[ignore = "`just test-all`"]
fn who_hears_what_one_node_tells_of_all_is_found() {
    let drill = Drill {
        scenario: "cache-invalidation-race",
        news: "keyspace",
        set: vec![
            "loads.app.rate=300/s",
            "loads.app.instances=3",
            "loads.app.keys=50",
            "settle=4s",
        ],
    };
    drill.finds("one-node", "cache.stale.late");
}

/// Three processes that a server tells of changes of what they have read, after `more`.
fn trackers(more: &[&'static str]) -> Drill {
    let set = [
        "topology=standalone",
        "loads.app.rate=300/s",
        "loads.app.instances=3",
        "loads.app.keys=100",
        "loads.app.reads=95%",
        "settle=4s",
    ];
    let set = [&set[..], more].concat();
    Drill { scenario: "cache-invalidation-race", news: "tracking", set }
}

#[test]
#[ignore = "`just test-all`"]
fn a_tracker_that_ignores_a_flush_is_found() {
    trackers(&[]).finds("ignores-flush", "cache.stale.late");
}

#[test]
#[ignore = "`just test-all`"]
fn a_tracker_that_ignores_a_lost_connection_is_found() {
    let killed = "timeline=[{ at: 1500ms, do: client-kill, target: cache/0/0 }]";
    trackers(&[killed]).finds("ignores-loss", "cache.stale.late");
}

#[test]
#[ignore = "`just test-all`"]
fn a_near_copy_with_a_time_of_its_own_is_found() {
    let drill = Drill {
        scenario: "cache-ttl-layers",
        news: "publish",
        set: vec![
            "loads.app.rate=300/s",
            "loads.app.instances=3",
            "loads.app.keys=50",
            "loads.app.layers={ l1: { in: process, ttl: 1s }, l3: { group: cache, ttl: 1500ms } }",
            "settle=4s",
        ],
    };
    drill.finds("keeps-anew", "cache.outlived");
}
