//! What regions come to hold, held against a reader that looks into both of them after the drill,
//! and has nothing of redrill's checkers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use redrill::model::op::{Action, CounterOp, Op, Outcome, key_name};
use serde_json::Value;

use crate::common::{heavy_turn, need, run};
use crate::drill::active::COUNTED;
use crate::drill::place::{Place, assert_no_step_failed};
use crate::drill::reader::{Reader, number};

const BOTH: [&str; 2] = ["us", "eu"];

/// What both regions hold of the keys of `near`, in order: the number of each value.
fn held(place: &Place, keys: u64) -> [Vec<Option<u64>>; 2] {
    BOTH.map(|group| {
        let mut reader = Reader::of_one(place, &format!("{group}/0/0"));
        let mut values = redis::cmd("MGET");
        (0..keys).for_each(|key| _ = values.arg(key_name("near", key)));
        let values: Vec<Option<String>> = values.query(reader.at("")).unwrap();
        values.iter().map(|value| value.as_deref().map(number)).collect()
    })
}

/// Plays it, and reads what the servers hold that it leaves up.
fn play(place: &Place, scenario: &str, (keys, args): (u64, &[&str])) -> [Vec<Option<u64>>; 2] {
    let args = [&["--keep"], args].concat();
    let mut playing = place.watch(place.run_of(scenario, &args));
    playing.wait_for_words("The topology is up until Ctrl-C");
    let held = held(place, keys);
    let id = place.records()[0].id.clone();
    assert_eq!(run(&mut place.redrill(&["down", &id])).code, Some(0));
    playing.end();
    held
}

fn measure(report: &Value, name: &str) -> f64 {
    let value = &report["measures"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("{name} is {value}: {}", report["why"]))
}

/// Of keys that differ, what each region holds, as a person is told.
fn told(key: u64, [us, eu]: [Option<u64>; 2]) -> String {
    let word = |held: Option<u64>| held.map_or("nothing".to_owned(), |held| held.to_string());
    format!("key {key} differs: us: {}, eu: {}", word(us), word(eu))
}

#[test]
fn keys_that_differ_without_a_rule_are_those_that_both_datasets_show() {
    const KEYS: u64 = 200;
    /// In order of arrival increments add up, so that counters do not differ.
    const COUNTERS: u64 = 10;
    let _turn = heavy_turn();
    for server in need::engines() {
        let place = Place::new();
        let server = server.to_str().unwrap();
        let set = ["--set", "sync.rule=naive", "--set", "settle=4s"];
        let args = [&["--profile", "ci", "--engine-binary", server], &set[..]].concat();
        let [us, eu] = play(&place, "cross-region-conflicts", (KEYS, &args));
        let report = place.report();
        let pairs = us.into_iter().zip(eu).map(|(us, eu)| [us, eu]);
        let differ: BTreeMap<u64, [Option<u64>; 2]> =
            (0..).zip(pairs).filter(|(_, [us, eu])| us != eu).collect();
        assert!(!differ.is_empty(), "both write to the same keys all the time");

        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|one| one["kind"] == "diverged_keys").unwrap();
        let count = differ.len() as u64;
        assert_eq!(measure(&report, "sync.diverged"), count as f64);
        assert_eq!(found["count"], count);
        let share = measure(&report, "sync.consistency");
        let alike = (KEYS - count + COUNTERS) as f64 / (KEYS + COUNTERS) as f64 * 100.0;
        assert!((share - alike).abs() < 1e-6, "{share} %, and not {alike} %");
        let examples = found["examples"].as_array().unwrap();
        let keys: BTreeSet<u64> = examples.iter().map(|one| one["key"].as_u64().unwrap()).collect();
        assert_eq!(keys.len() as u64, count.min(20), "{examples:?}");
        for example in examples {
            let key = example["key"].as_u64().unwrap();
            let held = differ.get(&key).unwrap_or_else(|| panic!("{example} does not differ"));
            let text = example["text"].as_str().unwrap();
            assert_eq!(without_writes(text), told(key, *held));
        }
        place.assert_nothing_left();
    }
}

/// The text without what it tells of the write of each value.
fn without_writes(text: &str) -> String {
    text.split(" (").map(|part| part.split_once(')').map_or(part, |(_, rest)| rest)).collect()
}

/// How many acknowledged increments are not in the totals that both regions hold; and how many the
/// drill tells.
fn thrown_away(rule: &str, server: &str) -> (u64, f64) {
    const KEYS: u64 = 5;
    let place = Place::new();
    let file = place.path().join("counted.yaml");
    fs::write(&file, COUNTED.replace("TOPOLOGY", "active-active-2r")).unwrap();
    let rule = format!("sync.rule={rule}");
    let args = ["--engine-binary", server, "--set", &rule];
    let [us, eu] = play(&place, file.to_str().unwrap(), (KEYS, &args));
    assert_eq!(us, eu, "they agree on a total, be it right or wrong");
    let report = place.report();
    assert_no_step_failed(&report);
    assert_eq!(measure(&report, "sync.diverged"), 0.0);

    let ops = place.ops();
    let adds = |op: &&Op| matches!(op.action, Action::Counter(CounterOp::Add(_)));
    let mut acknowledged = [0_u64; KEYS as usize];
    for op in ops.iter().filter(adds).filter(|op| op.outcome == Outcome::Ok) {
        acknowledged[op.key as usize] += 1;
    }
    assert!(acknowledged.iter().sum::<u64>() > 500, "{acknowledged:?}");
    let totals = us.iter().map(|total| total.unwrap_or(0));
    let both = acknowledged.iter().zip(totals);
    let lost: u64 = both.map(|(acknowledged, total)| acknowledged.saturating_sub(total)).sum();
    println!("{rule}: {lost} of {acknowledged:?} are in no total");
    assert_eq!(measure(&report, "counter.surplus"), 0.0);
    place.assert_nothing_left();
    (lost, measure(&report, "counter.lost"))
}

/// By `lww` an increment that meets another one is thrown away, and each one of them is told.
#[test]
#[ignore = "`just test-all`"]
fn increments_that_a_rule_throws_away_are_counted_one_by_one() {
    let _turn = heavy_turn();
    for server in need::engines() {
        let server = server.to_str().unwrap();
        assert_eq!(thrown_away("crdt", server), (0, 0.0));
        let (lost, told) = thrown_away("lww", server);
        assert!(lost > 0, "none has met another one");
        assert_eq!(told, lost as f64);
    }
}
