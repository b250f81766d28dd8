//! Links that are cut, slow and lossy, between nodes and clients that know each other by
//! their doors.

use std::fs;

use redrill::model::event::{Phase, What};
use rustix::process::Signal;
use serde_json::Value;

use crate::place::Place;

/// A cluster that misses a primary soon, so that a test need not wait.
const QUICK: &str = "
name: quick
groups:
  cache: { mode: cluster, shards: 3, replicas: 1, config: { cluster-node-timeout: 1000 } }
";

fn scenario(place: &Place, topology: &str, rest: &str) -> String {
    fs::write(place.path().join("quick.yaml"), topology).unwrap();
    format!("name: linked\ntopology: ./quick.yaml\nreported: [all]\n{rest}\n")
}

fn ms(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no instant"))
}

fn measure(report: &Value, name: &str) -> f64 {
    ms(&report["measures"][name]["value"])
}

#[test]
fn a_primary_that_is_cut_off_is_replaced_and_is_a_replica_after_healing() {
    let place = Place::new();
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 500/s, keys: 1000 } }\n\
         timeline: [{ at: 1s, do: partition, target: primary of shard 1, for: 6s }]\n\
         settle: 3s\nexpect: [failover.served <= 6s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let [failover] = &report["failovers"].as_array().unwrap()[..] else {
        panic!("one failover: {}", report["failovers"]);
    };
    assert_eq!((&failover["from"], &failover["to"]), (&"cache/1/0".into(), &"cache/1/1".into()));
    let order = ["injected", "suspected", "agreed", "elected", "propagated"];
    let order = order.map(|phase| ms(&failover[format!("{phase}_ms")]));
    assert!(order.is_sorted(), "{order:?}");
    let healed = ms(&report["steps"][0]["undone_ms"]);
    assert!(order[4] < healed, "they agreed before it healed: {failover}");
    assert!(ms(&failover["redundant_ms"]) >= healed, "the old primary follows: {failover}");
    assert_eq!(report["shards"][1]["primary_after"], "cache/1/1");
    assert!(measure(&report, "downtime.write.max") > 1_000.0, "clients were cut off too");
    assert_eq!(measure(&report, "writes.lost"), 0.0, "nobody could write to the old primary");
    place.assert_nothing_left();
}

/// Clients reach both sides: what the one that was left acknowledges is lost.
#[test]
fn writes_on_the_side_that_loses_are_lost_and_found_to_be() {
    let place = Place::new();
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 1000/s, keys: 30000, reads: 0% } }\n\
         timeline: [{ at: 1s, do: partition, between: [cache/1/0, other nodes], for: 6s }]\n\
         settle: 3s",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    // A third of 1,000 writes a second, for most of a node timeout of 1 s; a key may be
    // overwritten since, which hides that it was lost.
    assert!(measure(&report, "writes.lost") >= 50.0, "{}", report["measures"]["writes.lost"]);
    assert_eq!(report["shards"][1]["primary_after"], "cache/1/1");
}

#[test]
fn a_slow_link_to_clients_shows_in_what_they_feel() {
    let place = Place::new();
    let text = scenario(
        &place,
        "name: one\ngroups: { cache: { mode: replication, replicas: 1 } }",
        "loads: { app: { rate: 200/s, keys: 100 } }\nprobe: { deadline: 500ms }\n\
         timeline: [{ at: 1s, do: latency, between: [clients, others], latency: 40ms, for: 2s }]\n\
         settle: 1s\nexpect: [writes.lost == 0, errors.total == 0]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let p50 = |window: &str| measure(&report, &format!("latency.p50.{window}"));
    assert!((80.0..100.0).contains(&p50("during")), "{}", p50("during"));
    assert!(p50("before") < 20.0 && p50("after") < 20.0, "{}", report["measures"]);
}

#[test]
fn connections_that_are_reset_are_made_again() {
    let place = Place::new();
    let text = scenario(
        &place,
        "name: one\ngroups: { cache: { mode: standalone } }",
        "loads: { app: { rate: 500/s, keys: 100 } }\n\
         timeline: [{ at: 1s, do: reset, between: [clients, others] }]\nsettle: 1s",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert!(ms(&report["loads"][0]["met"]["reconnects"]) >= 1.0, "{}", report["loads"]);
}

#[test]
fn a_link_that_flaps_comes_and_goes() {
    let place = Place::new();
    let text = scenario(
        &place,
        "name: one\ngroups: { cache: { mode: standalone } }",
        "loads: { app: { rate: 200/s, keys: 100 } }\n\
         timeline: [{ at: 1s, do: partition, target: cache/0/0, for: 3s, every: 1s }]\n\
         settle: 1s",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let outages = report["outages"].as_array().unwrap().iter();
    let writes: Vec<&Value> = outages.filter(|outage| outage["action"] == "write").collect();
    let longest = measure(&report, "downtime.write.max");
    assert!(writes.len() >= 3, "three times for each canary: {}", report["outages"]);
    assert!((400.0..900.0).contains(&longest), "half of every second: {longest}");
}

#[test]
fn an_interrupt_while_links_are_cut_leaves_nothing() {
    let place = Place::new();
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 500/s, keys: 1000 } }\n\
         timeline: [{ at: 500ms, do: partition, target: all primaries }]\nsettle: 60s",
    );
    let mut playing = place.start(&text, &[]);
    playing.wait_for("the cut", |what| matches!(what, What::StepInjected { .. }));
    playing.wait_for_phase(Phase::Settle);
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
}

