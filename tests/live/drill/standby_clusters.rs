//! A standby cluster in another region: it is promoted and hands the writes back, shard by shard.

use redrill::model::op::{Cause, Op, Outcome};
use serde_json::Value;

use crate::common::{Ran, heavy_turn, need, run};
use crate::drill::place::{Place, assert_ended_or_busy, assert_no_step_failed};
use crate::drill::ready::promises;

/// 12 servers and 6 replicators share this machine with other tests.
const LIGHT: [&str; 6] = [
    "topology=cluster-standby-2r",
    "loads.near.rate=300/s",
    "loads.far.rate=100/s",
    "loads.ledger.rate=50/s",
    "loads.near.keys=500",
    "probe.canaries=1",
];

fn measure(report: &Value, name: &str) -> f64 {
    report["measures"][name]["value"].as_f64().unwrap_or_else(|| panic!("there is no {name}"))
}

/// The groups whose nodes a step has named, each once.
fn groups_of(report: &Value, step: usize) -> Vec<String> {
    let nodes = report["steps"][step]["nodes"].as_array().unwrap();
    let group = |node: &Value| node.as_str().unwrap().split('/').next().unwrap().to_owned();
    let mut groups: Vec<String> = nodes.iter().map(group).collect();
    groups.sort();
    groups.dedup();
    groups
}

fn play_ready(name: &str, set: &[&str], look: impl Fn(&Value)) {
    let _turn = heavy_turn();
    for server in need::engines() {
        let place = Place::new();
        let mut args = vec!["--profile", "ci", "--engine-binary", server.to_str().unwrap()];
        args.extend(LIGHT.iter().chain(set).flat_map(|set| ["--set", *set]));
        let ran = run(&mut place.run_of(name, &args));
        let report = place.report();
        assert_no_step_failed(&report);
        assert_ended_or_busy(0, &ran, &report);
        promises(&report);
        look(&report);
        place.assert_nothing_left();
    }
}

#[test]
#[ignore = "`just test-all`"]
fn a_standby_cluster_is_promoted_and_the_region_takes_over_again() {
    play_ready("standby-promotion", &[], |report| {
        assert_eq!(
            (groups_of(report, 1), groups_of(report, 2)),
            (vec!["eu".into()], vec!["us".into()])
        );
        let rto = measure(report, "rto");
        assert!(rto > 2_900.0, "nobody takes writes until the promotion: {rto} ms");
        let note = report["steps"][2]["notes"][0].as_str().unwrap();
        assert!(note.starts_with("it had all that eu had after"), "{note}");
        let down = measure(report, "downtime.write.max");
        assert!(down > 2_900.0, "from the death to the promotion nobody can write: {down} ms");
        let far = &report["loads"][1]["figures"];
        assert!(far["before"]["p50_ms"].as_f64() > Some(80.0), "writes cross the link: {far}");
    });
}

#[test]
#[ignore = "`just test-all`"]
fn the_writes_move_to_a_standby_cluster_and_back() {
    // Clients read from the cluster that they believe takes the writes (docs/topologies.md).
    let old_reads = "reported=[reads.stale, keys.not_linearizable]";
    play_ready("fail-back", &[old_reads], |report| {
        assert_eq!(
            (groups_of(report, 0), groups_of(report, 1)),
            (vec!["eu".into()], vec!["us".into()])
        );
        assert_eq!(measure(report, "writes.lost"), 0.0);
        assert_eq!(measure(report, "set.lost"), 0.0);
    });
}

const CLUSTERS: &str = "
topology: cluster-standby-2r
loads:
  near: { group: us, region: us-east, rate: 200/s, clients: 32, instances: 2, keys: 300 }
  far: { group: eu, region: eu-west, shares: near, rate: 100/s, clients: 32, instances: 2 }
  ledger: { group: us, region: us-east, workload: set, rate: 50/s, clients: 32, instances: 2, keys: 50 }
probe: { deadline: 400ms, canaries: 1 }
reported: [all]
settle: 5s
";

/// Plays these steps on clusters, with each server release in turn.
fn play(steps: &str, look: impl Fn(&Place, &Ran, &Value)) {
    let _turn = heavy_turn();
    for server in need::engines() {
        let place = Place::new();
        let text = format!("name: clusters{CLUSTERS}timeline:\n{steps}");
        let ran = place.play(&text, &["--engine-binary", server.to_str().unwrap()]);
        look(&place, &ran, &place.report());
        place.assert_nothing_left();
    }
}

