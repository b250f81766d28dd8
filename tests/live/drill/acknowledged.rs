//! What acknowledgements are worth: on the side that loses, and with replicas that must have
//! it first.

use std::fs;
use std::time::Duration;

use redrill::model::event::EventKind;
use redrill::model::op::{Op, Outcome};
use serde_json::Value;

use crate::common::run;
use crate::drill::place::{Place, events};
use crate::drill::reader::Reader;

/// A cluster that misses a primary soon, so that a test need not wait.
const QUICK: &str = "
name: quick
groups:
  cache: { mode: cluster, shards: 3, replicas: 1, config: { cluster-node-timeout: 1000 } }
";

/// Clients reach both sides of the cut.
const CUT: &str = "timeline: [{ at: 1s, do: partition, between: [cache/1/0, other nodes], for: 6s }]\n\
                   settle: 3s\nreported: [all]";

fn scenario(place: &Place, topology: &str, rest: &str) -> String {
    fs::write(place.path().join("quick.yaml"), topology).unwrap();
    format!("name: worth\ntopology: ./quick.yaml\n{rest}\n")
}

fn measure(report: &Value, name: &str) -> u64 {
    let value = &report["measures"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("{name} is {value}: {}", report["findings"])) as u64
}

/// Every key as the servers have it now, and from that which acknowledged writes are gone.
/// `cut_off` is the primary that a cut parts from all other nodes, and its place in the history.
fn lost_on_the_wrong_side(
    text: &str,
    (place, cut_off): (&Place, (&str, u16)),
    read: impl Fn(&Place) -> Reader,
) -> Value {
    let mut playing = place.start(text, &["--keep"]);
    playing.wait_for_words("The topology is up until Ctrl-C");
    let ops = place.ops();
    let lost = read(place).lost(&ops, 0, "app");
    let id = place.records()[0].id.clone();
    assert_eq!(run(&mut place.redrill(&["down", &id])).code, Some(0));
    playing.end();

    let told = events(&place.folder());
    let cut = told.iter().find(|event| matches!(event.kind, EventKind::StepInjected { .. }));
    let cut = cut.expect("the cut was told").at;
    let (name, at) = cut_off;
    let wrong = lost.iter().filter(|op| op.by == Some(at) && op.done > cut).count() as u64;

    let report = place.report();
    assert_eq!(measure(&report, "writes.lost"), lost.len() as u64);
    assert_eq!(measure(&report, "writes.lost.wrong_side"), wrong);
    // A third of 1,000 writes a second or all of them, until clients hear of another primary.
    assert!(wrong >= 50, "{wrong}");
    let text = report["findings"][0]["text"].as_str().unwrap().replace(',', "");
    assert!(text.ends_with(&format!("{wrong} of them acknowledged on a side that lost")), "{text}");
    let examples = report["findings"][0]["examples"].as_array().unwrap();
    let named = |example: &Value| {
        let text = example["text"].as_str().unwrap();
        text.contains(&format!(" by {name}, which had lost or was about to, is lost"))
    };
    assert!(examples.iter().any(named), "{examples:?}");
    report
}

#[test]
fn writes_on_the_side_that_loses_are_lost_and_counted_as_such() {
    let place = Place::new();
    let load = "loads: { app: { rate: 1000/s, keys: 10000, reads: 0% } }\n";
    let text = scenario(&place, QUICK, &format!("{load}{CUT}"));
    // It is the third of the nodes.
    let report = lost_on_the_wrong_side(&text, (&place, ("cache/1/0", 2)), Reader::of);
    assert_eq!(report["shards"][1]["primary_after"], "cache/1/1");
    for name in ["report.md", "report.html"] {
        let page = fs::read_to_string(place.folder().join(name)).unwrap();
        assert!(page.contains("on a side that lost"), "{name}");
    }
    place.assert_nothing_left();
}

