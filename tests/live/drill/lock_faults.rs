//! What locks are worth under each fault, on real servers: who is broken, who is not, and what is
//! told of it.

use serde_json::Value;

use crate::common::{heavy_turn, need, run};
use crate::drill::place::{Place, assert_ended_or_busy, assert_no_step_failed, plays_well, seeds};
use crate::drill::ready::measure;

#[test]
#[ignore = "`just test-all`"]
fn contention_and_a_failover_in_containers() {
    if !need::docker() {
        return;
    }
    let report = play("lock-contention", &["--backend", "docker"]);
    assert_eq!(measure(&report, "lock.overlaps"), 0.0, "{}", report["findings"]);
    let report = play("lock-failover", &["--backend", "docker"]);
    assert!(of(&report, "mutex", "overlaps") >= 1, "{}", report["loads"][0]["locks"]);
    assert_eq!(of(&report, "redlock", "overlaps"), 0, "{}", report["loads"][2]["locks"]);
}

/// Plays a ready scenario, with a release and a seed.
fn play(name: &str, args: &[&str]) -> Value {
    let report = plays_well(name, args);
    assert_no_step_failed(&report);
    report
}

/// What was counted of the locks of one load.
fn of(report: &Value, load: &str, what: &str) -> u64 {
    let loads = report["loads"].as_array().unwrap();
    let load = loads.iter().find(|one| one["name"] == load).unwrap();
    load["locks"][what].as_u64().unwrap_or_else(|| panic!("{what}: {}", load["locks"]))
}

/// The first thing that was found of locks that were had twice.
fn first_overlap(report: &Value) -> &Value {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|one| one["kind"] == "lock_overlaps").unwrap();
    &found["examples"][0]
}

