//! Groups that are no cluster: sentinels that fail over, operators that do, and clients that
//! find the new primary.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{need, run};
use crate::drill::place::{Place, assert_no_step_failed, assert_passed_or_busy, not_run};

/// Sentinels that miss a primary soon, so that a test need not wait; not sooner, as a busy
/// machine keeps a server from answering for a second at times.
fn watched(place: &Place, sentinels: &str, timeline: &str, rest: &str) -> String {
    let topology = format!(
        "name: quick\ngroups:\n  cache: {{ mode: sentinel, replicas: 2, {sentinels}, \
         down_after: 2s, failover_timeout: 6s }}\n"
    );
    scenario(place, &topology, timeline, rest)
}

fn replicated(place: &Place, timeline: &str, rest: &str) -> String {
    let topology = "name: quick\ngroups:\n  cache: { mode: replication, replicas: 2 }\n";
    scenario(place, topology, timeline, rest)
}

fn scenario(place: &Place, topology: &str, timeline: &str, rest: &str) -> String {
    fs::write(place.path().join("quick.yaml"), topology).unwrap();
    format!(
        "name: failing\ntopology: ./quick.yaml\nloads: {{ app: {{ rate: 500/s, keys: 1000 }} }}\n\
         timeline: {timeline}\nreported: [all]\n{rest}\n"
    )
}

fn ms(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no instant"))
}

fn measure(report: &Value, name: &str) -> f64 {
    ms(&report["measures"][name]["value"])
}

/// The one that came of a step: on a busy machine a sentinel may suspect others for a moment.
fn only_failover(report: &Value) -> &Value {
    let all = report["failovers"].as_array().unwrap();
    let mut of_steps = all.iter().filter(|one| !one["step"].is_null());
    match (of_steps.next(), of_steps.next()) {
        (Some(one), None) => one,
        _ => panic!("one failover: {all:?}"),
    }
}

/// When the lines of all logs that `wanted` accepts were written, in milliseconds of their day.
fn logged(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<f64> {
    let logs = fs::read_dir(folder.join("logs")).unwrap();
    let lines = logs.flat_map(|log| {
        let text = fs::read_to_string(log.unwrap().path()).unwrap();
        let lines = text.lines().filter(|line| wanted(line));
        lines.map(crate::drill::failover::time_of).collect::<Vec<f64>>()
    });
    let mut times: Vec<f64> = lines.collect();
    times.sort_by(f64::total_cmp);
    times
}

#[test]
#[ignore = "`just test-all`"]
fn the_phases_are_those_of_the_sentinels_own_logs() {
    for engine in need::engines() {
        phases_of(&engine.display().to_string());
    }
}

fn phases_of(engine: &str) {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 3",
        "[{ at: 1s, do: kill, target: primary of shard 0 }]",
        "settle: 6s\nexpect: [failover.served <= 6s]",
    );
    let ran = place.play(&text, &["--engine-binary", engine]);
    assert_eq!(ran.code, Some(0), "{engine}: {}{}", ran.out, ran.err);
    let (report, folder) = (place.report(), place.folder());
    let failover = only_failover(&report);
    assert_eq!(failover["from"], "cache/0/0");
    let first = |what: &str| logged(&folder, |line| line.contains(what))[0];
    let suspected = first("+sdown master cache");
    // Its replicas notice the death at once, and say when. A new replica may have said the same.
    let lost = logged(&folder, |line| line.contains("Connection with") && line.contains("lost"));
    let died = *lost.iter().rfind(|at| **at < suspected).expect("a replica says so");
    let told = [
        ("suspected_ms", suspected - died),
        ("agreed_ms", first("+odown master cache") - died),
        ("elected_ms", first("MODE enabled (user request") - died),
    ];
    let most = 100.0 + not_run(&report);
    for (phase, logged) in told {
        let since = ms(&failover[phase]) - ms(&failover["injected_ms"]);
        assert!(
            (since - logged).abs() <= most,
            "{engine}: {phase}: {since} and {logged} in the logs"
        );
    }
    for last in ["propagated", "redundant"] {
        let order = ["injected", "suspected", "agreed", "elected", last];
        let order = order.map(|phase| ms(&failover[format!("{phase}_ms")]));
        assert!(order.is_sorted(), "{order:?}");
    }
    // A sentinel names the new primary once it has seen the promotion, and clients follow.
    let switched = first("+promoted-slave") - died;
    let served = measure(&report, "failover.served");
    assert!(served >= switched - most && served <= switched + 150.0 + most, "{served} {switched}");
    let outage = measure(&report, "downtime.write.max");
    assert!((outage - served).abs() <= 100.0 + most, "down for {outage}, served after {served}");
    assert_eq!(report["shards"][0]["primary_after"], failover["to"]);
    place.assert_nothing_left();
}

