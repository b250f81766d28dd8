//! Two hundred nodes on one machine: redrill's own questions stay within their budget, and the
//! drill says what happened. Two cores have just room for the nodes and an optimized redrill, so this
//! test has a recipe of its own.

use std::fs;

use serde_json::Value;

use crate::common::heavy_turn;
use crate::drill::place::Place;

const CROWD: &str = "
name: crowd
groups:
  cache:
    mode: cluster
    shards: 100
    replicas: 1
    config: { cluster-node-timeout: 15000 }
";

/// At a shorter time-out the servers' own gossip takes more than two cores.
const KILLED: &str = "
name: crowd
topology: crowd.yaml
loads: { app: { rate: 1000/s, clients: 32, instances: 4, keys: 20000 } }
timeline: [{ at: 5s, do: kill, target: primary of shard 40 }]
settle: 45s
reported: [all]
expect:
  - failovers == 1
  - failover.served <= 60s
  - redrill.requests <= 2000/s
  - schedule.held >= 90%
";

#[test]
#[ignore = "`just alone`"]
fn two_hundred_nodes_are_drilled_within_the_budget() {
    let _turn = heavy_turn();
    let place = Place::new();
    fs::write(place.path().join("crowd.yaml"), CROWD).unwrap();
    let ran = place.play(KILLED, &["--backend", "process"]);
    let report = place.report();
    assert_eq!(report["verdict"], "pass", "{}: {}", report["why"], ran.out);
    assert_eq!(report["disagreements"], Value::Array(Vec::new()));
    // Half of the budget is for 100 shards, a read and a write each: five turns a second.
    assert_eq!(report["probe"]["turn_ms"], 200.0);
    let outage = &report["outages"][0];
    assert_eq!((&outage["group"], &outage["shard"]), (&"cache".into(), &40.into()), "{outage}");
    place.assert_nothing_left();
}
