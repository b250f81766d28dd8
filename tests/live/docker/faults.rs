//! What is done to nodes is done to their containers as it is to processes.

use crate::docker::engine::Engine;
use crate::drill::place::{Place, not_run};

const FAILING: &str = "
name: failing
topology: cluster-3x1
loads: { app: { rate: 500/s, keys: 1000 } }
timeline:
  - { at: 1s, do: pause, target: a replica of shard 0, for: 2500ms }
  - { at: 1500ms, do: pause, target: a replica of shard 0, for: 500ms }
  - { at: 2500ms, do: kill, target: a replica of shard 0, for: 500ms }
  - { at: 2s, do: kill, target: primary of shard 1, for: 6s }
  - { at: 2s, do: restart, target: a replica of shard 2, data: dropped }
settle: 3s
reported: [all]
expect: [failover.served <= 8s, failover.redundant <= 12s]
";

#[test]
fn nodes_fail_and_come_back_in_containers() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let ran = engine.play(&place, FAILING);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let failover = &report["failovers"][0];
    assert_eq!((&failover["from"], &failover["to"]), (&"cache/1/0".into(), &"cache/1/1".into()));
    // The fault's instant is that of the servers' own, and not of an engine that takes its time.
    let instant = |of: &serde_json::Value| of.as_f64().unwrap();
    let of_shard = report["outages"].as_array().unwrap().iter().filter(|o| o["shard"] == 1);
    let length = |outage: &&serde_json::Value| instant(&outage["duration_ms"]);
    let longest = of_shard.max_by(|a, b| length(a).total_cmp(&length(b)));
    let felt = instant(&longest.expect("the shard is not served for a while")["from_ms"]);
    let injected = instant(&failover["injected_ms"]);
    let most = 150.0 + not_run(&report);
    assert!((felt - injected).abs() < most, "injected at {injected}, felt at {felt}");
    for step in report["steps"].as_array().unwrap() {
        assert!(step["error"].is_null(), "{step}");
    }
}

const SHORT: &str = "
name: short
topology: ./durable.yaml
loads: { app: { rate: 300/s, keys: 1000 } }
timeline:
  - { at: 1s, do: slow, target: cache/0/0, cpu: 5%, for: 1s }
  - { at: 3s, do: slow, target: cache/0/0, sleep: 300ms }
  - { at: 4s, do: memory-pressure, target: cache/0/0, maxmemory: 50%, for: 500ms }
  - { at: 5s, do: disk-full, target: cache/0/0, for: 1500ms }
  - { at: 8s, do: slow-disk, target: cache/0/0, write: 20ms, for: 500ms }
  - { at: 9s, do: clock, target: cache/0/0, jump: -2m, for: 500ms }
settle: 1s
expect: [writes.lost == 0]
";

#[test]
fn containers_are_short_of_everything_for_a_while() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let topology =
        "name: durable\ngroups: { cache: { mode: standalone, config: { appendonly: yes } } }\n";
    std::fs::write(place.path().join("durable.yaml"), topology).unwrap();
    let ran = engine.play(&place, SHORT);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    for step in report["steps"].as_array().unwrap() {
        assert!(step["error"].is_null() && !step["undone_ms"].is_null(), "{step}");
    }
    let causes = report["loads"][0]["met"].to_string() + &report["loads"][0].to_string();
    assert!(causes.contains("out_of_memory") && causes.contains("misconf"), "{causes}");
    let answered = report["steps"].as_array().unwrap().last().unwrap()["converged_ms"].as_f64();
    assert!(answered.is_some(), "all is as before");
}