#[test]
#[ignore = "`just test-all`"]
fn the_ready_one_keeps_its_promises() {
    let place = Place::new();
    let ran = run(&mut place.run_of("sentinel-failover", &["--profile", "ci"]));
    let report = place.report();
    assert_eq!(only_failover(&report)["from"], "cache/0/0");
    let group = &report["topology"]["groups"][0];
    let len = |value: &Value| value.as_array().unwrap().len();
    assert_eq!((len(&group["shards"]), len(&group["sentinels"])), (1, 3), "{group}");
    assert_eq!(len(&report["shards"]), 1, "sentinels hold nothing");
    assert_passed_or_busy(&ran, &report);
    assert!(measure(&report, "failover.served") >= 2_000.0, "no sooner than `down_after`");
    place.assert_nothing_left();
}

#[test]
#[ignore = "`just test-all`"]
fn one_sentinel_is_enough_where_no_more_are_wanted() {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 1",
        "[{ at: 500ms, do: kill, target: cache/0/0 }]",
        "settle: 6s\nexpect: [failover.served <= 6s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_eq!(only_failover(&place.report())["from"], "cache/0/0");
}

#[test]
#[ignore = "`just test-all`"]
fn a_minority_of_five_sentinels_is_not_missed() {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 5",
        "[{ at: 500ms, do: kill, target: a minority of sentinels },
          { at: 2s, do: kill, target: cache/0/0 }]",
        "settle: 6s\nexpect: [failover.served <= 6s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let dead = report["steps"][0]["nodes"].as_array().unwrap();
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert!(dead.iter().all(|name| name.as_str().unwrap().starts_with("cache/sentinel/")));
    assert_eq!(only_failover(&report)["step"], 1);
}

#[test]
fn without_a_quorum_nobody_takes_over_and_the_bound_breaks() {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 3",
        "[{ at: 500ms, do: pause, target: a majority of sentinels },
          { at: 1s, do: kill, target: cache/0/0 }]",
        "settle: 5s\nexpect: [failover.served <= 4s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let report = place.report();
    let failover = only_failover(&report);
    assert_eq!((&failover["from"], &failover["to"]), (&"cache/0/0".into(), &Value::Null));
    assert!(ms(&failover["suspected_ms"]) > 2_000.0, "the last one does suspect it: {failover}");
    assert_eq!(failover["agreed_ms"], Value::Null, "and is alone with that");
    assert!(ran.out.contains("cache/0/0 was suspected"), "{}", ran.out);
    assert!(ran.out.contains("not served again in "), "{}", ran.out);
    place.assert_nothing_left();
}

/// Sentinels tell an old primary to follow only some time after they see it again: for a
/// `settle` shorter than that it leads as well, and that fails the drill. Nothing else does.
fn two_lead(report: &Value) {
    let why = report["why"].as_array().unwrap();
    assert_eq!(why.len(), 1, "{why:?}");
    let why = why[0].as_str().unwrap();
    assert!(why.contains("did not converge within `settle`: each of cache/0/0 and "), "{why}");
}

