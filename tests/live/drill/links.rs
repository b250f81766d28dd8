//! Links that are cut, slow and lossy, between nodes and clients that know each other by
//! their doors: of processes, and from tests/live/docker of containers (there, all of them only
//! in `just test-all`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::time::Duration;

use redrill::load::history;
use redrill::model::Nanos;
use redrill::model::event::{EventKind, Phase};
use redrill::model::op::{Op, Outcome, Purpose};
use redrill::node::NodeLine;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{client, until};
use crate::drill::place::{Place, assert_ended_or_busy};

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
    let Some(place) = super::linked() else { return };
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 500/s, keys: 1000 } }\n\
         timeline: [{ at: 1s, do: partition, target: primary of shard 1, for: 6s }]\n\
         settle: 3s\nexpect: [failover.served <= 6s]",
    );
    let ran = place.play(&text, super::BACKEND);
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
    // cache/1/0 is the third of the nodes.
    place.assert_cut_off_from_writers(2);
    place.assert_nothing_left();
}

#[test]
fn a_slow_link_to_clients_shows_in_what_they_feel() {
    let Some(place) = super::linked_alike() else { return };
    let text = scenario(
        &place,
        "name: one\ngroups: { cache: { mode: replication, replicas: 1 } }",
        "loads: { app: { rate: 200/s, keys: 100 } }\nprobe: { deadline: 500ms }\n\
         timeline: [{ at: 1s, do: latency, between: [clients, others], latency: 40ms, for: 2s }]\n\
         settle: 1s\nexpect: [writes.lost == 0, errors.total == 0]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let p50 = |window: &str| measure(&report, &format!("latency.p50.{window}"));
    // Both ways, and not twice; a busy machine adds what it adds before and after as well.
    assert!((80.0..160.0).contains(&p50("during")), "{}", p50("during"));
    assert!(p50("before") < 80.0 && p50("after") < 80.0, "{}", report["measures"]);
}

/// One server that no other talks to, probed seldom: a link that is slow has little to carry.
fn alone(place: &Place, load: &str, timeline: &str) -> String {
    scenario(
        place,
        "name: one\ngroups: { cache: { mode: standalone } }",
        &format!(
            "loads: {{ app: {load} }}\nprobe: {{ every: 100ms, deadline: 500ms, canaries: 1 }}\n\
             timeline: {timeline}\nsettle: 1s"
        ),
    )
}

/// How long operations took that were due while the step was well at work, the quickest first.
fn latencies(place: &Place, report: &Value) -> Vec<f64> {
    let step = &report["steps"][0];
    latencies_of(place, (ms(&step["began_ms"]) + 200.0)..(ms(&step["undone_ms"]) - 200.0))
}

/// How long the quickest operation took that was due after the step. On a busy machine many are
/// slow, and one that is quick shows that the link no longer is the cause.
fn quickest_after(place: &Place, report: &Value) -> f64 {
    latencies_of(place, (ms(&report["steps"][0]["undone_ms"]) + 200.0)..f64::INFINITY)[0]
}

/// How long operations took that were due in these milliseconds, the quickest first.
fn latencies_of(place: &Place, due: Range<f64>) -> Vec<f64> {
    let in_ms = |at: Nanos| at.0 as f64 / 1e6;
    let during = |op: &Op| op.purpose == Purpose::Load && due.contains(&in_ms(op.intended));
    let ops = history::read(&place.folder().join("history.jsonl.zst")).unwrap().map(Result::unwrap);
    let mut all: Vec<f64> =
        ops.filter(during).map(|op| in_ms(op.done) - in_ms(op.intended)).collect();
    all.sort_by(f64::total_cmp);
    all
}

#[test]
fn jitter_of_a_normal_distribution_goes_beyond_its_deviation() {
    let Some(place) = super::linked_alike() else { return };
    let text = alone(
        &place,
        "{ rate: 60/s, keys: 100, instances: 4 }",
        "[{ at: 1s, do: latency, between: [clients, others], latency: 40ms, \
         jitter: normal(10ms), for: 5s }]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let all = latencies(&place, &report);
    assert!(all.len() > 100, "{all:?}");
    // 60 ms are the least that a uniform one of 10 ms each way would give, and 80 the middle.
    assert!(all[0] < 58.0 && all[0] > 0.0, "{all:?}");
    let middle = all[all.len() / 2];
    assert!((70.0..140.0).contains(&middle), "{middle}: {all:?}");
    let after = quickest_after(&place, &report);
    assert!(after < 20.0, "{after}: {}", report["measures"]);
}

#[test]
fn a_trickle_takes_its_time_for_each_answer() {
    let Some(place) = super::linked_alike() else { return };
    // An answer is 108 bytes long: six pieces, with five rests between them.
    let text = alone(
        &place,
        "{ rate: 10/s, keys: 100, reads: 100%, value: 100B }",
        "[{ at: 2s, do: trickle, from: cache/0/0, to: clients, bytes: 20B, rest: 10ms, for: 3s }]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let all = latencies(&place, &report);
    assert!(all.len() > 20 && all[0] >= 49.0, "{all:?}");
    let during = measure(&report, "latency.p50.during");
    assert!((49.0..140.0).contains(&during), "{during}");
    let after = quickest_after(&place, &report);
    assert!(after < 20.0, "{after}: {}", report["measures"]);
}

/// What clients and the one node said to each other: connections, and resets.
fn opened(report: &Value) -> (f64, f64) {
    let rows = report["traffic"]["nodes"].as_array().unwrap().iter();
    let rows: Vec<&Value> = rows.filter(|row| row["class"] == "client").collect();
    let sum = |key: &str| rows.iter().map(|row| ms(&row[key])).sum();
    (sum("connections"), sum("resets"))
}

#[test]
fn new_connections_are_refused_until_it_is_over_and_open_ones_go_on() {
    let Some(place) = super::linked_alike() else { return };
    let text = alone(
        &place,
        "{ rate: 200/s, keys: 100 }",
        "[{ at: 1s, do: refuse, between: [clients, others], for: 3s },
          { at: 2s, do: reset, between: [clients, others] }]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let healed = ms(&report["steps"][0]["undone_ms"]);
    let reset = ms(&report["steps"][1]["began_ms"]);
    let outages = report["outages"].as_array().unwrap();
    assert!(!outages.is_empty());
    for outage in outages {
        let (from, to) = (ms(&outage["from_ms"]), ms(&outage["to_ms"]));
        // A probe that is on its way at the reset was sent before.
        assert!(from > reset - 500.0 && from < reset + 500.0, "from the reset on: {outage}");
        assert!(to > healed && to < healed + 1_000.0, "until it heals at {healed}: {outage}");
    }
    let (connections, resets) = opened(&report);
    assert!(resets > connections, "{connections} {resets}");
}

/// Connections are reset again and again, and each is made again by chance.
#[test]
fn a_share_of_new_connections_is_refused() {
    let Some(place) = super::linked_alike() else { return };
    let resets: Vec<String> = (0..8)
        .map(|n| format!("{{ at: {}ms, do: reset, between: [clients, others] }}", 1200 + 300 * n))
        .collect();
    let text = alone(
        &place,
        "{ rate: 200/s, keys: 100 }",
        &format!(
            "[{{ at: 1s, do: refuse, between: [clients, others], share: 50%, for: 4s }}, {}]",
            resets.join(", ")
        ),
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let (connections, resets) = opened(&report);
    // Each connection that was let in was reset once, but for the last ones; any more are refusals.
    assert!(resets > connections && connections >= 9.0, "{connections} {resets}");
    let longest = measure(&report, "downtime.write.max");
    assert!(longest < 2_000.0, "some are let in, and nobody waits until it heals: {longest}");
}

#[test]
fn connections_that_are_reset_are_made_again() {
    let Some(place) = super::linked() else { return };
    let text = scenario(
        &place,
        "name: one\ngroups: { cache: { mode: standalone } }",
        "loads: { app: { rate: 500/s, keys: 100 } }\n\
         timeline: [{ at: 1s, do: reset, between: [clients, others] }]\nsettle: 1s",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert!(ms(&report["loads"][0]["met"]["reconnects"]) >= 1.0, "{}", report["loads"]);
}

#[test]
fn a_link_that_flaps_comes_and_goes() {
    let Some(place) = super::linked_alike() else { return };
    let text = scenario(
        &place,
        "name: one\ngroups: { cache: { mode: standalone } }",
        "loads: { app: { rate: 200/s, keys: 100 } }\n\
         timeline: [{ at: 1s, do: partition, target: cache/0/0, for: 3s, every: 1s }]\n\
         settle: 1s",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let outages = report["outages"].as_array().unwrap().iter();
    let writes: Vec<&Value> = outages.filter(|outage| outage["action"] == "write").collect();
    let longest = measure(&report, "downtime.write.max");
    assert!(writes.len() >= 3, "three times for each canary: {}", report["outages"]);
    // Two cuts with nothing between them would be 1.5 s.
    assert!((400.0..1_400.0).contains(&longest), "half of every second: {longest}");
}

#[test]
fn an_interrupt_while_links_are_cut_leaves_nothing() {
    let Some(place) = super::linked() else { return };
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 500/s, keys: 1000 } }\n\
         timeline: [{ at: 500ms, do: partition, target: all primaries }]\nsettle: 60s",
    );
    let mut playing = place.start(&text, super::BACKEND);
    playing.wait_for("the cut", |what| matches!(what, EventKind::StepInjected { .. }));
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
    let Some(place) = super::linked() else { return };
    let text = scenario(
        &place,
        REGIONS,
        "loads:\n  here: { rate: 200/s, keys: 200, timeout: 2s }\n  \
         there: { rate: 200/s, keys: 200, region: far, timeout: 2s }\n\
         probe: { deadline: 1s }\nsettle: 3s\n\
         expect: [writes.lost == 0, errors.total == 0, downtime.write.max == 0ms]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    // Of the second in which the machine was least busy.
    let p50 = |load: usize| {
        let p50 = report["series"][load]["p50_ms"].as_array().unwrap();
        p50.iter().filter_map(Value::as_f64).min_by(f64::total_cmp).unwrap()
    };
    assert!(p50(0) < 80.0, "near: {}", p50(0));
    assert!((80.0..160.0).contains(&p50(1)), "there and back, and not twice: {}", p50(1));
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
    let far = crossed("clients in near", "nodes in far", "client");
    assert!(far < 1_000, "primaries are near, and others hear a password at most: {far}");
}

#[test]
fn a_cut_between_regions_leaves_the_far_ones_without_an_answer() {
    let Some(place) = super::linked_alike() else { return };
    // Patience that a busy machine does not come to the end of, and a cut does.
    let text = scenario(
        &place,
        REGIONS,
        "loads:\n  here: { rate: 200/s, keys: 200, timeout: 2s }\n  \
         there: { rate: 200/s, keys: 200, region: far }\nprobe: { deadline: 1s }\n\
         timeline: [{ at: 1s, do: partition, between: [region near, region far], for: 3s }]\n\
         settle: 3s\nexpect: [writes.lost == 0]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    // Probes of the far clients reach no primary.
    let down = report["measures"]["downtime.write.max"]["value"].as_f64().unwrap();
    assert!(down >= 2_000.0, "{down}");
    let causes = |load: usize| report["loads"][load]["met"]["causes"].to_string();
    assert_eq!(causes(0), "{}", "those who are near feel nothing");
    assert!(causes(1).contains("timeout"), "{}", causes(1));
    let replaced = report["failovers"].as_array().unwrap().iter().filter(|f| !f["to"].is_null());
    assert_eq!(replaced.count(), 0, "replicas have no vote: {}", report["failovers"]);
    assert_regions_are_told_apart(&report);
}

/// Primaries are near, and for three seconds those who are far reach none of them.
fn assert_regions_are_told_apart(report: &Value) {
    let rows = |matrix: &str| report[matrix].as_array().unwrap().clone();
    for action in ["read", "write"] {
        let felt = |region: &str, of: &dyn Fn(&Value) -> f64| {
            let row = rows("region_downtime").into_iter().find(|row| {
                row["region"] == region && row["group"] == "cache" && row["action"] == action
            });
            of(&row.unwrap_or_else(|| panic!("{region}: {}", report["region_downtime"])))
        };
        let silence = |row: &Value| {
            let silences = row["silences"].as_array().unwrap().iter();
            silences.map(|silence| ms(&silence["duration_ms"])).fold(0.0, f64::max)
        };
        let (near, far) = (felt("near", &silence), felt("far", &silence));
        assert!(far >= 2_500.0, "{far}: {}", report["region_downtime"]);
        assert!(near < 1_250.0, "as much of the machine as any drill may miss: {near}");
        let probed = |row: &Value| ms(&row["outage_max_ms"]);
        let (near, far) = (felt("near", &probed), felt("far", &probed));
        assert!(far >= 2_000.0 && near < far / 2.0, "{near} and {far}");
    }
    let of = |load: &str, local: bool| {
        let all = rows("region_latency").into_iter();
        all.filter(|row| row["load"] == load && row["local"] == local).collect::<Vec<_>>()
    };
    assert_eq!((of("here", true).len(), of("there", false).len()), (2, 2), "reads and writes");
    assert!(of("here", false).is_empty() && of("there", true).is_empty(), "no primary is far");
    for remote in of("there", false) {
        assert!(ms(&remote["p50_ms"]) >= 80.0, "there and back: {remote}");
    }
    for link in rows("links") {
        assert_eq!(link["cut_by"], serde_json::json!([0]), "{link}");
    }
}

/// Containers have one address for all that they open: what MIGRATE sends is told by what it
/// says, and that of processes by whose it is.
#[test]
fn keys_that_move_are_counted_apart() {
    let Some(place) = super::linked_alike() else { return };
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 200/s, keys: 3000 } }\n\
         timeline:\n  \
         - { at: 500ms, do: latency, from: clients, to: others, latency: 1ms, for: 1s }\n  \
         - { at: 1s, do: reshard, from: 0, to: 1, slots: 2000, pace: fast, method: migrate }\n\
         settle: 2s\nexpect: [writes.lost == 0, reshard.slots == 2000]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let moved = ms(&report["measures"]["reshard.keys"]["value"]);
    let crossed = |class: &str| -> f64 {
        let rows = report["traffic"]["nodes"].as_array().unwrap().iter();
        let of_class = rows.filter(|row| row["class"] == class && row["from"] == "cache/0/0");
        of_class.map(|row| ms(&row["bytes"])).sum()
    };
    // A key's name, its value of 100 bytes, and the command around them.
    assert!(moved > 200.0, "{moved}");
    assert!(crossed("migration") > moved * 100.0, "{}", report["traffic"]["nodes"]);
    assert!(crossed("replication") > 10_000.0, "{}", report["traffic"]["nodes"]);
}

/// Whom of the others each node suspects, by their names, and how far its replication is.
fn seen_by(place: &Place) -> BTreeMap<String, (BTreeSet<String>, u64)> {
    let record = &place.records()[0];
    let (nodes, password) = (&record.nodes, record.password());
    let names: BTreeMap<&str, String> =
        nodes.iter().map(|node| (&*node.cluster_id, node.name.to_string())).collect();
    let seen = nodes.iter().map(|node| {
        let mut connection = client(&node.address, password.as_ref()).get_connection().unwrap();
        let lines: String = redis::cmd("CLUSTER").arg("NODES").query(&mut connection).unwrap();
        let lines = NodeLine::parse_all(&lines).unwrap().into_iter();
        let suspects = lines.filter(|line| line.flags.pfail || line.flags.fail);
        let suspects = suspects.map(|line| names[&*line.id].clone()).collect();
        let info: String = redis::cmd("INFO").arg("replication").query(&mut connection).unwrap();
        let offset = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)?.parse().ok());
        let offset = offset("slave_repl_offset:").or(offset("master_repl_offset:")).unwrap();
        (node.name.to_string(), (suspects, offset))
    });
    seen.collect()
}

/// Two halves that do not hear each other, and a node that hears both, and that both hear.
#[test]
fn across_a_bridge_halves_suspect_each_other_and_nobody_is_replaced() {
    let Some(place) = super::linked_alike() else { return };
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 200/s, keys: 300 } }\n\
         timeline:\n  \
         - { at: 1s, do: partition, between: [shard 0 + cache/1/1, cache/1/0 + cache/2/1], for: 15s }\n\
         settle: 3s\nexpect: [writes.lost == 0]",
    );
    let mut playing = place.start(&text, super::BACKEND);
    playing.wait_for("the cut", |what| matches!(what, EventKind::StepInjected { .. }));
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let halves: [BTreeSet<String>; 2] =
        [set(&["cache/0/0", "cache/0/1", "cache/1/1"]), set(&["cache/1/0", "cache/2/1"])];
    let [one, other] = &halves;
    let mut seen = BTreeMap::new();
    let as_cut = until(Duration::from_secs(10), || {
        seen = seen_by(&place);
        seen.iter().all(|(name, (suspects, _))| match name.as_str() {
            "cache/2/0" => suspects.is_empty(),
            name if one.contains(name) => suspects == other,
            _ => suspects == one,
        })
    });
    assert!(as_cut && seen.len() == 6, "each half suspects the other, the bridge nobody: {seen:?}");
    std::thread::sleep(Duration::from_secs(1));
    let later = seen_by(&place);
    let moved = |name: &str| later[name].1 - seen[name].1;
    assert!(moved("cache/1/0") > 0 && moved("cache/1/1") == 0, "no replica: {seen:?} {later:?}");
    assert!(moved("cache/2/0") > 0 && moved("cache/2/1") > 0, "the bridge has its own: {later:?}");
    let ran = playing.end();
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let replaced = report["failovers"].as_array().unwrap().iter().filter(|f| !f["to"].is_null());
    assert_eq!(replaced.count(), 0, "{}", report["failovers"]);
    for shard in 0..3 {
        assert_eq!(report["shards"][shard]["primary_after"], format!("cache/{shard}/0"));
    }
    assert_eq!(report["loads"][0]["met"]["causes"].to_string(), "{}", "clients reach all of them");
    place.assert_nothing_left();
}