/// The last write of the loads that was done, and the group of the node that did it.
fn last_taker(place: &Place) -> String {
    let ops = place.ops();
    let done = |op: &&Op| op.outcome == Outcome::Ok && op.action.changed() && op.by.is_some();
    let last = ops.iter().filter(done).max_by_key(|op| op.sent).unwrap();
    // Of each load the first six nodes are those of its own group.
    let [own, other] = if last.load == 1 { ["eu", "us"] } else { ["us", "eu"] };
    if last.by < Some(6) { own.to_owned() } else { other.to_owned() }
}

/// It comes back with its data, and has not heard that it was replaced.
#[test]
#[ignore = "`just test-all`"]
fn a_source_that_was_paused_is_a_standby_when_it_goes_on() {
    let steps = "  - { at: 2s, do: pause, group: us, target: all nodes, for: 5s }\n  \
                 - { at: 3s, do: promote, group: eu }\n";
    play(steps, |place, ran, report| {
        assert_no_step_failed(report);
        assert_ended_or_busy(0, ran, report);
        assert_eq!(groups_of(report, 1), ["eu"]);
        assert!(measure(report, "rto") > 900.0);
        assert_eq!(last_taker(place), "eu");
    });
}

/// Until replicators reach it, it takes writes of its own clients. They are carried then.
#[test]
#[ignore = "`just test-all`"]
fn a_source_that_was_cut_off_is_a_standby_when_it_is_reached() {
    let steps = "  - { at: 2s, do: partition, between: [region us-east, region eu-west], for: 5s }\n  \
                 - { at: 3s, do: promote, group: eu }\n";
    play(steps, |place, ran, report| {
        assert_no_step_failed(report);
        assert_ended_or_busy(0, ran, report);
        let ops = place.ops();
        let both = |load: u8| {
            let done = ops.iter().filter(|op| op.load == load && op.outcome == Outcome::Ok);
            let cut = done.filter(|op| (4..6).contains(&(seconds(report, op) as i64)));
            cut.filter(|op| op.by < Some(6) && op.action.changed()).count()
        };
        assert!(both(0) > 20 && both(1) > 20, "each side takes writes: {} {}", both(0), both(1));
        // Whoever writes to us is sent away, unless it hears of the new term first.
        assert_eq!(last_taker(place), "eu");
        assert_eq!(measure(report, "set.lost"), 0.0, "what us took meanwhile is carried");
    });
}

/// Since the first step was planned, less its own two seconds.
fn seconds(report: &Value, op: &Op) -> f64 {
    let first = report["steps"][0]["began_ms"].as_f64().unwrap();
    (op.sent.0 as f64 / 1e6 - first) / 1e3 + 2.0
}

/// The second one comes after the first one, and nobody else takes writes then.
#[test]
#[ignore = "`just test-all`"]
fn of_two_promotions_of_clusters_at_once_one_comes_after_the_other() {
    let steps = "  - { at: 2s, do: promote, group: eu }\n  - { at: 2s, do: promote, group: eu }\n  \
                 - { at: 4s, do: fail-back, group: us }\n  - { at: 4s, do: promote, group: eu }\n";
    play(steps, |_, ran, report| {
        let notes = report["steps"].to_string();
        assert!(notes.contains("it took the writes already"), "{notes}");
        // A promotion asks nobody, so the handing back may come too late.
        let failed = report["steps"][2]["error"].as_str().unwrap_or_default();
        assert!(failed.is_empty() || failed.contains("decided meanwhile"), "{failed}");
        assert_ended_or_busy(i32::from(!failed.is_empty()), ran, report);
    });
}

/// A shard loses its primary while the writes move.
#[test]
#[ignore = "`just test-all`"]
fn a_shard_fails_over_while_the_writes_move() {
    let steps = "  - { at: 2s, do: kill, group: us, target: primary of shard 0, for: 8s }\n  \
                 - { at: 2050ms, do: fail-back, group: eu }\n  \
                 - { at: 12s, do: fail-back, group: us }\n";
    play(steps, |place, ran, report| {
        assert_no_step_failed(report);
        assert_ended_or_busy(0, ran, report);
        assert_eq!(last_taker(place), "us");
    });
}

/// Nobody brings what is written in a shard to the group that is to take over.
#[test]
#[ignore = "`just test-all`"]
fn without_a_replicator_the_writes_go_on_where_they_are() {
    let steps = "  - { at: 1s, do: kill, target: us-to-eu/actor/1 }\n  \
                 - { at: 2s, do: fail-back, group: eu }\n";
    play(steps, |place, ran, report| {
        let why = report["steps"][1]["error"].as_str().unwrap_or_default();
        let expected = "has not copied all data after 60 s, and writes go on where they were";
        assert!(why.contains(expected), "{why}");
        assert_ended_or_busy(1, ran, report);
        assert_eq!(last_taker(place), "us");
        let refused = |op: &Op| op.outcome == Outcome::Fail(Cause::Standby);
        assert!(!place.ops().iter().any(refused), "nobody waited");
    });
}