#[test]
#[ignore = "`just test-all`"]
fn sentinels_that_are_told_to_fail_over_do_so_unasked() {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 3",
        "[{ at: 1s, do: failover, target: random sentinel }]",
        "settle: 5s\nexpect: [failover.redundant <= 6s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let failover = only_failover(&report);
    assert_eq!(failover["step"], 0, "the primary that had to go is of the step: {failover}");
    assert_eq!(failover["suspected_ms"], Value::Null);
    assert_eq!(report["shards"][0]["primary_after"], failover["to"]);
    // The old primary is told to follow no sooner, and leads until then: the step waits for it.
    let step = &report["steps"][0];
    assert!(ms(&step["ended_ms"]) - ms(&failover["elected_ms"]) >= 7_000.0, "{step}");
    assert!(ms(&step["converged_ms"]) > ms(&failover["elected_ms"]) + 7_000.0, "{step}");
    place.assert_nothing_left();
}

#[test]
fn operators_hand_over_in_three_ways_and_clients_follow() {
    let place = Place::new();
    let text = replicated(
        &place,
        "[{ at: 1s, do: failover, target: cache/0/1 },
          { at: 4s, do: failover, target: cache/0/2, force: force },
          { at: 7s, do: failover, target: cache/0/0, force: takeover }]",
        "settle: 3s\nexpect: [downtime.write.max <= 3s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let failovers = report["failovers"].as_array().unwrap();
    let to: Vec<&str> = failovers.iter().map(|one| one["to"].as_str().unwrap()).collect();
    assert_eq!(to, ["cache/0/1", "cache/0/2", "cache/0/0"]);
    for (step, failover) in failovers.iter().enumerate() {
        assert_eq!(failover["step"], step);
        for last in ["propagated", "redundant"] {
            let phases = ["injected", "elected", last];
            let phases = phases.map(|phase| ms(&failover[format!("{phase}_ms")]));
            assert!(phases.is_sorted(), "{phases:?}");
            assert!(phases[2] - phases[0] < 2_500.0, "{last}: {phases:?}");
        }
        assert!(!report["steps"][step]["converged_ms"].is_null(), "{}", report["steps"][step]);
    }
    assert_eq!(report["shards"][0]["primary_after"], "cache/0/0");
    place.assert_nothing_left();
}

#[test]
#[ignore = "`just test-all`"]
fn nobody_hands_over_for_a_dead_primary_but_a_replica_may_take_over() {
    let place = Place::new();
    let text = replicated(
        &place,
        "[{ at: 500ms, do: kill, target: cache/0/0 },
          { at: 1s, do: failover, target: cache/0/1 },
          { at: 2s, do: failover, target: cache/0/1, force: takeover }]",
        "settle: 2s",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let report = place.report();
    let error = report["steps"][1]["error"].as_str().unwrap();
    assert_eq!(
        error,
        "cache/0/1 has no live primary that could hand over: write `force: takeover`"
    );
    assert_eq!(report["steps"][2]["error"], Value::Null);
    let failover = only_failover(&report);
    assert_eq!((&failover["step"], &failover["to"]), (&2.into(), &"cache/0/1".into()));
    assert!(ms(&failover["served_ms"]) >= ms(&failover["injected_ms"]), "{failover}");
    place.assert_nothing_left();
}

/// The other side of the cut is where clients are, so that they need not know.
#[test]
#[ignore = "`just test-all`"]
fn through_relays_the_new_primary_is_found_at_its_door() {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 3",
        "[{ at: 1s, do: partition, target: primary of shard 0, for: 7s }]",
        "settle: 3s\nexpect: [failover.served <= 6s]",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let report = place.report();
    two_lead(&report);
    let failover = only_failover(&report);
    assert_eq!(failover["from"], "cache/0/0", "{failover}");
    let order = ["injected", "suspected", "agreed", "elected", "propagated"];
    let order = order.map(|phase| ms(&failover[format!("{phase}_ms")]));
    assert!(order.is_sorted(), "{order:?}");
    assert!(order[4] < ms(&report["steps"][0]["undone_ms"]), "before it healed: {failover}");
    place.assert_cut_off_from_writers(0);
    place.assert_nothing_left();
}