/// Nobody heals the cut before the time to settle is over: the drill says who believes what.
#[test]
fn a_topology_that_does_not_converge_within_settle_fails_with_who_disagrees() {
    let Some(place) = super::linked_alike() else { return };
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 200/s, keys: 300 } }\n\
         timeline: [{ at: 1s, do: partition, between: [cache/1/0, other nodes] }]\nsettle: 6s",
    );
    let ran = place.play(&text, super::BACKEND);
    let report = place.report();
    assert_ended_or_busy(1, &ran, &report);
    let how = report["disagreements"][0]["how"].as_array().unwrap();
    let how: Vec<&str> = how.iter().map(|text| text.as_str().unwrap()).collect();
    let others = "cache/0/0, cache/0/1, cache/1/1, cache/2/0 and cache/2/1";
    let wanted = [
        format!("about slots 5461-10922, cache/1/0 says cache/1/0, but {others} say cache/1/1"),
        "the cluster state is not ok in the view of cache/1/0".to_owned(),
    ];
    for wanted in wanted {
        assert!(how.contains(&&*wanted), "{wanted}: {how:?}");
    }
    let why = report["why"][0].as_str().unwrap();
    assert!(why.starts_with("`cache` did not converge within `settle`: about slots 5461"), "{why}");
    assert!(ran.out.contains("did not converge within"), "{}", ran.out);
    place.assert_nothing_left();
}

