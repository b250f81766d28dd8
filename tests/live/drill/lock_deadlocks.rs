//! Clients that take several locks each, and locks that many clients want, on real servers.

use serde_json::Value;

use crate::common::{heavy_turn, run};
use crate::drill::place::{Place, assert_passed_or_busy};
use crate::drill::ready::measure;

/// Plays a ready scenario in less time.
fn play(name: &str, set: &[&str]) -> Value {
    let _turn = heavy_turn();
    let place = Place::new();
    let set = set.iter().flat_map(|set| ["--set", set]);
    let args: Vec<&str> = ["--profile", "ci", "--seed", "7"].into_iter().chain(set).collect();
    let ran = run(&mut place.run_of(name, &args));
    let report = place.report();
    assert_passed_or_busy(&ran, &report);
    place.assert_nothing_left();
    for (name, wanted) in [("lock.overlaps", 0.0), ("lock.updates.lost", 0.0)] {
        assert_eq!(measure(&report, name), wanted, "{name}");
    }
    report
}

fn finding<'r>(report: &'r Value, kind: &str) -> &'r Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["kind"] == kind).expect("a finding of that kind")
}

#[test]
fn deadlocks_are_found_named_and_resolved() {
    let report = play("lock-deadlock", &["settle=10s", "loads.app.keys=17"]);
    let of = |name: &str| measure(&report, name);
    assert!(of("lock.deadlocks") >= 1.0, "{}", report["measures"]);
    // One that is over before its clients know of it cannot be found.
    assert_eq!(of("lock.deadlocks.missed"), 0.0);
    assert!(of("lock.deadlocks.found") >= 0.9 * of("lock.deadlocks"), "{}", report["measures"]);
    assert_eq!((of("lock.deadlocks.false"), of("lock.deadlocks.unresolved")), (0.0, 0.0));
    let found = finding(&report, "deadlocks");
    let text = found["examples"][0]["text"].as_str().unwrap();
    for word in ["client ", "token ", "waited for lock ", "closed at ", "found at ", "over at "] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn who_takes_locks_in_one_order_is_in_no_deadlock() {
    let report = play("lock-ordering", &["settle=5s"]);
    assert_eq!(measure(&report, "lock.deadlocks"), 0.0);
    assert!(measure(&report, "lock.deadlocks.chances") >= 20.0, "{}", report["measures"]);
}

#[test]
#[ignore = "`just test-all`"]
fn without_anybody_who_looks_a_deadlock_lasts_until_patience_is_over() {
    let report = play("lock-timeouts", &["settle=15s"]);
    let of = |name: &str| measure(&report, name);
    assert!(of("lock.deadlocks") >= 1.0, "{}", report["measures"]);
    assert_eq!((of("lock.deadlocks.found"), of("lock.deadlocks.unresolved")), (0.0, 0.0));
    assert!(
        of("lock.deadlocks.lasted.max") >= 200.0,
        "patience is half a second: {}",
        report["why"]
    );
}

#[test]
fn fifty_clients_want_one_lock_and_others_a_thousand_a_second() {
    let report = play("lock-contention", &["settle=5s"]);
    let of = |load: usize, what: &str| report["loads"][load]["measures"][what]["value"].as_f64();
    // A busy machine may keep the others waiting for as long, but not for a lock.
    let [one, many] = [0, 1].map(|load| of(load, "lock.tries").unwrap());
    assert!(one > many, "who wants the one lock tries more often: {one} and {many}");
    let acquired = [0, 1].map(|load| of(load, "lock.acquired").unwrap());
    assert!(acquired[1] >= 4_000.0, "{acquired:?}");
    assert_eq!(acquired.iter().sum::<f64>(), measure(&report, "lock.acquired"));
}

#[test]
fn a_thousand_locks_a_second_stay_level() {
    let report = play("lock-sustained", &[]);
    assert!(measure(&report, "lock.acquired") >= 5_000.0, "{}", report["measures"]);
}
