//! Nodes that die, stand still and come back: what happened, when, and that all of it is
//! undone.

use std::fs;
use std::path::Path;

use redrill::model::event::Phase;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::need;
use crate::drill::place::{Place, assert_ended_or_busy, assert_no_step_failed, not_run};

/// A cluster that misses a primary soon, so that a test need not wait.
pub fn scenario(place: &Place, timeline: &str, rest: &str) -> String {
    let topology = "
name: quick
groups:
  cache: { mode: cluster, shards: 3, replicas: 1, config: { cluster-node-timeout: 1000 } }
";
    fs::write(place.path().join("quick.yaml"), topology).unwrap();
    format!(
        "name: failing\ntopology: ./quick.yaml\nloads: {{ app: {{ rate: 500/s, keys: 1000 }} }}\n\
         timeline: {timeline}\nreported: [all]\n{rest}\n"
    )
}

pub fn ms(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no instant"))
}

/// When a line of one of the logs that `wanted` accepts was written first, in milliseconds
/// of its day.
fn logged(folder: &Path, wanted: impl Fn(&str) -> bool) -> f64 {
    let logs = fs::read_dir(folder.join("logs")).unwrap();
    let lines = logs.flat_map(|log| {
        let text = fs::read_to_string(log.unwrap().path()).unwrap();
        text.lines().filter(|line| wanted(line)).map(time_of).collect::<Vec<f64>>()
    });
    lines.min_by(f64::total_cmp).expect("a server says so")
}

/// `10194:S 21 Nov 2026 11:07:18.458 * …`
pub fn time_of(line: &str) -> f64 {
    let clock = line.split_whitespace().nth(4).unwrap();
    let parts: Vec<f64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
    (parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]) * 1e3
}

#[test]
fn the_phases_are_those_of_the_servers_own_logs() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 1s, do: kill, target: primary of shard 1 }]",
        "settle: 6s\nexpect: [failover.served <= 6s]",
    );
    // Without it, a suspicion is no line.
    let file = place.path().join("quick.yaml");
    let told =
        fs::read_to_string(&file).unwrap().replace("config: {", "config: { loglevel: debug,");
    fs::write(&file, told).unwrap();
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let folder = place.folder();
    let [failover] = &report["failovers"].as_array().unwrap()[..] else {
        panic!("one failover: {}", report["failovers"]);
    };
    assert_eq!((&failover["from"], &failover["to"]), (&"cache/1/0".into(), &"cache/1/1".into()));
    // Its replica notices the death at once, and says when.
    let died = logged(&folder, |line| line.contains("Connection with") && line.contains("lost"));
    let failed = |line: &str| line.contains("as failing (quorum") || line.contains("FAIL message");
    let agreed = logged(&folder, failed) - died;
    let suspected = logged(&folder, |line| line.contains("possibly failing")) - died;
    let elected = logged(&folder, |line| line.contains("Failover election won")) - died;
    let since = |phase: &str| ms(&failover[phase]) - ms(&failover["injected_ms"]);
    let most = 100.0 + not_run(&report);
    let told = [("suspected_ms", suspected), ("agreed_ms", agreed), ("elected_ms", elected)];
    for (phase, logged) in told {
        let off = since(phase) - logged;
        assert!(off.abs() <= most, "{phase}: {} and {logged} in the logs", since(phase));
    }
    let order = ["injected", "suspected", "agreed", "elected", "propagated"];
    let order = order.map(|phase| ms(&failover[format!("{phase}_ms")]));
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(failover["redundant_ms"], Value::Null, "what came back at the end does not count");
    let outage = ms(&report["measures"]["downtime.write.max"]["value"]);
    let served = ms(&report["measures"]["failover.served"]["value"]);
    assert!((outage - served).abs() <= 100.0 + most, "down for {outage}, served after {served}");
    place.assert_nothing_left();
}

/// Agreement holds for a moment after the death, until it is noticed: that is no convergence.
#[test]
fn a_shard_that_nobody_serves_again_breaks_its_bound() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 1s, do: kill, target: primary of shard 1 }]",
        "settle: 5s\nexpect: [failover.served <= 3s]",
    );
    let ran = place.play(&text, &["--set", "groups.cache.replicas=0"]);
    let report = place.report();
    assert_ended_or_busy(1, &ran, &report);
    // It is back when the final state is read, and all have heard of it.
    let read = &report["final_read"];
    assert!(ms(&read["undone_ms"]) <= ms(&read["agreed_ms"]), "{read}");
    assert!(ms(&read["agreed_ms"]) + 2_000.0 <= ms(&read["at_ms"]), "{read}");
    let failover = &report["failovers"][0];
    assert_eq!((&failover["to"], &failover["served_ms"]), (&Value::Null, &Value::Null));
    assert!(ms(&failover["unserved_until_ms"]) > ms(&failover["agreed_ms"]), "{failover}");
    assert!(ran.out.contains("not served again in "), "{}", ran.out);
    let step = &report["steps"][0];
    assert_eq!((&step["view_converged_ms"], &step["converged_ms"]), (&Value::Null, &Value::Null));
    assert_eq!(report["measures"]["latency.p99.after"]["value"], Value::Null, "all is during");
}