/// Two regions, 40 ms apart: what clients feel depends on where they and their primary are.
const REGIONS: &str = "
name: regions
regions: [near, far]
links: [{ between: [near, far], latency: 40ms }]
groups:
  cache:
    mode: cluster
    shards: 3
    replicas: 1
    placement: { primaries: near, replicas: far }
    config: { cluster-node-timeout: 1000 }
";

#[test]
fn distance_is_felt_by_those_who_are_far() {
    let place = Place::new();
    let text = scenario(
        &place,
        REGIONS,
        "loads:\n  here: { rate: 200/s, keys: 200 }\n  \
         there: { rate: 200/s, keys: 200, region: far }\nsettle: 3s\n\
         expect: [writes.lost == 0, errors.total == 0, downtime.write.max == 0ms]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let median = |load: usize| {
        let p50 = report["series"][load]["p50_ms"].as_array().unwrap();
        let mut known: Vec<f64> = p50.iter().filter_map(Value::as_f64).collect();
        known.sort_by(f64::total_cmp);
        known[known.len() / 2]
    };
    assert!(median(0) < 20.0, "near: {}", median(0));
    assert!((80.0..100.0).contains(&median(1)), "there and back: {}", median(1));
    let crossed = |from: &str, to: &str, class: &str| {
        let places = report["traffic"]["places"].as_array().unwrap();
        let found =
            places.iter().find(|c| c["from"] == from && c["to"] == to && c["class"] == class);
        found.map_or(0, |crossing| crossing["bytes"].as_u64().unwrap())
    };
    for (from, to, class) in [
        ("clients in near", "nodes in near", "client"),
        ("clients in far", "nodes in near", "client"),
        ("nodes in near", "nodes in far", "replication"),
        ("nodes in far", "nodes in near", "bus"),
    ] {
        assert!(
            crossed(from, to, class) > 5_000,
            "{from} to {to}: {}",
            report["traffic"]["places"]
        );
    }
    assert_eq!(crossed("clients in near", "nodes in far", "client"), 0, "primaries are near");
}

#[test]
fn a_cut_between_regions_leaves_the_far_ones_without_an_answer() {
    let place = Place::new();
    let text = scenario(
        &place,
        REGIONS,
        "loads:\n  here: { rate: 200/s, keys: 200 }\n  \
         there: { rate: 200/s, keys: 200, region: far }\n\
         timeline: [{ at: 1s, do: partition, between: [region near, region far], for: 3s }]\n\
         settle: 3s\nexpect: [downtime.write.max == 0ms]",
    );
    let ran = place.play(&text, &[]);
    // Probes are near the primaries, which all of them reach as before.
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let causes = |load: usize| report["loads"][load]["met"]["causes"].to_string();
    assert_eq!(causes(0), "{}", "those who are near feel nothing");
    assert!(causes(1).contains("timeout"), "{}", causes(1));
    let replaced = report["failovers"].as_array().unwrap().iter().filter(|f| !f["to"].is_null());
    assert_eq!(replaced.count(), 0, "replicas have no vote: {}", report["failovers"]);
}
