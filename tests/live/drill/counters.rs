//! Counters that are counted up in several ways, on real servers: what keeps two clients from
//! writing the same total, and what does not.

use serde_json::Value;

use crate::common::{need, run};
use crate::drill::place::{Place, assert_ended_or_busy, run_in_time};

fn measure(report: &Value, name: &str) -> f64 {
    report["measures"][name]["value"].as_f64().unwrap_or_else(|| panic!("{name} is not known"))
}

#[test]
fn cache_counters_loses_nothing() {
    let place = Place::new();
    let args = ["--profile", "ci", "--set", "timeline.0.for=4s"];
    let ran = run(&mut place.run_of("cache-counters", &args));
    let report = place.report();
    assert_ended_or_busy(0, &ran, &report);
    assert!(measure(&report, "counter.acknowledged") > 1_900.0, "{}", ran.out);
    place.assert_nothing_left();
}

/// Many clients, two counters, and slots on the move.
fn play(by: &str, rate: u32) -> (Value, String) {
    let text = format!(
        "name: counters\ntopology: cluster-3x0\n\
         loads: {{ app: {{ workload: counter, by: {by}, rate: {rate}/s, clients: 20, \
                           instances: 2, keys: 2, reads: 10% }} }}\n\
         timeline: [{{ at: 1s, do: reshard, from: 0, to: 1, slots: 5000, pace: fast }},\n\
                    {{ at: 1s, do: reshard, from: 2, to: 1, slots: 5000, pace: fast }}]\n\
         settle: 2s\nreported: [all]"
    );
    let (report, told) = run_in_time(|| {
        let place = Place::new();
        let ran = place.play(&text, &[]);
        let told = ran.out + &ran.err;
        assert!(matches!(ran.code, Some(0 | 2)), "{by}: {told}");
        place.assert_nothing_left();
        (place.report(), told)
    });
    assert!(measure(&report, "counter.acknowledged") > 300.0, "{by}: {told}");
    (report, told)
}

#[test]
fn what_holds_reading_and_writing_together_loses_no_increment() {
    let ways = ["lock", "script", "watch"];
    for by in if need::all() { &ways[..] } else { &ways[..1] } {
        let (report, told) = play(by, 200);
        assert_eq!(measure(&report, "counter.wrong"), 0.0, "{by}: {told}");
        // Who meets others too often while a slot moves gives up.
        assert!(measure(&report, "errors.total") < 20.0, "{by}: {told}");
    }
}

/// So often that some meet for certain.
#[test]
fn who_reads_and_then_writes_loses_increments() {
    let (report, told) = play("get-set", 2_000);
    let (lost, wrong) = (measure(&report, "counter.lost"), measure(&report, "counter.wrong"));
    assert!(lost > 0.0 && wrong >= lost, "{lost} of {wrong}: {told}");
}
