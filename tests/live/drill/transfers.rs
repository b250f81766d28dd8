//! Transfers between accounts on real servers: what holds the two commands together is never
//! found guilty, and what does not is.

use std::collections::BTreeSet;
use std::fs;

use redrill::model::op::{Action, Outcome, Purpose, RegisterOp};
use serde_json::Value;

use crate::drill::place::{Place, run_in_time};

const CLUSTER: &str = "
name: quick
groups:
  cache: { mode: cluster, shards: 3, replicas: 1, config: { cluster-node-timeout: 1000 } }
";

const ONE: &str = "
name: one
groups:
  cache: { mode: standalone }
";

fn play(topology: &str, rest: &str) -> (Place, Option<i32>, String) {
    let place = Place::new();
    fs::write(place.path().join("topology.yaml"), topology).unwrap();
    let text = format!("name: bank\ntopology: ./topology.yaml\n{rest}\n");
    let ran = place.play(&text, &[]);
    (place, ran.code, ran.out + &ran.err)
}

fn count(report: &Value, name: &str) -> f64 {
    report["measures"][name]["value"].as_f64().unwrap_or_else(|| panic!("{name} is not known"))
}

/// A paused server reads what has piled up in pieces, and serves others between two pieces.
fn paused(by: &str) -> (Place, Option<i32>, String) {
    let rest = format!(
        "loads: {{ bank: {{ workload: transfer, by: {by}, rate: 4000/s, keys: 2, instances: 4 }} }}\n\
         timeline: [{{ at: 1s, do: pause, target: all primaries, for: 900ms }}]\nsettle: 1s"
    );
    play(ONE, &rest)
}

#[test]
fn a_plain_pipeline_is_found_guilty() {
    let (report, (code, told)) = run_in_time(|| {
        let (place, code, told) = paused("pipeline");
        (place.report(), (code, told))
    });
    assert_eq!(code, Some(1), "{told}");
    assert!(count(&report, "transfer.torn") >= 1.0, "{told}");
    assert_eq!(count(&report, "transfer.half_done") + count(&report, "transfer.lost"), 0.0);
    assert!(told.contains("reads torn"), "{told}");
    let (_place, code, told) = paused("multi");
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn transactions_scripts_and_watch_are_whole_under_a_reshard_and_a_failover() {
    let load = |by: &str| {
        format!(
            "  {by}: {{ workload: transfer, by: {by}, rate: 400/s, keys: 100, instances: 2 }}\n"
        )
    };
    let loads: String = ["multi", "script", "watch"].into_iter().map(load).collect();
    let rest = format!(
        "loads:\n{loads}timeline:\n  \
         - {{ at: 1s, do: reshard, from: 0, to: 1, slots: 90% }}\n  \
         - {{ at: 2500ms, do: kill, target: primary of shard 1 }}\n\
         settle: 5s\nexpect: [transfer.torn == 0, transfer.half_done == 0]\n\
         reported: [all]"
    );
    let (place, code, told) = play(CLUSTER, &rest);
    assert_eq!(code, Some(0), "{told}");
    let report = place.report();
    assert!(count(&report, "transfer.acknowledged") > 1_000.0, "{told}");
    assert!(count(&report, "redirects.moved") > 0.0 && count(&report, "errors.total") > 0.0);
    let ops = place.ops();
    let part = |op: &&redrill::model::op::Op| op.part.is_some();
    let tried_again = ops.iter().filter(part).count();
    assert!(ops.iter().filter(part).all(|op| op.load == 2), "only WATCH tries again");
    assert!(tried_again == 0 || ops.iter().any(|op| op.part.is_some_and(|part| part.step > 0)));
    place.assert_nothing_left();
}

#[test]
fn two_loads_on_the_same_keys_are_judged_together_and_each_instance_is_told() {
    let rest = "loads:\n  \
                app: { rate: 500/s, keys: 50, instances: 3, connections: 2 }\n  \
                swaps: { workload: cas, rate: 500/s, shares: app }\n\
                timeline: [{ at: 1s, do: reshard, from: 0, to: 1, slots: 50% }]\nsettle: 1s\n\
                expect: [writes.lost == 0, reads.stale == 0, keys.not_linearizable == 0]";
    let (place, code, told) = play(CLUSTER, rest);
    assert_eq!(code, Some(0), "{told}");
    let ops = place.ops();
    assert_eq!(ops.iter().filter(|op| op.purpose == Purpose::Final).count(), 50, "read once");
    assert!(ops.iter().all(|op| op.keyspace() == 0));
    let written = |load: u8| -> BTreeSet<u64> {
        ops.iter().filter(|op| op.load == load).filter_map(|op| op.action.written()).collect()
    };
    let (app, swaps) = (written(0), written(1));
    assert!(app.len() > 200 && swaps.len() > 200 && app.is_disjoint(&swaps));
    // Each has read what the other wrote.
    let found = |load: u8, other: &BTreeSet<u64>| {
        let read = |op: &&redrill::model::op::Op| match op.action {
            Action::Register(RegisterOp::Read(Some(value))) => other.contains(&value),
            _ => false,
        };
        let ok = ops.iter().filter(|op| op.load == load && op.outcome == Outcome::Ok);
        ok.filter(read).count()
    };
    assert!(found(0, &swaps) > 50 && found(1, &app) > 50);
    let instances: BTreeSet<u16> =
        ops.iter().filter(|op| op.load == 0).map(|op| op.instance).collect();
    assert_eq!(instances, BTreeSet::from([0, 1, 2]));
}

/// One of four commands fails. A script ends there.
#[test]
fn what_is_carried_out_in_part_is_counted_and_a_script_leaves_it_torn() {
    let play = |by: &str| {
        let rest = format!(
            "loads: {{ bank: {{ workload: transfer, by: {by}, rate: 400/s, keys: 200, \
                                transfer: {{ accounts: 4, failing: 10%, tagged: false }} }} }}\n\
             settle: 2s\nreported: [all]"
        );
        let (place, code, told) = play(ONE, &rest);
        assert_eq!(code, Some(0), "{by}: {told}");
        let report = place.report();
        assert!(count(&report, "transactions.partial") > 10.0, "{by}: {told}");
        assert!(count(&report, "transfer.acknowledged") > 200.0, "{by}: {told}");
        count(&report, "transactions.torn")
    };
    for by in ["multi", "watch"] {
        assert_eq!(play(by), 0.0, "{by}: all that do not fail are carried out");
    }
    assert!(play("script") > 10.0);
}
