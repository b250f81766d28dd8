//! Two regions that both take writes: what the rules promise, on servers that replicators join.

use redrill::model::event::EventKind;
use serde_json::Value;

use crate::common::{heavy_turn, need};
use crate::drill::converges::CRASH;
use crate::drill::place::{Place, assert_no_step_failed, assert_passed_or_busy, events};

fn measure(report: &Value, name: &str) -> f64 {
    let value = &report["measures"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("{name} is {value}: {}", report["why"]))
}

/// Plays a ready scenario in less time, on the oldest and the newest engine.
fn play_each(name: &str, set: &[&str], look: impl Fn(&Value)) {
    play_each_in(name, set, |_, report| look(report));
}

fn play_each_in(name: &str, set: &[&str], look: impl Fn(&Place, &Value)) {
    let _turn = heavy_turn();
    for server in need::engines() {
        play_on(&["--engine-binary", server.to_str().unwrap()], (name, set), &look);
    }
}

fn play_on(servers: &[&str], (name, set): (&str, &[&str]), look: impl Fn(&Place, &Value)) {
    let place = Place::new();
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
    let args = [&["--profile", "ci"], servers, &set].concat();
    let ran = place.watch(place.run_of(name, &args)).end();
    let report = place.report();
    assert_no_step_failed(&report);
    assert_passed_or_busy(&ran, &report);
    assert_eq!(measure(&report, "sync.consistency"), 100.0);
    assert_eq!(measure(&report, "sync.diverged"), 0.0);
    look(&place, &report);
    place.assert_nothing_left();
}

#[test]
#[ignore = "`just test-all`"]
fn both_regions_hold_the_same_after_a_quiet_time() {
    play_each("cross-region-sync", &["settle=4s"], |report| {
        let behind = measure(report, "sync.backlog.max");
        assert!(behind > 0.0, "80 ms there and back at 1,000 writes a second");
        assert_eq!(measure(report, "sync.discarded"), 0.0, "nobody writes to another one's keys");
        assert_eq!(measure(report, "set.wrong"), 0.0);
        assert_eq!(measure(report, "sync.consistency.sampled"), 100.0);
        assert_eq!(measure(report, "sync.conflicts"), 0.0, "no key is written in both");
    });
}