#[test]
fn a_holder_that_stands_still_breaks_a_mutex_and_is_caught_by_fencing() {
    let report = play("lock-holder-pause", &["--set", "settle=3s"]);
    assert!(of(&report, "plain", "overlaps") >= 1, "{}", report["loads"][0]["locks"]);
    assert!(of(&report, "plain", "lost") >= 1, "{}", report["loads"][0]["locks"]);
    for (what, wanted) in [("overlaps", 0), ("lost", 0)] {
        assert_eq!(of(&report, "fenced", what), wanted, "{}", report["loads"][1]["locks"]);
    }
    assert!(of(&report, "fenced", "caught") >= 1, "{}", report["loads"][1]["locks"]);
    let first = first_overlap(&report);
    let text = first["text"].as_str().unwrap();
    for word in [
        "client ",
        "token ",
        "(during the step pause: plain/actor/",
        " got it at ",
        "used it until ",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let drawn = first["window"].as_array().unwrap();
    assert!(drawn.len() == 2 && drawn.iter().all(|one| one["action"] == "held"), "{drawn:?}");
    // Each belongs to a pause, and none to the time before.
    let by_step = &report["loads"][0]["locks"]["by_step"];
    let sum: u64 =
        by_step.as_array().unwrap().iter().map(|s| s["overlaps"].as_u64().unwrap()).sum();
    assert_eq!(sum, of(&report, "plain", "overlaps"), "{by_step}");
    assert!(measure(&report, "lock.free_again") < 2_000.0, "{}", report["measures"]);
}

#[test]
fn a_lock_that_is_never_given_back_is_free_when_its_lease_is_over() {
    let report = play("lock-expiry", &["--set", "settle=6s"]);
    assert_eq!(measure(&report, "lock.lease.early"), 0.0);
    let late = measure(&report, "lock.lease.late.p99");
    assert!(late > 0.0, "somebody waited for such a lock: {late}");
    // A tenth of some 1,200, each of which keeps others waiting for half a second.
    assert!(measure(&report, "lock.acquire.max") > 200.0, "{}", report["measures"]);
}

#[test]
#[ignore = "`just test-all`"]
fn slots_of_locks_move_and_nobody_has_one_twice() {
    for server in need::engines() {
        let report = play("lock-reshard", &["--engine-binary", server.to_str().unwrap()]);
        assert_eq!(measure(&report, "lock.overlaps"), 0.0, "{}", report["findings"]);
        assert!(measure(&report, "lock.acquired") > 1_000.0, "{}", report["measures"]);
    }
}

/// Redlock is not accused, whatever happens to others beside it.
fn redlock_holds(name: &str, seed: u64, server: &str) -> Value {
    let report = play(name, &["--seed", &seed.to_string(), "--engine-binary", server]);
    assert!(of(&report, "redlock", "acquired") >= 50, "{}", report["loads"][2]["locks"]);
    for what in ["overlaps", "lost"] {
        assert_eq!(of(&report, "redlock", what), 0, "{}", report["loads"][2]["locks"]);
    }
    report
}

/// Redlock and `mutex-wait` are better than a mutex with each of five seeds, and one of them breaks a
/// mutex at least.
#[test]
#[ignore = "`just test-all`"]
fn a_failover_breaks_a_mutex_and_no_redlock() {
    for server in need::engines() {
        let broken = (1..=5).map(|seed| {
            let report = redlock_holds("lock-failover", seed, server.to_str().unwrap());
            let [mutex, waited] = ["mutex", "mutex-wait"].map(|load| of(&report, load, "overlaps"));
            assert!(mutex >= waited, "{seed}: {mutex} and {waited}: {}", report["loads"]);
            mutex
        });
        assert!(broken.sum::<u64>() > 0, "{}", server.display());
    }
}

#[test]
#[ignore = "`just test-all`"]
fn a_partition_breaks_a_mutex_and_no_redlock() {
    for server in need::engines() {
        let report = redlock_holds("lock-partition", 1, server.to_str().unwrap());
        let [mutex, waited] = ["mutex", "mutex-wait"].map(|load| of(&report, load, "overlaps"));
        assert!(mutex > 0 && waited == 0, "{mutex} and {waited}: {}", report["loads"]);
    }
}

#[test]
#[ignore = "`just test-all`"]
fn a_right_lock_is_never_accused() {
    for seed in 1..=seeds() {
        let server = need::engines().remove(0);
        redlock_holds("lock-partition", seed, server.to_str().unwrap());
        let report = play("lock-contention", &["--seed", &seed.to_string()]);
        for what in ["lock.overlaps", "lock.overlaps.possible", "lock.updates.lost"] {
            assert_eq!(measure(&report, what), 0.0, "{seed}: {}", report["findings"]);
        }
    }
}

/// What one server forgets is no majority, unless two clients had shared the servers. The last thing
/// that happens is one too many.
fn breaks_at_last(name: &str) {
    for server in need::engines() {
        let report = play(name, &["--engine-binary", server.to_str().unwrap()]);
        let by_step = report["loads"][0]["locks"]["by_step"].as_array().unwrap();
        let of = |first: bool| -> u64 {
            let is_of = |one: &&Value| (one["step"] == 0) == first;
            by_step.iter().filter(is_of).map(|one| one["overlaps"].as_u64().unwrap()).sum()
        };
        assert!(of(false) >= 5 && of(true) * 4 < of(false), "{by_step:?}");
    }
}

#[test]
#[ignore = "`just test-all`"]
fn one_clock_that_jumps_breaks_no_redlock_and_too_many_do() {
    breaks_at_last("lock-clock-jump");
}

#[test]
#[ignore = "`just test-all`"]
fn one_server_that_is_empty_breaks_no_redlock_and_too_many_do() {
    breaks_at_last("lock-restart-without-data");
}

/// Nothing else happens, and all five servers have the locks.
#[test]
#[ignore = "`just test-all`"]
fn what_one_or_two_servers_forget_breaks_no_redlock() {
    for (name, profile) in [
        ("lock-clock-jump", "one"),
        ("lock-clock-jump", "two"),
        ("lock-restart-without-data", "one"),
    ] {
        let _turn = heavy_turn();
        let place = Place::new();
        let ran = run(&mut place.run_of(name, &["--profile", profile]));
        let report = place.report();
        assert_no_step_failed(&report);
        assert_ended_or_busy(0, &ran, &report);
        assert!(measure(&report, "lock.timed_out") > 0.0, "{profile} of {name}: nobody waited");
        assert!(measure(&report, "lock.overlaps") <= 1.0, "{profile} of {name}: {}", ran.out);
    }
}

#[test]
#[ignore = "`just test-all`"]
fn servers_that_stay_away_for_longer_than_a_lease_break_no_redlock() {
    let _turn = heavy_turn();
    let place = Place::new();
    let ran = run(&mut place.run_of("lock-restart-without-data", &["--profile", "delayed"]));
    let report = place.report();
    assert_no_step_failed(&report);
    assert_ended_or_busy(0, &ran, &report);
    assert_eq!(measure(&report, "lock.overlaps"), 0.0, "{}", report["findings"]);
}

#[test]
#[ignore = "`just test-all`"]
fn all_kinds_of_locks_meet_all_faults() {
    let report = play("lock-comparison", &[]);
    for load in report["loads"].as_array().unwrap() {
        assert!(load["locks"]["acquired"].as_u64() > Some(100), "{load}");
    }
    assert!(of(&report, "mutex", "overlaps") > of(&report, "redlock", "overlaps"));
    assert!(of(&report, "fenced", "caught") > 0);
}

/// Three libraries meet the same faults on the same page.
#[test]
#[ignore = "`just test-all`"]
fn libraries_meet_all_faults() {
    let (Some(redis_py), Some(pottery)) = (need::python_with_redis(), need::python_with_pottery())
    else {
        return;
    };
    let Some(rslock) = need::rslock() else { return };
    let by = |load: &str, words: &[&str]| {
        format!("loads.{load}.client={{ command: ['{}'] }}", words.join("', '"))
    };
    let adapter =
        |folder: &str| format!("{}/adapters/{folder}/adapter.py", env!("CARGO_MANIFEST_DIR"));
    let set = [
        by("redis-py", &[redis_py.to_str().unwrap(), &adapter("redis-py")]),
        by("pottery", &[pottery.to_str().unwrap(), &adapter("pottery")]),
        by("rslock", &[rslock.to_str().unwrap()]),
    ];
    let _turn = heavy_turn();
    let place = Place::new();
    let sets = set.iter().flat_map(|set| ["--set", set]);
    let args: Vec<&str> = ["--profile", "libraries"].into_iter().chain(sets).collect();
    let ran = run(&mut place.run_of("lock-comparison", &args));
    let report = place.report();
    assert_no_step_failed(&report);
    assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
    for library in ["redis-py", "pottery", "rslock"] {
        assert!(of(&report, library, "acquired") > 100, "{library}: {}", report["measures"]);
    }
    // What does not wait for a replica is broken by most of the faults.
    assert!(of(&report, "redis-py", "overlaps") > 0, "{}", ran.out);
    place.assert_nothing_left();
}

/// What is sent to a lock arrives later than its time-out, and in another order than it was answered:
/// no kind of lock is had twice by that.
#[test]
fn a_slow_link_breaks_no_lock() {
    let kinds = ["mutex", "mutex-wait", "fenced", "fair", "semaphore", "read-write"];
    let load = |kind: &&str| {
        format!(
            "  {kind}: {{ workload: lock, group: locks, rate: 30/s, clients: 60, keys: 20, \
             instances: 4, timeout: 200ms, lock: {{ kind: {kind}, ttl: 12s, hold: 500ms, \
             patience: 5s, accounts: bank }} }}\n"
        )
    };
    let step = |kind: &&str| {
        format!(
            "  - {{ at: 1s, do: latency, group: locks, between: [{kind}/actor/0, locks/0/0], \
             latency: 400ms, for: 4s }}\n"
        )
    };
    let loads: String = kinds.iter().map(load).collect();
    let steps: String = kinds.iter().map(step).collect();
    let text = format!(
        "name: slow-locks\ntopology: locks-1x2\nloads:\n{loads}timeline:\n{steps}settle: 3s\n\
         reported: [all]\n"
    );
    let _turn = heavy_turn();
    let place = Place::new();
    let ran = place.play(&text, &[]);
    let report = place.report();
    assert_ended_or_busy(0, &ran, &report);
    for kind in kinds {
        assert_eq!(of(&report, kind, "overlaps"), 0, "{kind}: {}", report["findings"]);
        assert!(of(&report, kind, "acquired") > 50, "{kind}: {}", report["measures"]);
    }
    place.assert_nothing_left();
}

/// Three of five servers answer later than the time-out.
#[test]
#[ignore = "`just test-all`"]
fn slow_links_break_no_redlock() {
    let slow = |group| {
        format!(
            "  - {{ at: 1s, do: latency, group: {group}, between: [app/actor/0, {group}/0/0], \
             latency: 300ms, for: 4s }}\n"
        )
    };
    let steps: String = ["a", "b", "c"].map(slow).concat();
    let text = format!(
        "name: slow-redlock\ntopology: redlock-5\nloads:\n  app: {{ workload: lock, \
         groups: [a, b, c, d, e], rate: 60/s, clients: 100, keys: 40, instances: 4, timeout: 200ms, \
         lock: {{ kind: redlock, ttl: 10s, hold: 500ms, accounts: bank, patience: 5s, retry: 50ms }} }}\n\
         timeline:\n{steps}settle: 3s\nreported: [all]\n"
    );
    let _turn = heavy_turn();
    let place = Place::new();
    let ran = place.play(&text, &[]);
    let report = place.report();
    assert_ended_or_busy(0, &ran, &report);
    assert_eq!(of(&report, "app", "overlaps"), 0, "{}", report["findings"]);
    assert!(of(&report, "app", "acquired") > 100, "{}", report["measures"]);
    place.assert_nothing_left();
}