#[test]
fn a_primary_that_stood_still_comes_back_as_a_replica() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 1s, do: pause, target: cache/1/0, for: 5s }]",
        "settle: 3s\nexpect: [failover.redundant <= 9s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert_eq!(report["failovers"][0]["to"], "cache/1/1", "{}", report["failovers"]);
    assert!(ms(&report["failovers"][0]["redundant_ms"]) > ms(&report["steps"][0]["undone_ms"]));
    assert_eq!(report["shards"][1]["primary_after"], "cache/1/1");
}

#[test]
fn a_replica_that_is_told_to_takes_over_and_nobody_dies() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 1s, do: failover, target: a replica of shard 2 }]",
        "settle: 2s\nexpect: [writes.acknowledged >= 1, downtime.write.max <= 2s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let failover = &place.report()["failovers"][0];
    assert_eq!((&failover["shard"], &failover["to"]), (&2.into(), &"cache/2/1".into()));
    assert_eq!((&failover["suspected_ms"], &failover["agreed_ms"]), (&Value::Null, &Value::Null));
    assert!(ms(&failover["redundant_ms"]) >= ms(&failover["elected_ms"]));
}

#[test]
fn what_cannot_be_done_fails_its_step_and_is_told() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 200ms, do: kill, target: a replica of shard 1 },
          { at: 400ms, do: pause, target: cache/1/1 },
          { at: 600ms, do: kill, target: cache/1/1, for: 1s },
          { at: 800ms, do: failover, target: cache/0/0 }]",
        "settle: 1s",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let report = place.report();
    let errors: Vec<&Value> =
        report["steps"].as_array().unwrap().iter().map(|step| &step["error"]).collect();
    assert_eq!(errors[..3], [&Value::Null, &"cache/1/1 is down already".into(), errors[1]]);
    assert!(errors[3].as_str().unwrap().contains("CLUSTER FAILOVER"), "{}", errors[3]);
    place.assert_nothing_left();
}

/// The primary cannot hand over while it stands still, and nobody misses it so soon. The replica gives
/// up after 5 s, and says so in its log only.
#[test]
#[ignore = "`just test-all`"]
fn a_handover_that_never_comes_fails_its_step() {
    let place = Place::new();
    let timeline = "[{ at: 200ms, do: pause, target: cache/1/0, for: 8s },
                     { at: 500ms, do: failover, target: cache/1/1 }]";
    let text = scenario(&place, timeline, "settle: 1s");
    let file = place.path().join("quick.yaml");
    let patient = fs::read_to_string(&file).unwrap().replace("timeout: 1000", "timeout: 30000");
    fs::write(&file, patient).unwrap();
    let ran = place.play(&text, &[]);
    let report = place.report();
    let error = report["steps"][1]["error"].as_str().unwrap_or_default();
    assert!(error.contains("cache/1/1 is not primary 6 s later"), "{error} {}", ran.out);
    assert_ne!(report["verdict"], "pass");
    let logged = report["logged"].as_array().unwrap();
    let explains = |line: &&Value| {
        line["text"].as_str().unwrap().ends_with("Manual failover timed out.")
            && line["topic"] == "failover"
    };
    assert!(logged.iter().any(|line| explains(&line)), "{logged:?}");
    assert!(ran.out.contains("What servers logged"), "{}", ran.out);
    place.assert_nothing_left();
}

#[test]
fn faults_that_overlap_are_each_undone() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 200ms, do: pause, target: cache/1/1, for: 2s },
          { at: 400ms, do: kill, target: cache/1/1, for: 500ms },
          { at: 600ms, do: pause, target: cache/2/1 }]",
        "settle: 1s\nexpect: [errors.share <= 20%]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    for step in report["steps"].as_array().unwrap() {
        assert!(ms(&step["undone_ms"]) >= ms(&step["began_ms"]), "{step}");
    }
}

#[test]
fn the_seed_draws_the_targets() {
    let drawn = |seed: &str| {
        let place = Place::new();
        let text = scenario(
            &place,
            "[{ at: 100ms, do: pause, target: random replica, for: 100ms },
              { at: 300ms, do: pause, target: a minority of primaries, for: 100ms }]",
            "settle: 300ms",
        );
        let ran = place.play(&text, &["--seed", seed]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        let steps = place.report()["steps"].clone();
        (steps[0]["nodes"].clone(), steps[1]["nodes"].clone())
    };
    let first = drawn("3");
    assert_eq!(first, drawn("3"));
    assert!(["4", "5", "6", "7"].into_iter().any(|seed| drawn(seed) != first));
}

#[test]
fn an_interrupt_leaves_nobody_paused() {
    let place = Place::new();
    let text = scenario(&place, "[{ at: 100ms, do: pause, target: all primaries }]", "settle: 60s");
    let mut playing = place.start(&text, &[]);
    playing.wait_for_phase(Phase::Settle);
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
}

