//! Repositories on real servers: what their caches spare, and what was served wrongly.

use std::collections::{BTreeMap, BTreeSet};

use redrill::model::Nanos;
use redrill::model::op::{Action, CacheOp, FoundIn, Op, Purpose};
use serde_json::Value;

use crate::common::{heavy_turn, need, run};
use crate::drill::place::{Place, assert_ended_or_busy, plays_well, run_in_time};
use crate::drill::ready::{CACHES, measure};

#[test]
fn cache_aside_keeps_readers_away_from_the_origin() {
    let _turn = heavy_turn();
    let place = Place::new();
    let args = ["--profile", "ci", "--set", "settle=6s", "--set", "loads.app.rate=600/s"];
    let ran = run(&mut place.run_of("cache-aside", &args));
    let report = place.report();
    assert_ended_or_busy(0, &ran, &report);
    assert!(measure(&report, "cache.hits.near") > 20.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "cache.misses.cold"), 0.0, "it was warm: {}", report["measures"]);
    place.assert_nothing_left();
}

/// Sixty clients of six processes look at five entities, whose copies are kept for 300 ms.
pub fn play(keys: &str) -> Value {
    play_on("standalone", keys, &[])
}

pub fn play_on(topology: &str, keys: &str, args: &[&str]) -> Value {
    played(topology, keys, args).0
}

/// The report, and all operations.
pub fn played(topology: &str, keys: &str, args: &[&str]) -> (Value, Vec<Op>) {
    let text = format!(
        "name: caches\ntopology: {topology}\n\
         loads: {{ app: {{ workload: cache, rate: 600/s, clients: 60, instances: 6, keys: 5, {keys} }} }}\n\
         settle: 4s\nreported: [all]"
    );
    run_in_time(|| {
        let place = Place::new();
        let ran = place.play(&text, args);
        assert!(matches!(ran.code, Some(0 | 2)), "{keys}: {}{}", ran.out, ran.err);
        let (report, ops) = (place.report(), place.ops());
        place.assert_nothing_left();
        (report, ops)
    })
}