/// A sentinel whose clock leaps does nothing for a while (TILT), and says so. One that gets less
/// of a processor than it may have does not feel it, and its step ends as any other.
#[test]
fn sentinels_can_be_slow_and_wrong_about_the_time() {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 3",
        "[{ at: 500ms, do: clock, target: cache/sentinel/1, jump: +2m, for: 2s },
          { at: 500ms, do: slow, target: all sentinels, cpu: 50%, for: 2s }]",
        "settle: 1s",
    );
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    for step in place.report()["steps"].as_array().unwrap() {
        assert!(step["error"].is_null() && step["undone_ms"].is_number(), "{step}");
    }
    let tilted = |sentinel: u32| {
        let log = format!("logs/cache-sentinel-{sentinel}.log");
        fs::read_to_string(place.folder().join(log)).unwrap().contains("+tilt")
    };
    assert_eq!([0, 1, 2].map(tilted), [false, true, false]);
    place.assert_nothing_left();
}

/// A sentinel that is cut off suspects whom it does not see; that is no failover.
#[test]
fn a_sentinel_that_is_cut_off_is_alone_with_its_suspicion() {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 3",
        "[{ at: 500ms, do: partition, target: cache/sentinel/0, for: 4s }]",
        "probe: { deadline: 1s }\nsettle: 3s\nexpect: [downtime.write.max == 0ms]",
    );
    let ran = place.play(&text, &[]);
    let report = place.report();
    assert_passed_or_busy(&ran, &report);
    assert_eq!(report["failovers"].as_array().unwrap().len(), 0, "{}", report["failovers"]);
    assert_eq!(report["shards"][0]["primary_after"], "cache/0/0");
}

/// Whoever leads is known at once, though redrill's own connections have broken meanwhile.
#[test]
fn a_primary_that_was_back_at_once_can_be_a_target() {
    let place = Place::new();
    let text = replicated(
        &place,
        "[{ at: 500ms, do: kill, target: primary of shard 0, for: 500ms },
          { at: 3s, do: pause, target: primary of shard 0, for: 300ms },
          { at: 4s, do: restart, target: cache/0/1 },
          { at: 5s, do: failover, target: cache/0/1 }]",
        "settle: 2s",
    );
    let ran = place.play(&text, &[]);
    let report = place.report();
    assert_no_step_failed(&report);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

/// The old primary is told to follow only long after, and a sentinel that was killed comes
/// back with what it knew: neither is an election.
#[test]
#[ignore = "`just test-all`"]
fn each_promotion_is_told_once() {
    let place = Place::new();
    let text = watched(
        &place,
        "sentinels: 3",
        "[{ at: 1s, do: failover, target: cache/sentinel/0 },
          { at: 2s, do: kill, target: cache/sentinel/2, for: 3s },
          { at: 24s, do: failover, target: cache/sentinel/1 }]",
        "settle: 3s",
    );
    let ran = place.play(&text, &[]);
    let report = place.report();
    let switched = logged(&place.folder(), |line| line.contains("+promoted-slave"));
    assert_eq!(switched.len(), 2, "{}", ran.err);
    let all = report["failovers"].as_array().unwrap();
    let elected: Vec<&Value> = all.iter().filter(|one| !one["elected_ms"].is_null()).collect();
    assert_eq!(elected.len(), 2, "{all:?}");
    assert_eq!((&elected[0]["step"], &elected[1]["step"]), (&0.into(), &2.into()), "{all:?}");
}
