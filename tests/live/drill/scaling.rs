//! Clusters that grow and become smaller while clients use them.

use std::collections::BTreeSet;

use redrill::model::Password;
use redrill::model::event::EventKind;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{assert_redis_cli_agrees, client, need, servers_in, until};
use crate::drill::failover::{ms, scenario};
use crate::drill::place::{MOST, Place, assert_passed_or_busy, events};

/// The nodes that the server at `address` knows, but for their addresses and instants.
fn known(address: &str, password: Option<&Password>) -> BTreeSet<String> {
    let mut connection = client(address, password).get_connection().unwrap();
    let lines: String = redis::cmd("CLUSTER").arg("NODES").query(&mut connection).unwrap();
    lines.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// A shard and a replica join, slots and all, and another shard leaves.
fn grows_and_shrinks(args: &[&str]) {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 500ms, do: add-shard, pace: fast },
          { at: 1s, do: add-replica, shard: 0 },
          { at: 1500ms, do: remove-shard, shard: 1 }]",
        "settle: 3s",
    )
    .replace("reported: [all]\n", "");
    let text = format!("{text}\nexpect: [writes.lost == 0, downtime.write.max <= 10s]");
    let mut playing = place.start(&text, &[&["--keep"], args].concat());
    playing.wait_for_words("The topology is up until Ctrl-C");
    let report = place.report();
    let steps = report["steps"].as_array().unwrap();
    for step in steps {
        assert_eq!(step["error"], Value::Null, "{step}");
        assert!(ms(&step["converged_ms"]) >= ms(&step["began_ms"]), "{step}");
    }
    assert_eq!(steps[0]["joined"], serde_json::json!(["cache/3/0", "cache/3/1"]));
    assert_eq!(steps[1]["joined"], serde_json::json!(["cache/0/2"]));
    let left: BTreeSet<&str> =
        steps[2]["left"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(left, ["cache/1/0", "cache/1/1"].into());
    // Who joined has its place in the history.
    let told = events(&place.folder());
    let info = told.iter().find_map(|event| match &event.kind {
        EventKind::Drill(info) => Some(info),
        _ => None,
    });
    assert_eq!(info.unwrap().loads[0].nodes[6].to_string(), "cache/3/0");
    assert!(place.ops().iter().any(|op| op.by == Some(6)), "it has answered");
    let slots: Vec<&Value> =
        report["shards"].as_array().unwrap().iter().map(|shard| &shard["slots_after"]).collect();
    assert_eq!(slots[1], &Value::Null, "it has left: {slots:?}");
    let kept: u64 = slots.iter().filter_map(|slots| slots.as_u64()).sum();
    assert_eq!(kept, 16_384, "{slots:?}");
    assert!(slots[3].as_u64().unwrap() >= 5_460, "{slots:?}");

    // By the servers' own account: four of six are left, and three have joined.
    let record = &place.records()[0];
    let born: Vec<String> = record.nodes.iter().map(|node| node.address.clone()).collect();
    let password = record.password();
    let sees = known(&born[0], password.as_ref());
    assert_eq!(sees.len(), 7, "{sees:?}");
    for at in [1, 4, 5] {
        assert_eq!(known(&born[at], password.as_ref()), sees);
    }
    assert_redis_cli_agrees(&born[0], password.as_ref());
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_passed_or_busy(&ran, &report);
    place.assert_nothing_left();
}

#[test]
fn a_shard_joins_a_replica_joins_a_shard_leaves_on_every_engine() {
    for server in need::engines() {
        grows_and_shrinks(&["--engine-binary", server.to_str().unwrap()]);
    }
}

#[test]
fn an_empty_shard_can_be_filled_by_a_reshard() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 500ms, do: add-shard, slots: none },
          { at: 1s, do: reshard, from: 0, to: 3, slots: 100, pace: fast }]",
        "settle: 1s",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_eq!(place.report()["shards"][3]["slots_after"], 100);
}

/// They have names before they are there, and later steps may say them.
#[test]
#[ignore = "`just test-all`"]
fn whoever_joined_can_be_meant_by_name() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 500ms, do: add-replica, shard: 1 },
          { at: 600ms, do: add-shard, slots: none },
          { at: 15s, do: pause, target: cache/1/2, for: 200ms },
          { at: 15s, do: kill, target: cache/3/1, for: 500ms },
          { at: 17s, do: restart, target: cache/3/0 },
          { at: 17s, do: kill, target: cache/1/2, for: 500ms }]",
        "settle: 3s\nexpect: [downtime.write.max <= 10s]",
    );
    let ran = place.play(&text, &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    let report = place.report();
    let steps = report["steps"].as_array().unwrap();
    let hit: Vec<&Value> = steps.iter().map(|step| &step["nodes"]).collect();
    for step in steps {
        assert_eq!(step["error"], Value::Null, "{step}");
    }
    let named = ["cache/1/2", "cache/3/1", "cache/3/0", "cache/1/2"];
    assert_eq!(hit[2..], named.map(|name| serde_json::json!([name])).each_ref()[..]);
    place.assert_nothing_left();
}

/// What it knows is in its file: it is told when it is back.
#[test]
#[ignore = "`just test-all`"]
fn who_is_dead_while_a_shard_leaves_forgets_it_afterwards() {
    let place = Place::new();
    let text = scenario(
        &place,
        "[{ at: 300ms, do: add-shard, slots: none },
          { at: 6s, do: kill, target: cache/0/1, for: 8s },
          { at: 6500ms, do: remove-shard, shard: 3 }]",
        "settle: 4s",
    );
    let mut playing = place.start(&text, &["--keep"]);
    playing.wait_for_words("The topology is up until Ctrl-C");
    let report = place.report();
    let steps = report["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["error"].is_null()), "{steps:?}");
    let within = ms(&steps[2]["began_ms"])..ms(&steps[1]["undone_ms"]);
    assert!(within.contains(&ms(&steps[2]["ended_ms"])), "it was dead just then: {steps:?}");
    assert_eq!(report["disagreements"], serde_json::json!([]));
    let record = &place.records()[0];
    for node in &record.nodes {
        assert_eq!(known(&node.address, record.password().as_ref()).len(), 6, "{}", node.name);
    }
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_passed_or_busy(&ran, &report);
    place.assert_nothing_left();
}

#[test]
fn an_interrupt_while_a_shard_joins_leaves_nothing() {
    let place = Place::new();
    let timeline = "[{ at: 100ms, do: add-shard }, { at: 200ms, do: remove-shard, shard: 0 }]";
    let playing = place.start(&scenario(&place, timeline, "settle: 60s"), &[]);
    assert!(until(MOST, || servers_in(place.path()).len() > 6), "{}", playing.errors());
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
}