/// The most questions to the origin for one entity that overlap in time, of one process.
fn most_of_a_process(ops: &[Op]) -> usize {
    let asked = ops.iter().filter_map(|op| match op.action {
        Action::Cache(CacheOp::Read { asked: Some((from, to)), .. }) => {
            Some((op.key, op.instance, from, to))
        }
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    let at_once = |(key, instance, from, _): &(u64, u16, Nanos, Nanos)| {
        let other = |other: &&(u64, u16, Nanos, Nanos)| {
            (other.0, other.1) == (*key, *instance) && other.2 <= *from && *from < other.3
        };
        asked.iter().filter(other).count()
    };
    asked.iter().map(at_once).max().unwrap_or_default()
}

#[test]
fn each_way_with_stampedes_does_what_it_promises() {
    let most = |stampede: &str| {
        let keys = format!(
            "reads: 100%, layers: {{ l1: {{ group: cache, ttl: 300ms }} }}, \
             origin: {{ latency: 60ms }}, stampede: {stampede}"
        );
        let (report, ops) = played("standalone", &keys, &[]);
        assert!(measure(&report, "cache.misses.expired") > 5.0, "{}", report["measures"]);
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
        (measure(&report, "stampede.computations.max"), most_of_a_process(&ops))
    };
    let [none, lock, lease, flight] = ["none", "lock", "lease", "single-flight"].map(most);
    assert!(none.0 > 6.0 && none.1 > 1, "each of them asks: {none:?}");
    assert_eq!((lock.0, lease.0), (1.0, 1.0), "one of all");
    assert_eq!(flight.1, 1, "one of each process");
    assert!(flight.0 > 1.0, "processes do not know of each other: {flight:?}");
}

/// Copies are there for 300 ms, and the origin takes 60: one read in six comes when there is none.
#[test]
#[ignore = "`just test-all`"]
fn who_asks_early_leaves_a_new_copy_before_the_old_one_ends() {
    let came_too_late = |stampede: &str| {
        let report = play(&format!(
            "reads: 100%, warm: priority, layers: {{ l1: {{ group: cache, ttl: 300ms }} }}, \
             origin: {{ latency: 60ms }}, stampede: {stampede}"
        ));
        assert!(measure(&report, "origin.requests") > 40.0, "{}", report["measures"]);
        measure(&report, "cache.misses.expired")
    };
    let (none, early) = (came_too_late("none"), came_too_late("early"));
    assert!(none > 200.0 && early < none / 4.0, "{none} and {early}");
}

/// What is not there is kept as a copy that says so.
#[test]
fn that_there_is_none_is_known_to_a_cache() {
    let keys = "reads: 100%, absent: 20%, layers: { l1: { group: cache, ttl: 60s } }, \
                origin: { latency: 1ms }, stampede: lease";
    let (report, ops) = played("standalone", keys, &[]);
    let told = |from| {
        let is_it = |op: &&Op| match op.action {
            Action::Cache(CacheOp::Read { version: Some(0), from: at, .. }) => at == from,
            _ => false,
        };
        ops.iter().filter(|op| op.purpose == Purpose::Load).filter(is_it).count()
    };
    // A fifth of some 2,400 reads, of five such names.
    assert!((300..700).contains(&told(FoundIn::Group)), "{}", told(FoundIn::Group));
    assert!((1..=5).contains(&told(FoundIn::Origin)), "{}", told(FoundIn::Origin));
    assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
}

#[test]
fn a_process_that_nobody_tells_serves_old_versions() {
    let late = |invalidate: &str| {
        let report = play(&format!(
            "reads: 90%, layers: {{ l1: {{ in: process, ttl: 3s }}, l2: {{ group: cache, ttl: 5s }} }}, \
             origin: {{ latency: 1ms }}, invalidate: {invalidate}"
        ));
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
        measure(&report, "cache.stale.late")
    };
    assert!(late("delete, bound: 300ms") > 100.0, "other processes keep theirs");
    assert_eq!(late("publish, bound: 300ms"), 0.0);
    assert_eq!(late("ttl"), 0.0, "within the copies' own time");
}

/// Nobody waits for the origin, and one of all asks it.
#[test]
fn an_old_copy_is_served_while_one_reader_asks_anew() {
    let report = play(
        "reads: 100%, warm: priority, layers: { l1: { group: cache, ttl: 300ms } }, \
         origin: { latency: 60ms }, stampede: stale-while-revalidate",
    );
    assert_eq!(measure(&report, "cache.misses"), 0.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "stampede.computations.max"), 1.0, "{}", report["measures"]);
    assert!(measure(&report, "origin.worst") >= 5.0, "each was asked for: {}", report["measures"]);
}

/// A reader asks the slow origin, somebody else writes and deletes, and then the reader leaves what it
/// had found.
#[test]
fn slow_readers_put_old_versions_back_unless_a_lease_refuses_them() {
    let play = |stampede: &str| {
        play(&format!(
            "reads: 80%, layers: {{ l1: {{ group: cache, ttl: 2s }} }}, \
             origin: {{ latency: 1ms..60ms }}, stampede: {stampede}, bound: 100ms"
        ))
    };
    let none = play("none");
    assert!(measure(&none, "cache.resurrected") > 0.0, "{}", none["measures"]);
    assert!(measure(&none, "cache.stale.late") > 0.0, "{}", none["measures"]);
    let lease = play("lease");
    assert_eq!(measure(&lease, "cache.resurrected"), 0.0, "{}", lease["findings"]);
    assert_eq!(measure(&lease, "cache.stale.late"), 0.0, "{}", lease["findings"]);
}

/// Whoever tells them: no process has an old copy for long.
#[test]
fn processes_hear_of_writes_from_each_other_and_from_servers() {
    let ways = ["tracking", "confirmed", "publish", "tracking-broadcast", "keyspace"];
    for invalidate in if need::all() { &ways[..] } else { &ways[..2] } {
        let keys = format!(
            "reads: 90%, layers: {{ l1: {{ in: process, ttl: 3s }}, l2: {{ group: cache, ttl: 5s }} }}, \
             origin: {{ latency: 1ms }}, stampede: lease, invalidate: {invalidate}"
        );
        let report = play_on("caches", &keys, &[]);
        assert!(measure(&report, "cache.hits.near") > 5.0, "{invalidate}: {}", report["measures"]);
        let reached = measure(&report, "invalidation.reached");
        assert!(reached > 99.0, "{invalidate}: {reached}");
        assert_eq!(
            measure(&report, "cache.stale.late"),
            0.0,
            "{invalidate}: {}",
            report["findings"]
        );
    }
}

/// The server stands still for two seconds.
#[test]
#[ignore = "`just test-all`"]
fn circuit_breakers_keep_readers_from_waiting() {
    let stands = ["--set", "timeline=[{ at: 1s, do: pause, target: cache/0/0, for: 2s }]"];
    let play = |guard: &str| {
        play_on(
            "standalone",
            &format!(
                "reads: 100%, timeout: 400ms, warm: priority, layers: {{ l1: {{ group: cache, ttl: 60s }} }}, \
                 origin: {{ latency: 1ms }}, {guard}"
            ),
            &stands,
        )
    };
    let errors = |report: &Value| measure(report, "errors.total");
    let none = play("stampede: none");
    assert!(errors(&none) > 800.0, "nobody answers them: {}", none["measures"]);
    let origin = play("guard: breaker, without: origin");
    let stale = play("guard: breaker, without: stale");
    let error = play("guard: breaker, without: error");
    for guarded in [&origin, &stale] {
        assert!(errors(guarded) < 60.0, "{}", guarded["measures"]);
    }
    assert!(errors(&error) > 800.0, "they fail at once: {}", error["measures"]);
    assert!(measure(&error, "latency.p95.during") < measure(&none, "latency.p95.during"));
    assert!(measure(&origin, "origin.saved") < measure(&stale, "origin.saved"));
    for guarded in [&origin, &stale, &error] {
        assert!(measure(guarded, "breaker.opened") < 1_500.0, "{}", guarded["measures"]);
        assert!(measure(guarded, "breaker.closed") < 1_500.0, "{}", guarded["measures"]);
    }
}

/// Its requests wait and are refused, and then it is as before.
#[test]
fn a_step_makes_the_origin_slow_narrow_and_fail() {
    let steps = "timeline=[{ at: 500ms, do: origin, load: app, latency: 150ms, for: 800ms }, \
                 { at: 2s, do: origin, load: app, failing: 50%, for: 800ms }]";
    let keys = "reads: 80%, origin: { latency: 1ms }, invalidate: ttl";
    let report = play_on("standalone", keys, &["--set", steps]);
    assert!(measure(&report, "latency.p95.during") > 100.0, "{}", report["measures"]);
    assert!(measure(&report, "latency.p95.after") < 50.0, "{}", report["measures"]);
    // Half of some 480.
    let failed = measure(&report, "errors.fail");
    assert!((120.0..360.0).contains(&failed), "{failed}: {}", report["measures"]);
    assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
    // Some 240 wait at its end, and nobody is refused who comes then.
    let narrow = "timeline=[{ at: 1s, do: origin, load: app, capacity: 300/s, for: 800ms }]";
    let keys = "reads: 80%, origin: { latency: 1ms, capacity: 4000/s }, invalidate: ttl";
    let report = play_on("standalone", keys, &["--set", narrow]);
    assert!(measure(&report, "latency.p95.during") > 300.0, "{}", report["measures"]);
    assert!(measure(&report, "latency.p95.before") < 50.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "errors.total"), 0.0, "{}", report["measures"]);
}