/// Each shard is carried for itself, and all are measured.
#[test]
#[ignore = "`just test-all`"]
fn two_clusters_hold_the_same_after_a_quiet_time() {
    // 12 servers and 6 replicators share this machine, with other tests.
    let set = [
        "topology=cluster-active-active-2r",
        "settle=5s",
        "loads.near.rate=300/s",
        "loads.far.rate=300/s",
        "probe.canaries=1",
        "profiles.ci.expect.0=sync.added.p99 <= 2s",
        "profiles.ci.expect.1=sync.lag.p99 <= 2s",
        "profiles.ci.expect.3=downtime.write.max <= 2s",
    ];
    play_each_in("cross-region-sync", &set, |place, report| {
        assert!(measure(report, "sync.backlog.max") > 0.0);
        assert_eq!(measure(report, "sync.discarded"), 0.0, "nobody writes to another one's keys");
        assert_eq!(measure(report, "set.wrong"), 0.0);
        assert_eq!(measure(report, "sync.consistency.sampled"), 100.0);
        let samples: f64 = report["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["equal"].as_f64().unwrap())
            .sum();
        assert!(samples > 100.0, "keys of all shards are compared: {samples}");
        let p50 = measure(report, "sync.lag.p50");
        assert!((39.0..500.0).contains(&p50), "over 40 ms: {p50}");
        assert_eq!(report["sync"].as_array().unwrap().len(), 2, "a row for each direction");
        let mut lags = [0; 6];
        for event in events(&place.folder()) {
            let EventKind::SyncLag { pair, lags_ns, .. } = event.kind else { continue };
            lags[pair] += lags_ns.len();
        }
        assert!(lags.iter().all(|lags| *lags > 20), "each shard, in each direction: {lags:?}");
        let row = &report["resolutions"][0];
        assert!(row["conflicts"].as_u64() > Some(20) && row["open"] == 0, "{row}");
    });
}

#[test]
fn writes_that_meet_leave_the_same_in_both_regions() {
    play_each("cross-region-conflicts", &["settle=4s"], |report| {
        assert!(measure(report, "sync.discarded") > 0.0, "none has met another one");
        assert!(measure(report, "reads.stale") > 0.0, "reads across regions are late");
        assert_eq!(measure(report, "writes.lost"), 0.0);
        assert_eq!(measure(report, "sync.consistency.sampled"), 100.0);
        let met = measure(report, "sync.conflicts");
        assert!(met > 10.0, "both write to the same 200 keys all the time: {met}");
        let found = report["findings"].as_array().unwrap().iter();
        let found = found.clone().find(|one| one["kind"] == "conflicts").unwrap();
        let text = found["examples"][0]["text"].as_str().unwrap();
        assert!(text.contains("us wrote") && text.contains("eu wrote"), "{text}");
        let [p50, p99] = ["p50", "p99"].map(|of| measure(report, &format!("sync.resolution.{of}")));
        assert!((39.0..500.0).contains(&p50) && p99 < 2_000.0, "over 40 ms: {p50}, {p99}");
        let row = &report["resolutions"][0];
        assert!(row["conflicts"].as_u64() > Some(20) && row["open"] == 0, "{row}");
        let age = measure(report, "reads.stale.age.max");
        let p99 = measure(report, "reads.stale.age.p99");
        assert!(p99 > 0.0 && p99 <= age * 1.001, "{p99}, {age}");
        assert!(measure(report, "reads.stale.versions.max") >= 1.0);
    });
}

#[test]
fn regions_that_lose_each_other_catch_up() {
    let set = ["timeline.0.at=1s", "timeline.0.for=4s", "settle=3s"];
    play_each("region-partition", &set, |report| {
        let behind = measure(report, "sync.backlog.max");
        assert!(behind > 1_000.0, "some 600 writes a second, for 4 s: {behind}");
        let each = measure(report, "sync.backlog.bytes.max") / behind;
        assert!((40.0..400.0).contains(&each), "bytes of an entry: {each}");
        let most = |of: &str| {
            let rows = report["sync"].as_array().unwrap().iter();
            rows.filter_map(|row| row[of].as_f64()).fold(0.0, f64::max)
        };
        assert_eq!(most("backlog_max"), behind);
        assert_eq!(most("backlog_max_bytes"), measure(report, "sync.backlog.bytes.max"));
        assert_eq!(measure(report, "set.lost"), 0.0);
    });
}

/// What is applied twice is discarded by `lww`, and counts twice by `naive`, so that regions
/// differ.
#[test]
#[ignore = "`just test-all`"]
fn replicators_that_die_lose_nothing_and_do_nothing_twice() {
    let look = |report: &Value| {
        assert_eq!(measure(report, "counter.wrong"), 0.0);
        assert_eq!(measure(report, "counter.surplus"), 0.0);
        assert_eq!(measure(report, "set.lost"), 0.0);
        assert_eq!(measure(report, "sync.discarded"), 0.0);
    };
    play_each("replicator-crash", &[&["sync.rule=naive"], CRASH].concat(), look);
    play_each("replicator-crash", &["settle=2s"], |report| {
        look(report);
        let behind = measure(report, "sync.backlog.max");
        assert!(behind > 500.0, "some 1,700 writes a second, for 2 s: {behind}");
    });
}

const LOST: &[&str] =
    &["timeline.0.at=2s", "timeline.1.at=2s", "timeline.0.for=4s", "timeline.1.for=4s"];

/// Users of a lost region write in the other one; the lost one gets its data back.
#[test]
#[ignore = "`just test-all`"]
fn users_of_a_lost_region_turn_to_the_other_one() {
    play_each("region-loss", LOST, |report| {
        assert!(measure(report, "rto") > 0.0);
        let near = &report["loads"][0]["figures"];
        let count = |what: &str| near[what].as_u64().unwrap();
        assert!(count("errors") < count("operations") / 4, "{near}");
    });
}

/// Replicators run in containers of their own there, and die as the servers do.
#[test]
#[ignore = "`just test-all`"]
fn regions_are_tied_and_one_is_lost_in_containers() {
    if !need::docker() {
        return;
    }
    let _turn = heavy_turn();
    let containers = ["--backend", "docker"];
    play_on(&containers, ("cross-region-sync", &["settle=6s"]), |_, report| {
        assert_eq!(report["backend"], "docker");
        assert!(measure(report, "sync.backlog.max") > 0.0, "replicators carry");
        assert_eq!(measure(report, "sync.discarded"), 0.0, "nobody writes to another one's keys");
        let p50 = measure(report, "sync.lag.p50");
        assert!((39.0..1_000.0).contains(&p50), "over 40 ms: {p50}");
    });
    play_on(&containers, ("region-loss", LOST), |_, report| {
        assert!(measure(report, "rto") > 0.0);
        let hit = report["steps"].as_array().unwrap().iter().flat_map(|step| {
            step["nodes"].as_array().unwrap().iter().map(|node| node.as_str().unwrap())
        });
        assert!(hit.collect::<Vec<_>>().contains(&"us-to-eu/actor/0"), "{}", report["steps"]);
    });
}

#[test]
#[ignore = "`just test-all`"]
fn a_region_that_returns_empty_gets_its_data_back() {
    play_each("region-return", LOST, |report| {
        assert!(measure(report, "sync.catch_up") > 0.0);
        // Those of before the loss are over when the region has its data back.
        assert!(measure(report, "sync.resolution.max") > 0.0);
        let warnings = report["warnings"].to_string();
        assert!(warnings.contains("its target had lost its data"), "{warnings}");
    });
}

const LINK: &[&str] = &["timeline.0.at=1s", "timeline.0.for=4s", "settle=4s"];

#[test]
#[ignore = "`just test-all`"]
fn links_that_are_narrow_or_cut_one_way_are_caught_up() {
    for name in ["slow-link", "asymmetric-link"] {
        play_each(name, LINK, |report| {
            assert!(measure(report, "sync.catch_up") > 0.0);
            assert!(measure(report, "sync.backlog.max") > 500.0, "it fell behind");
            assert_eq!(measure(report, "set.lost"), 0.0);
        });
    }
}

#[test]
#[ignore = "`just test-all`"]
fn a_clock_that_is_ahead_costs_what_was_written_within_the_lag() {
    play_each("clock-skew", LINK, |report| {
        assert!(measure(report, "sync.conflicts") > 0.0);
        assert_eq!(measure(report, "set.lost"), 0.0);
    });
}

#[test]
#[ignore = "`just test-all`"]
fn reads_in_another_region_are_as_old_as_the_link_is_long() {
    play_each("cross-region-reads", &["settle=4s"], |report| {
        let age = measure(report, "reads.stale.age.max");
        assert!((20.0..5_000.0).contains(&age), "the link takes 40 ms: {age}");
        assert!(measure(report, "reads.stale.versions.max") >= 1.0);
    });
}

/// Without a rule the regions come to differ, and the finding says how.
#[test]
fn without_a_rule_keys_differ_and_the_drill_fails() {
    let _turn = heavy_turn();
    let place = Place::new();
    let set = ["sync.rule=naive", "settle=6s", "loads.near.reads=20%", "loads.far.reads=20%"];
    let args = ["--profile", "ci"].into_iter().chain(set.iter().flat_map(|set| ["--set", set]));
    let args: Vec<&str> = args.collect();
    let ran = place.watch(place.run_of("cross-region-conflicts", &args)).end();
    let report = place.report();
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(measure(&report, "sync.diverged") > 0.0);
    assert!(measure(&report, "sync.consistency") < 100.0);
    let findings = report["findings"].as_array().unwrap();
    let differ = findings.iter().find(|one| one["kind"] == "diverged_keys").unwrap();
    let text = differ["examples"][0]["text"].as_str().unwrap();
    assert!(text.contains("us: ") && text.contains(", eu: "), "{text}");
    // No write won where the groups ended with different values. Twenty of all conflicts are told,
    // so it is chance whether some of them are such.
    let met = findings.iter().find(|one| one["kind"] == "conflicts").unwrap();
    let met: Vec<&str> =
        met["examples"].as_array().unwrap().iter().filter_map(|one| one["text"].as_str()).collect();
    let differ = met.iter().filter(|text| text.contains("; in the end us had "));
    for (text, [us, eu]) in differ.map(|text| (text, ended_with(text))) {
        assert!(us != eu, "{text}");
    }
    let sampled = measure(&report, "sync.consistency.sampled");
    assert!(sampled < 100.0, "keys differ while the load runs: {}", report["samples"]);
    // Each region ends with the other's value, and goes on showing it.
    let row = &report["resolutions"][0];
    assert!(row["conflicts"].as_u64() > Some(20), "{row}");
    assert!(row["open"].as_f64().unwrap() > 0.9 * row["conflicts"].as_f64().unwrap(), "{row}");
    let p99 = &report["measures"]["sync.resolution.p99"];
    assert!(p99["value"].is_null() && p99["at_least"].as_f64() > Some(1_000.0), "{p99}");
    assert!(report["why"].to_string().contains("sync.resolution.p99"), "{}", report["why"]);
    place.assert_nothing_left();
}

/// The two values in `…; in the end us had 5, eu had 6`.
fn ended_with(text: &str) -> [&str; 2] {
    let (_, held) = text.split_once("; in the end us had ").unwrap();
    let (us, eu) = held.split_once(", eu had ").unwrap_or_else(|| panic!("{text}"));
    [us, eu]
}

/// Both regions increment the same counters.
pub const COUNTED: &str = "
name: counted
topology: TOPOLOGY
loads:
  near: { group: us, region: us-east, workload: counter, rate: 300/s, keys: 5 }
  far: { group: eu, region: eu-west, workload: counter, shares: near, rate: 300/s }
settle: 3s
expect: [counter.lost == 0, counter.surplus == 0, sync.consistency == 100%]
";

/// Only counts for each region add up.
#[test]
fn counters_that_merge_lose_no_increment_and_others_do() {
    count_on("active-active-2r");
}

#[test]
#[ignore = "`just test-all`"]
fn in_clusters_counters_that_merge_lose_no_increment_and_others_do() {
    count_on("cluster-active-active-2r");
}

fn count_on(topology: &str) {
    let _turn = heavy_turn();
    let counted = COUNTED.replace("TOPOLOGY", topology);
    let place = Place::new();
    let ran = place.play(&counted, &["--set", "sync.rule=crdt"]);
    assert_passed_or_busy(&ran, &place.report());
    place.assert_nothing_left();
    let place = Place::new();
    let ran = place.play(&counted, &["--set", "sync.rule=lww"]);
    let report = place.report();
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(measure(&report, "counter.lost") > 0.0);
    assert_eq!(measure(&report, "sync.consistency"), 100.0, "they agree on a wrong total");
    place.assert_nothing_left();
}

/// The primary of a region dies and its replica is promoted by hand: replicators find it.
#[test]
#[ignore = "`just test-all`"]
fn replicators_follow_a_promotion_within_a_group() {
    let _turn = heavy_turn();
    let place = Place::new();
    let text = "
name: promoted
topology: active-active-2r
loads:
  near: { group: us, region: us-east, rate: 300/s, keys: 500 }
  far: { group: eu, region: eu-west, rate: 300/s, keys: 500 }
timeline:
  - { at: 1s, do: failover, group: eu, target: eu/0/1 }
settle: 5s
reported: [all]
expect: [sync.consistency == 100%]
";
    let ran = place.play(text, &[]);
    let report = place.report();
    assert_no_step_failed(&report);
    assert_passed_or_busy(&ran, &report);
    place.assert_nothing_left();
}

const SHARD_DIES: &str = "
name: shard-dies
topology: cluster-active-active-2r
loads:
  near: { group: us, region: us-east, rate: 300/s, keys: 500 }
  far: { group: eu, region: eu-west, rate: 300/s, shares: near }
  counts-us: { group: us, region: us-east, workload: counter, rate: 100/s, keys: 20 }
  counts-eu: { group: eu, region: eu-west, workload: counter, rate: 100/s, shares: counts-us }
timeline:
  - { at: 1s, do: kill, group: eu, target: eu/1/0 }
settle: 10s
reported: [all]
expect: [sync.consistency == 100%, failover.served <= 30s]
";

/// The primary of one shard dies, and its replica is elected: replicators find it, and what it
/// lacks of its own comes back. The dead one returns as a replica.
#[test]
#[ignore = "`just test-all`"]
fn replicators_follow_a_failover_of_one_shard() {
    for (rule, server) in ["lww", "crdt"].into_iter().zip(need::engines()) {
        let _turn = heavy_turn();
        let place = Place::new();
        let rule = format!("sync.rule={rule}");
        let args = ["--set", &rule, "--engine-binary", server.to_str().unwrap()];
        let ran = place.play(SHARD_DIES, &args);
        let report = place.report();
        assert_no_step_failed(&report);
        assert_passed_or_busy(&ran, &report);
        assert_eq!(measure(&report, "sync.consistency"), 100.0);
        let failed_over = report["failovers"].as_array().unwrap();
        assert!(failed_over.iter().any(|one| one["group"] == "eu"), "{failed_over:?}");
        place.assert_nothing_left();
    }
}

const AHEAD: &str = "
name: ahead
topology: active-active-2r
loads:
  near: { group: us, region: us-east, rate: 500/s, keys: 50, instances: 2, reads: 20% }
  far: { group: eu, region: eu-west, rate: 500/s, shares: near, instances: 2, reads: 20% }
timeline:
  - { at: 1s, do: clock, group: eu, target: eu/0/0, jump: +10s }
settle: 4s
reported: [all]
expect: [sync.consistency == 100%]
";

/// Who has the latest clock is the last writer: later writes of the other region lose, until it has
/// heard of that clock.
#[test]
fn a_clock_that_is_ahead_throws_away_later_writes() {
    let _turn = heavy_turn();
    let place = Place::new();
    let ran = place.play(AHEAD, &[]);
    let report = place.report();
    assert_no_step_failed(&report);
    assert_passed_or_busy(&ran, &report);
    assert!(measure(&report, "writes.lost") > 0.0, "{}", ran.out);
    place.assert_nothing_left();
}

const THREE: &str = "
name: three
topology: active-active-3r
loads:
  us: { group: us, region: us-east, rate: 200/s, keys: 300, distribution: zipf(0.99) }
  eu: { group: eu, region: eu-west, rate: 200/s, shares: us, distribution: zipf(0.99) }
  ap: { group: ap, region: ap-southeast, rate: 200/s, shares: us }
  counts-us: { group: us, region: us-east, workload: counter, rate: 100/s, keys: 5 }
  counts-ap: { group: ap, region: ap-southeast, workload: counter, rate: 100/s, shares: counts-us }
timeline:
  - { at: 500ms, do: partition, between: [us-to-ap/actor/0, region ap-southeast], for: 3s }
  - { at: 4s, do: kill, target: all actors }
settle: 1s
expect: [sync.consistency == 100%, counter.lost == 0, counter.surplus == 0]
";

/// One replicator is cut off from its target, and then all are killed. They are started again when
/// the load has ended, and carry what is left.
#[test]
#[ignore = "`just test-all`"]
fn three_regions_hold_the_same_when_replicators_are_back() {
    let _turn = heavy_turn();
    let place = Place::new();
    let ran = place.play(THREE, &["--set", "sync.rule=crdt"]);
    let report = place.report();
    assert_no_step_failed(&report);
    assert_passed_or_busy(&ran, &report);
    let behind = measure(&report, "sync.backlog.max");
    assert!(behind > 400.0, "200 writes a second come from us, for 3 s: {behind}");
    assert_eq!(report["steps"][1]["nodes"].as_array().unwrap().len(), 6);
    place.assert_nothing_left();
}

#[test]
#[ignore = "`just test-all`"]
fn each_rule_is_one_column_of_a_page_and_only_the_one_without_order_fails() {
    for (name, set) in [
        ("cross-region-conflicts", &["settle=4s"][..]),
        ("region-partition", &["timeline.0.at=1s", "timeline.0.for=4s", "settle=4s"]),
    ] {
        let _turn = heavy_turn();
        let place = Place::new();
        let set = set.iter().flat_map(|set| ["--set", set]);
        let args: Vec<&str> = ["--profile", "rules"].into_iter().chain(set).collect();
        let ran = place.watch(place.run_of(name, &args)).end();
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        let matrix = std::fs::read_to_string(place.folder().join("matrix.json")).unwrap();
        let matrix: Value = serde_json::from_str(&matrix).unwrap();
        let of = |name| (0..3).map(move |at| (at, name));
        let share =
            |(at, name): (usize, &str)| matrix["reports"][at]["measures"][name]["value"].as_f64();
        let shares: Vec<_> = of("sync.consistency").map(share).collect();
        assert!(shares[0] < Some(100.0), "naive: {shares:?}");
        assert_eq!(shares[1..], [Some(100.0), Some(100.0)], "lww and crdt");
        if name == "cross-region-conflicts" {
            let lost: Vec<_> = of("counter.lost").map(share).collect();
            assert!(lost[1] > Some(0.0), "lww: {lost:?}");
            assert_eq!([lost[0], lost[2]], [Some(0.0); 2], "naive and crdt");
            let page = std::fs::read_to_string(place.folder().join("index.html")).unwrap();
            assert!(page.contains("counter.lost"), "all rules are on one page");
        }
        place.assert_nothing_left();
    }
}

/// What is in an instance's memory is old from a write elsewhere until a server has told of it.
#[test]
#[ignore = "`just test-all`"]
fn what_clients_keep_is_dropped_when_another_region_has_changed_it() {
    play_each("cross-region-invalidation", &["settle=4s"], |report| {
        let hits = measure(report, "near.hits");
        assert!((60.0..99.9).contains(&hits), "0.5 writes to a key a second, and 5 reads: {hits}");
        let age = measure(report, "reads.stale.age.max");
        assert!((35.0..3_000.0).contains(&age), "a write takes 40 ms to the other region: {age}");
        assert_eq!(measure(report, "reads.not_monotonic"), 0.0);
    });
}

const FULL: &str = "
name: full
topology: active-active-2r
loads:
  near: { group: us, region: us-east, rate: 300/s, keys: 300 }
  ledger: { group: us, region: us-east, workload: set, rate: 100/s, keys: 100 }
  far: { group: eu, region: eu-west, rate: 100/s, keys: 100 }
timeline:
  - { at: 1s, do: memory-pressure, group: eu, target: eu/0/0, maxmemory: 50%, policy: noeviction, for: 5s }
settle: 4s
reported: [all]
expect: [sync.consistency == 100%, writes.lost == 0, set.lost == 0]
";

/// A region that is full takes no writes of its users, nor what the other one sends: that waits.
#[test]
#[ignore = "`just test-all`"]
fn a_region_that_is_full_falls_behind_and_catches_up() {
    let _turn = heavy_turn();
    for (server, rule) in need::engines().iter().zip(["lww", "crdt"].iter().cycle()) {
        let place = Place::new();
        let rule = format!("sync.rule={rule}");
        let args = ["--engine-binary", server.to_str().unwrap(), "--set", &rule];
        let ran = place.play(FULL, &args);
        let report = place.report();
        assert_no_step_failed(&report);
        assert_passed_or_busy(&ran, &report);
        let behind = measure(&report, "sync.backlog.max");
        assert!(behind > 800.0, "400 writes a second come from us, for 5 s: {behind}");
        let errors = report["loads"][2]["figures"]["errors"].as_u64().unwrap();
        assert!(errors > 100, "its own users were refused: {errors}");
        let warnings = report["warnings"].as_array().unwrap().iter();
        let refused = warnings.filter_map(|warning| warning["text"].as_str());
        let refused: Vec<&str> = refused.filter(|text| text.contains("refuses")).collect();
        assert_eq!(refused.len(), 1, "it is told once, and of one direction: {refused:?}");
        assert!(refused[0].starts_with("us-to-eu/actor/0: "), "{refused:?}");
        assert!(refused[0].contains("OOM"), "{refused:?}");
        assert!(ran.out.contains(refused[0]) || ran.err.contains(refused[0]), "{}", ran.out);
        place.assert_nothing_left();
    }
}

const BACK: &str = "
name: back
topology: active-active-2r
loads:
  near: { group: us, region: us-east, rate: 300/s, keys: 50 }
  far: { group: eu, region: eu-west, rate: 300/s, keys: 50 }
timeline:
  - { at: 1s, do: clock, group: eu, target: all nodes, jump: -10s, for: 2s }
settle: 3s
expect: [sync.consistency == 100%, writes.lost == 0, sync.discarded == 0]
";

/// A group's own writes are later than those before, whatever its clock says.
#[test]
#[ignore = "`just test-all`"]
fn a_clock_that_jumps_back_throws_away_no_later_write() {
    let _turn = heavy_turn();
    for server in need::engines() {
        let place = Place::new();
        let ran = place.play(BACK, &["--engine-binary", server.to_str().unwrap()]);
        let report = place.report();
        assert_no_step_failed(&report);
        assert_passed_or_busy(&ran, &report);
        place.assert_nothing_left();
    }
}