/// Clients hear of the new primary from sentinels, and until then reach the old one.
#[test]
#[ignore = "`just test-all`"]
fn so_they_are_where_sentinels_watch() {
    let topology = "name: quick\ngroups:\n  cache: { mode: sentinel, replicas: 1, sentinels: 3, \
                    down_after: 2s, failover_timeout: 6s }\n";
    let rest = "loads: { app: { rate: 1000/s, keys: 10000, reads: 0% } }\n\
                timeline: [{ at: 1s, do: partition, between: [cache/0/0, other nodes], for: 8s }]\n\
                settle: 1s\nreported: [all]";
    let place = Place::new();
    let text = scenario(&place, topology, rest);
    let report = lost_on_the_wrong_side(&text, (&place, ("cache/0/0", 0)), |place| {
        Reader::of_one(place, "cache/0/1")
    });
    assert_eq!(report["shards"][0]["primary_after"], "cache/0/1");
    place.assert_nothing_left();
}

#[test]
fn a_write_that_waits_for_a_replica_is_not_acknowledged_by_a_side_that_lost() {
    let place = Place::new();
    let load = "loads: { app: { rate: 1000/s, keys: 10000, reads: 0%, \
                wait: { replicas: 1, timeout: 50ms } } }\n";
    let text = scenario(&place, QUICK, &format!("{load}{CUT}\nexpect: [writes.lost == 0]"));
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert!(measure(&report, "writes.under_replicated") >= 50, "{}", report["measures"]);
    assert!(measure(&report, "writes.acknowledged") >= 10_000 + 2_000);
    assert!(
        ran.out.contains("WAIT 1") || report["loads"][0]["text"].to_string().contains("WAIT 1")
    );
}

/// A replica that stands still: WAIT counts what it does not have, and a primary that must have
/// one refuses.
#[test]
#[ignore = "`just test-all`"]
fn a_replica_that_stands_still_is_missed_by_wait_and_by_the_primary() {
    let topology = "name: two\ngroups: { cache: { mode: replication, replicas: 1 } }";
    let rest = |how: &str| {
        format!(
            "loads: {{ app: {{ rate: 200/s, keys: 100, reads: 0%, {how} }} }}\n\
             timeline: [{{ at: 1s, do: pause, target: cache/0/1, for: 4s }}]\nsettle: 2s\n\
             reported: [all]\nexpect: [writes.lost == 0]"
        )
    };
    let place = Place::new();
    let how = "wait: { replicas: 1, timeout: 50ms }";
    let ran = place.play(&scenario(&place, topology, &rest(how)), &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let few = measure(&report, "writes.under_replicated");
    // On a busy machine, a replica that does not stand still may be late as well.
    assert!(few >= 700, "200 writes a second for 4 s: {few}");
    let told = events(&place.folder());
    let at =
        |wanted: fn(&EventKind) -> bool| told.iter().find(|event| wanted(&event.kind)).unwrap().at;
    let stood =
        at(|what| matches!(what, EventKind::StepInjected { .. })) + Duration::from_millis(50);
    let went_on = at(|what| matches!(what, EventKind::StepUndone { .. }));
    let alone = |op: &&Op| op.sent > stood && op.done < went_on && op.action.written().is_some();
    let ops = place.ops();
    let alone: Vec<&Op> = ops.iter().filter(alone).collect();
    assert!(alone.len() >= 600 && alone.iter().all(|op| op.outcome != Outcome::Ok), "{alone:?}");
    assert!(measure(&report, "latency.p50.during") < 500, "each waits for itself");

    let place = Place::new();
    let how = "min-replicas-to-write: 1, min-replicas-max-lag: 1s";
    let ran = place.play(&scenario(&place, topology, &rest(how)), &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let refused = &report["loads"][0]["met"]["causes"]["no_replicas"];
    // From the second second on.
    assert!(refused.as_u64().is_some_and(|count| count >= 200), "{}", report["loads"]);
    let written = fs::read_to_string(place.folder().join("topology.yaml")).unwrap();
    assert!(written.contains("min-replicas-to-write: \"1\""), "{written}");
}