#[test]
fn a_step_does_not_wait_long_for_nodes_that_stand_still() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 200ms, do: pause, target: all replicas, for: 3s },
          { at: 500ms, do: pause, target: primary of shard 1, for: 100ms },
          { at: 700ms, do: pause, target: cache/2/0, for: 100ms },
          { at: 4s, do: pause, target: cache/0/1, for: 1s },
          { at: 4500ms, do: pause, target: primary of shard 1, for: 100ms }]",
        "settle: 1s\nexpect: [errors.share <= 50%]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let waited = |step: usize| {
        let step = &report["steps"][step];
        ms(&step["hits"][0]["at_ms"]) - ms(&step["began_ms"])
    };
    assert!(waited(1) < 1_000.0, "by its role: after {} ms", waited(1));
    // Each of those that stand still would have been waited for for 300 ms.
    assert!(waited(2) < 300.0, "by its name: after {} ms", waited(2));
    assert!(waited(4) < 300.0, "most others answer: after {} ms", waited(4));
}

#[test]
fn what_cannot_be_undone_is_told_and_the_drill_goes_on() {
    let place = Place::new();
    let server = place.path().join("server-of-its-own");
    fs::copy(crate::common::server(), &server).unwrap();
    let text = scenario(
        &place,
        "[{ at: 500ms, do: kill, target: cache/2/1, for: 2s }]",
        "settle: 1s\nexpect: [writes.acknowledged >= 100]",
    );
    let mut playing = place.start(&text, &["--engine-binary", server.to_str().unwrap()]);
    playing.wait_for_phase(Phase::Steps);
    fs::remove_file(&server).unwrap();
    let ran = playing.end();
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert_eq!(report["completed"], true, "{}", ran.err);
    let why = report["why"].to_string();
    assert!(why.contains("that is no fault of the servers"), "{why}");
    let error = report["steps"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("it could not be undone: "), "{error}");
    assert!(error.contains("cache/2/1") && error.contains("server-of-its-own"), "{error}");
    place.assert_nothing_left();
}

/// Connections that redrill keeps for asking break with their server: who is told something
/// afterwards hears of it all the same.
#[test]
fn what_was_restarted_can_be_told_something_at_once() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 500ms, do: pause, target: a replica of shard 0, for: 100ms },
          { at: 1s, do: restart, target: cache/2/1 },
          { at: 1s, do: restart, target: cache/1/1 },
          { at: 3s, do: failover, target: cache/2/1 },
          { at: 4s, do: failover, target: cache/1/1, force: force }]",
        "settle: 2s",
    );
    let ran = place.play(&text, &[]);
    let report = place.report();
    assert_no_step_failed(&report);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

/// Loads and probes have a connection each to a node: clients that had not come back could not
/// be ended again in the next round.
#[test]
fn clients_whose_connections_are_ended_come_back() {
    for engine in need::engines() {
        let place = Place::new();
        let text = scenario(
            &place,
            "[{ at: 1s, do: client-kill, target: primary of shard 0 },
              { at: 2s, do: client-kill, target: primary of shard 0, kind: replica },
              { at: 3s, do: client-kill, target: primary of shard 1, every: 200ms, for: 1s }]",
            "settle: 3s",
        );
        let engine = engine.display().to_string();
        let ran = place.play(&text, &["--engine-binary", &engine]);
        assert_eq!(ran.code, Some(0), "{engine}: {}{}", ran.out, ran.err);
        let report = place.report();
        assert_no_step_failed(&report);
        assert_eq!(report["failovers"], Value::Array(vec![]), "redrill's own eyes are spared");
        let steps = report["steps"].as_array().unwrap().iter();
        let notes = steps.flat_map(|step| step["notes"].as_array().unwrap());
        let notes: Vec<&str> = notes.map(|note| note.as_str().unwrap()).collect();
        let page = std::fs::read_to_string(place.folder().join("report.md")).unwrap();
        assert!(notes.iter().all(|note| page.contains(note)), "{notes:?}: {page}");
        let ended = |node: &str, kind: &str| -> u64 {
            let of = |text: &&&str| {
                text.starts_with(&format!("{node} ended "))
                    && text.ends_with(&format!(" of {kind} clients"))
            };
            let text = notes.iter().find(of).unwrap_or_else(|| panic!("{engine}: {notes:?}"));
            text.split(' ').nth(2).unwrap().parse().unwrap()
        };
        assert!(ended("cache/0/0", "normal") >= 2, "{notes:?}");
        assert_eq!(ended("cache/0/0", "replica"), 1, "{notes:?}");
        assert!(ended("cache/1/0", "normal") >= 6, "in five rounds: {notes:?}");
        assert!(ms(&report["steps"][2]["undone_ms"]) - ms(&report["steps"][2]["began_ms"]) >= 1e3);
        assert!(report["loads"][0]["met"]["reconnects"].as_u64().unwrap() >= 3);
    }
}