/// A power cut, not one of links.
#[test]
fn a_region_can_be_killed_whole() {
    let Some(place) = super::linked_alike() else { return };
    let text = scenario(
        &place,
        REGIONS,
        "loads: { here: { rate: 200/s, keys: 200 } }\n\
         timeline: [{ at: 500ms, do: kill, target: region far, for: 1s }]\n\
         settle: 3s\nexpect: [writes.lost == 0]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let step = &place.report()["steps"][0];
    let nodes = step["nodes"].as_array().unwrap();
    assert!(
        !nodes.is_empty() && nodes.iter().all(|n| n.as_str().unwrap().ends_with("/1")),
        "{step}"
    );
    assert!(step["undone_ms"].is_number(), "{step}");
}

/// A fault of an instance's link hits its connections, and not those of the others.
#[test]
fn one_instance_is_reset_refused_and_slow_and_the_others_are_not() {
    let Some(place) = super::linked_alike() else { return };
    let text = alone(
        &place,
        "{ rate: 90/s, keys: 100, reads: 100%, value: 100B, instances: 3, timeout: 300ms }",
        "[{ at: 1s, do: trickle, from: cache/0/0, to: app/actor/1, bytes: 20B, rest: 10ms, for: 2s },
          { at: 4s, do: refuse, between: [app/actor/1, cache/0/0], for: 2s },
          { at: 4500ms, do: reset, between: [app/actor/1, cache/0/0] }]",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let (report, ops) = (place.report(), place.ops());
    let of = |instance: u16, from: f64, to: f64| -> Vec<&Op> {
        let ms = |at: Nanos| at.0 as f64 / 1e6;
        let load = ops.iter().filter(|op| op.purpose == Purpose::Load && op.instance == instance);
        load.filter(|op| (from..to).contains(&ms(op.intended))).collect()
    };
    let [slow, refused] = [0, 1].map(|step| {
        let step = &report["steps"][step];
        (ms(&step["began_ms"]) + 100.0, ms(&step["undone_ms"]) - 100.0)
    });
    let quickest = |instance| {
        let all = of(instance, slow.0, slow.1).into_iter().map(|op| op.done.since(op.intended));
        all.min().unwrap().as_secs_f64() * 1e3
    };
    let quickest = [0, 1, 2].map(quickest);
    assert!(quickest[0] < 20.0 && quickest[2] < 20.0 && quickest[1] >= 49.0, "{quickest:?}");
    let good = |instance| {
        let all = of(instance, ms(&report["steps"][2]["began_ms"]) + 100.0, refused.1);
        all.into_iter().filter(|op| op.outcome == Outcome::Ok).count()
    };
    let good = [0, 1, 2].map(good);
    assert!(good[0] > 20 && good[2] > 20 && good[1] == 0, "{good:?}");
    let since = |instance| {
        let all = of(instance, refused.1 + 600.0, f64::INFINITY).into_iter();
        all.filter(|op| op.outcome == Outcome::Ok).count()
    };
    assert!(since(1) > 0, "it came back");
}

/// Each instance connects from its own address, so a rule hits one and leaves the others alone.
#[test]
fn one_instance_is_cut_off_and_the_others_are_not() {
    let Some(place) = super::linked() else { return };
    let text = scenario(
        &place,
        QUICK,
        "loads: { app: { rate: 600/s, keys: 1000, instances: 3, timeout: 300ms } }\n\
         timeline: [{ at: 1s, do: partition, target: app/actor/1, for: 1500ms }]\n\
         settle: 1s",
    );
    let ran = place.play(&text, super::BACKEND);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let failed = |instance: u16| {
        let of = |op: &&Op| op.instance == instance && op.purpose == Purpose::Load;
        let ops = place.ops();
        ops.iter().filter(of).filter(|op| op.outcome != Outcome::Ok).count()
    };
    let failed = [0, 1, 2].map(failed);
    assert!(failed[1] > 50 && failed[0] + failed[2] == 0, "{failed:?}");
}