/// Each hears of what the other one writes.
#[test]
fn two_services_on_the_same_entities_keep_each_other_right() {
    for invalidate in ["publish", "confirmed"] {
        let cache = format!(
            "workload: cache, rate: 300/s, clients: 30, instances: 3, reads: 90%, stampede: lease, \
             invalidate: {invalidate}, layers: {{ l1: {{ in: process, ttl: 3s }}, \
             l2: {{ group: cache, ttl: 5s }} }}"
        );
        let text = format!(
            "name: services\ntopology: standalone\nloads:\n  app: {{ {cache}, keys: 5, \
             origin: {{ latency: 1ms }} }}\n  admin: {{ {cache}, shares: app }}\nsettle: 4s\n\
             reported: [all]"
        );
        let place = Place::new();
        let ran = place.play(&text, &[]);
        assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
        let report = place.report();
        assert!(measure(&report, "cache.hits.near") > 5.0, "{}", report["measures"]);
        for wrong in ["cache.stale.late", "cache.impossible", "errors.total"] {
            assert_eq!(measure(&report, wrong), 0.0, "{invalidate}: {}", report["findings"]);
        }
        place.assert_nothing_left();
    }
}

/// Five entities have two names.
#[test]
fn names_that_collide_are_seen_by_readers_that_look() {
    let play = |verify: bool| {
        play(&format!(
            "reads: 95%, layers: {{ l1: {{ group: cache, ttl: 5s }} }}, origin: {{ latency: 1ms }}, \
             naming: hashed(1), verify: {verify}"
        ))
    };
    let blind = play(false);
    assert!(measure(&blind, "cache.impossible") > 100.0, "{}", blind["measures"]);
    let looks = play(true);
    assert_eq!(measure(&looks, "cache.impossible"), 0.0, "{}", looks["findings"]);
    assert!(measure(&looks, "keys.collided") > 100.0, "{}", looks["measures"]);
    assert!(measure(&looks, "keys.resolved") > 99.0, "{}", looks["measures"]);
}

