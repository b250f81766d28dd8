//! Keys that servers let go: for want of memory, and because their time is over.

use std::collections::BTreeSet;

use redrill::model::event::{EventKind, NodeStats};
use redrill::model::op::{Action, CacheOp, FoundIn, Op, Purpose};
use serde_json::Value;

use crate::drill::place::{Place, events};
use crate::drill::ready::measure;

/// What the only server told last, and what was done.
struct Told {
    report: Value,
    last: NodeStats,
    ops: Vec<Op>,
}

fn play(load: &str, args: &[&str]) -> Told {
    let text = format!(
        "name: memory\ntopology: bounded\nloads: {{ app: {{ {load} }} }}\nsettle: 4s\n\
         reported: [all]"
    );
    let place = Place::new();
    let ran = place.play(&text, args);
    assert!(matches!(ran.code, Some(0 | 2)), "{load}: {}{}", ran.out, ran.err);
    let mut told = events(&place.folder()).into_iter().filter_map(|event| match event.kind {
        EventKind::Stats { nodes, .. } => nodes.into_iter().next(),
        _ => None,
    });
    let last = told.next_back().expect("the server was asked");
    let (report, ops) = (place.report(), place.ops());
    place.assert_nothing_left();
    Told { report, last, ops }
}

/// Of how many entities there were copies ever; how many were left in all; and reads that waited for
/// another one's question, so that they left none.
fn copies(ops: &[Op]) -> (usize, usize, usize) {
    let found = |op: &Op| match op.action {
        Action::Cache(CacheOp::Read { from, kept, .. }) if op.purpose == Purpose::Load => {
            Some((from, kept))
        }
        _ => None,
    };
    let left = |op: &&Op| matches!(found(op), Some((FoundIn::Origin, Some(_))));
    let ever: BTreeSet<u64> = ops.iter().filter(left).map(|op| op.key).collect();
    let waited = ops.iter().filter(|op| matches!(found(op), Some((FoundIn::Other, _))));
    (ever.len(), ops.iter().filter(left).count(), waited.count())
}

/// Copies that the server had when it told last.
fn there(told: &Told) -> usize {
    let canaries = told.report["probe"]["canaries"].as_u64().unwrap();
    (told.last.keys - canaries) as usize
}

/// One process reads and nobody writes, so each copy that goes is evicted. Whether it is read again or
/// not, the server has counted it.
#[test]
fn misses_of_evicted_copies_are_what_the_server_has_evicted() {
    let told = play(
        "workload: cache, rate: 400/s, clients: 4, keys: 600, reads: 100%, value: 8KB, \
         layers: { l1: { group: cache, ttl: 300s } }, origin: { latency: 1ms }, \
         stampede: single-flight",
        &["--set", "groups.cache.config.maxmemory=5mb"],
    );
    let (there, (ever, left, waited)) = (there(&told), copies(&told.ops));
    let Told { report, last, .. } = told;
    let evicted = last.kept.expect("it tells of its keys").evicted as usize;
    let misses = measure(&report, "cache.misses.evicted") as usize;
    assert!(evicted > 100 && misses > 50, "{evicted} {misses}: {}", report["measures"]);
    assert_eq!(left, there + evicted, "each copy is there, or was evicted");
    let read_again = there + evicted - ever;
    assert!((misses - waited..=misses).contains(&read_again), "{misses} {waited} {read_again}");
    for none in ["cache.misses.lost", "cache.misses.gone", "cache.misses.expired"] {
        assert_eq!(measure(&report, none), 0.0, "{none}: {}", report["measures"]);
    }
    let keeper = &report["keepers"][0];
    assert!(keeper["evicted"].as_u64().unwrap() > 0 && keeper["stall_ms"].is_number(), "{keeper}");
    let by_memory = &report["loads"][0]["by_memory"]["points"];
    assert!(by_memory.as_array().unwrap().len() > 10, "{by_memory}");
}

/// Some are gone and nobody has asked for them, and the server may not have noticed that others are
/// over.
#[test]
#[ignore = "`just test-all`"]
fn misses_of_expired_copies_are_what_the_server_has_expired() {
    let told = play(
        "workload: cache, rate: 400/s, clients: 4, keys: 100, reads: 100%, \
         layers: { l1: { group: cache, ttl: 300ms } }, origin: { latency: 1ms }, \
         stampede: single-flight",
        &[],
    );
    let (there, (ever, left, waited)) = (there(&told), copies(&told.ops));
    let Told { report, last, .. } = told;
    let expired = last.kept.expect("it tells of its keys").expired as usize;
    let misses = measure(&report, "cache.misses.expired") as usize;
    assert!(expired > 300, "{expired}: {}", report["measures"]);
    assert_eq!(left, there + expired, "each copy is there, or was over");
    let read_again = there + expired - ever;
    assert!((misses - waited..=misses).contains(&read_again), "{misses} {waited} {read_again}");
    assert_eq!(measure(&report, "cache.misses.evicted"), 0.0, "{}", report["measures"]);
}

/// The server is full and lets nothing go: each read gets what the origin says.
#[test]
#[ignore = "`just test-all`"]
fn a_server_without_room_for_copies_fails_no_read() {
    for stampede in ["none", "lock", "lease"] {
        let Told { report, last, .. } = play(
            &format!(
                "workload: cache, rate: 400/s, clients: 20, keys: 1000, reads: 95%, value: 8KB, \
                 layers: {{ l1: {{ group: cache, ttl: 300s }} }}, origin: {{ latency: 1ms }}, \
                 stampede: {stampede}"
            ),
            &[
                "--set",
                "groups.cache.config.maxmemory=4mb",
                "--set",
                "groups.cache.config.maxmemory-policy=noeviction",
            ],
        );
        assert_eq!(measure(&report, "errors.total"), 0.0, "{stampede}: {}", report["measures"]);
        assert_eq!(measure(&report, "cache.impossible"), 0.0, "{stampede}: {}", report["findings"]);
        let unkept = measure(&report, "cache.unkept");
        assert!(unkept > 200.0, "{stampede}: {unkept}: {}", report["measures"]);
        assert!(measure(&report, "cache.hits") > 5.0, "{stampede}: {}", report["measures"]);
        assert_eq!(last.kept.unwrap().evicted, 0);
    }
}

/// The end of a key that was there when the clock jumped is another one, and it is not judged.
#[test]
#[ignore = "`just test-all`"]
fn keys_go_when_their_time_is_over_unless_a_clock_jumps() {
    let load = "workload: expiry, rate: 60/s, clients: 200, keys: 5000, \
                expiry: { lives: 500ms..1s }";
    let calm = play(load, &[]).report;
    assert!(measure(&calm, "expiry.judged") > 100.0, "{}", calm["measures"]);
    assert_eq!(measure(&calm, "expiry.touched"), 0.0, "{}", calm["measures"]);
    assert_eq!(measure(&calm, "expiry.early"), 0.0, "{}", calm["findings"]);
    assert!(measure(&calm, "expiry.accuracy") > 90.0, "{}", calm["measures"]);
    let jump = "timeline=[{ at: 2s, do: clock, target: cache/0/0, jump: +5s, for: 200ms }]";
    let jumped = play(load, &["--set", jump]).report;
    assert!(measure(&jumped, "expiry.touched") > 20.0, "{}", jumped["measures"]);
    assert_eq!(measure(&jumped, "expiry.early"), 0.0, "{}", jumped["findings"]);
}