/// The names of two that have one are what enumeration says, with so few bits that there are some.
#[test]
#[ignore = "`just test-all`"]
fn as_many_names_collide_as_enumeration_finds() {
    const KEYS: u64 = 1_500;
    let name = |id: u64| xxhash_rust::xxh64::xxh64(format!("app:{id}").as_bytes(), 0) >> 48;
    let mut named: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    (0..KEYS).for_each(|id| named.entry(name(id)).or_default().push(id));
    let several: BTreeSet<u64> =
        named.into_iter().filter(|(_, ids)| ids.len() > 1).map(|(name, _)| name).collect();
    assert!(several.len() > 5, "{several:?}");
    let text = format!(
        "name: names\ntopology: standalone\nloads: {{ app: {{ workload: cache, rate: 6000/s, \
         clients: 60, instances: 2, keys: {KEYS}, reads: 100%, warm: priority, \
         layers: {{ l1: {{ group: cache, ttl: 60s }} }}, origin: {{ latency: 1ms }}, \
         naming: hashed(16), verify: true }} }}\nsettle: 4s\nreported: [all]"
    );
    let place = Place::new();
    let ran = place.play(&text, &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    let met = |op: &Op| matches!(op.action, Action::Cache(CacheOp::Read { met: Some(_), .. }));
    let found: BTreeSet<u64> =
        place.ops().iter().filter(|op| met(op)).map(|op| name(op.key)).collect();
    assert_eq!(found, several);
    assert_eq!(measure(&place.report(), "cache.impossible"), 0.0);
    place.assert_nothing_left();
}

/// Plays a ready scenario, which holds.
fn holds(name: &str, args: &[&str]) {
    if !name.ends_with("-comparison") {
        plays_well(name, args);
        return;
    }
    let _turn = heavy_turn();
    let place = Place::new();
    let ran = run(&mut place.run_of(name, &[&["--profile", "ci"], args].concat()));
    assert!(matches!(ran.code, Some(0 | 2)), "{name}: {}{}", ran.out, ran.err);
    place.assert_nothing_left();
}

#[test]
#[ignore = "`just test-all`"]
fn stampedes_and_invalidations_hold() {
    for name in ["cache-stampede", "cache-invalidation", "cache-invalidation-race"] {
        holds(name, &["--set", "settle=4s"]);
    }
}

/// Ways that are known to be wrong, each in the scenario of what it breaks.
#[test]
#[ignore = "`just test-all`"]
fn a_ready_scenario_fails_a_wrong_way() {
    for (name, sets) in [
        ("cache-counters", &["loads.app.by=get-set"][..]),
        ("cache-invalidation-race", &["loads.app.stampede=none", "loads.app.invalidate=delete"]),
    ] {
        let _turn = heavy_turn();
        let place = Place::new();
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let args: Vec<&str> = ["--profile", "ci"].into_iter().chain(sets).collect();
        let ran = run(&mut place.run_of(name, &args));
        let report = place.report();
        assert_eq!(ran.code, Some(1), "{name}: {}", report["why"]);
        let findings = report["findings"].as_array().unwrap();
        assert!(findings.iter().any(|found| found["verdict"] == "fail"), "{name}: {findings:?}");
        place.assert_nothing_left();
    }
}

#[test]
#[ignore = "`just test-all`"]
fn every_scenario_of_caches_holds_on_every_engine() {
    for (number, server) in need::engines().iter().enumerate() {
        // A comparison is seven drills of ways that other scenarios have, and takes a minute.
        let is_long = |name: &str| number > 0 && name.ends_with("-comparison");
        for name in CACHES.iter().filter(|name| !is_long(name)) {
            holds(name, &["--engine-binary", server.to_str().unwrap()]);
        }
    }
}

#[test]
#[ignore = "`just test-all`"]
fn five_scenarios_of_caches_hold_in_containers() {
    if !need::docker() {
        return;
    }
    for name in [
        "cache-aside",
        "cache-stampede",
        "cache-invalidation",
        "cache-invalidation-race",
        "cache-counters",
    ] {
        holds(name, &["--backend", "docker", "--set", "settle=5s"]);
    }
}
