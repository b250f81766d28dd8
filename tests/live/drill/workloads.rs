//! Each workload in drills that lose data and in drills that do not: what is found agrees with what a
//! reader of the servers finds by itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;

use redis::Commands;
use redrill::model::op::{Action, CounterOp, Op, Outcome, Purpose, QueueOp, RegisterOp, SetOp};
use serde_json::Value;

use crate::drill::place::Place;
use crate::drill::reader::{Reader, number};

/// A cluster that misses a primary soon, so that a test need not wait.
const QUICK: &str = "
name: quick
groups:
  cache: { mode: cluster, shards: 3, replicas: 1, config: { cluster-node-timeout: 1000 } }
";

/// One load of each workload, each on keys of its own.
const ALL: &str = "
  regs: { workload: register, rate: 200/s, keys: 200 }
  swaps: { workload: cas, rate: 200/s, keys: 50 }
  counts: { workload: counter, rate: 200/s, keys: 30 }
  sets: { workload: set, rate: 200/s, keys: 30 }
  queues: { workload: queue, rate: 200/s, keys: 20, reads: 30% }
  streams: { workload: stream, rate: 200/s, keys: 20, reads: 40% }
";

const WRONG: [&str; 4] = ["counter", "set", "queue", "stream"];

fn scenario(place: &Place, topology: &str, rest: &str) -> String {
    fs::write(place.path().join("quick.yaml"), topology).unwrap();
    format!("name: works\ntopology: ./quick.yaml\n{rest}\n")
}

fn measure(report: &Value, name: &str) -> u64 {
    let value = &report["measures"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("{name} is {value}: {}", report["findings"])) as u64
}

fn ops(place: &Place, load: u8) -> Vec<Op> {
    place.ops().into_iter().filter(|op| op.load == load).collect()
}

/// The element that was put in, or came out.
fn put_in(op: &Op) -> Option<u64> {
    match op.action {
        Action::Set(SetOp::Insert(value)) | Action::Queue(QueueOp::Push(value)) => Some(value),
        _ => None,
    }
}

fn came_out(op: &Op) -> Option<u64> {
    match op.action {
        Action::Queue(QueueOp::Pop(value)) => value,
        _ => None,
    }
}

fn adds(op: &Op) -> bool {
    matches!(op.action, Action::Counter(CounterOp::Add(_)))
}

fn pops(op: &Op) -> bool {
    matches!(op.action, Action::Queue(QueueOp::Pop(_)))
}

fn values(ops: &[Op], value: fn(&Op) -> Option<u64>, ok: bool) -> BTreeMap<u64, HashSet<u64>> {
    let mut found: BTreeMap<u64, HashSet<u64>> = BTreeMap::new();
    let done = |op: &&Op| match op.outcome {
        Outcome::Ok => ok,
        Outcome::Unknown(_) => !ok,
        Outcome::Fail(_) => false,
    };
    for op in ops.iter().filter(|op| op.purpose == Purpose::Load).filter(done) {
        if let Some(value) = value(op) {
            found.entry(op.key).or_default().insert(value);
        }
    }
    found
}

#[test]
fn a_calm_drill_finds_nothing_and_analyze_says_the_same() {
    let place = Place::new();
    let rest = format!(
        "loads:{ALL}timeline: [{{ at: 1s, do: reshard, from: 0, to: 1, slots: 30% }}]\n\
         settle: 2s\nexpect: [writes.lost == 0, keys.not_linearizable == 0, counter.wrong == 0, \
         set.wrong == 0, queue.wrong == 0, stream.wrong == 0, stream.after_ack == 0]"
    );
    let text = scenario(&place, QUICK, &rest);
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    for workload in WRONG {
        let acknowledged = measure(&report, &format!("{workload}.acknowledged"));
        assert!(acknowledged > 100, "{workload}: {acknowledged}");
    }
    let swaps = ops(&place, 1);
    let swapped = swaps.iter().filter(|op| {
        matches!(op.action, Action::Register(RegisterOp::Cas { .. })) && op.outcome == Outcome::Ok
    });
    assert!(swapped.count() > 100, "compare-and-sets that found what they expected");

    let folder = place.folder();
    let analyzed = ["analyze", folder.to_str().unwrap(), "--format", "json"];
    let analyzed = crate::common::run(&mut place.redrill(&analyzed));
    assert_eq!(analyzed.code, Some(0), "{}", analyzed.err);
    let analyzed: Value = serde_json::from_str(&analyzed.out).unwrap();
    assert_eq!(analyzed["findings"], report["findings"]);
    place.assert_nothing_left();
}

/// A shard whose only server starts anew with nothing has lost all that was acknowledged before.
#[test]
fn what_an_emptied_shard_lost_is_what_is_missing_on_the_servers() {
    let place = Place::new();
    let rest = format!(
        "loads:{ALL}timeline: [{{ at: 2s, do: restart, target: cache/1/0, data: dropped }}]\n\
         settle: 3s\nreported: [all]"
    );
    let topology = QUICK.replace("replicas: 1", "replicas: 0");
    let text = scenario(&place, &topology, &rest);
    let mut playing = place.start(&text, &["--keep"]);
    playing.wait_for_words("The topology is up until Ctrl-C");
    let mut reader = Reader::of(&place);

    // Counters: what was acknowledged, less what is there.
    let counts = ops(&place, 2);
    let mut lost = 0;
    for key in 0..30 {
        let name = format!("counts:{key}");
        let total: Option<u64> = reader.at(&name).get(&name).unwrap();
        let of_key = counts.iter().filter(|op| op.key == key && adds(op));
        let done = of_key.filter(|op| op.outcome == Outcome::Ok).count() as u64;
        lost += done.saturating_sub(total.unwrap_or(0));
    }
    let counters = lost;

    let (mut sets, mut queues, mut streams) = (0, 0, 0);
    for (key, added) in values(&ops(&place, 3), put_in, true) {
        let name = format!("sets:{key}");
        let members: Vec<String> = reader.at(&name).smembers(&name).unwrap();
        let members: HashSet<u64> = members.iter().map(|member| number(member)).collect();
        sets += added.difference(&members).count() as u64;
    }
    let all = ops(&place, 4);
    let popped = values(&all, came_out, true);
    for (key, pushed) in values(&all, put_in, true) {
        let name = format!("queues:{key}");
        let left: Vec<String> = reader.at(&name).lrange(&name, 0, -1).unwrap();
        let mut there: HashSet<u64> = left.iter().map(|value| number(value)).collect();
        there.extend(popped.get(&key).into_iter().flatten());
        queues += pushed.difference(&there).count() as u64;
    }
    let all = ops(&place, 5);
    let popped = values(&all, came_out, true);
    for (key, pushed) in values(&all, put_in, true) {
        let name = format!("streams:{key}");
        let entries: Vec<(String, HashMap<String, String>)> =
            redis::cmd("XRANGE").arg(&name).arg("-").arg("+").query(reader.at(&name)).unwrap();
        let mut there: HashSet<u64> =
            entries.iter().map(|(_, fields)| number(&fields["v"])).collect();
        there.extend(popped.get(&key).into_iter().flatten());
        streams += pushed.difference(&there).count() as u64;
    }
    drop(reader);
    let id = place.records()[0].id.clone();
    assert_eq!(crate::common::run(&mut place.redrill(&["down", &id])).code, Some(0));
    assert_eq!(playing.end().code, Some(0));

    let report = place.report();
    // A third of what was acknowledged within 2 s.
    let found = WRONG.map(|workload| measure(&report, &format!("{workload}.lost")));
    let unanswered = |load, is: fn(&Op) -> bool| {
        let ops = ops(&place, load);
        let unknown = |op: &&Op| matches!(op.outcome, Outcome::Unknown(_)) && is(op);
        ops.iter().filter(unknown).count() as u64
    };
    assert_eq!(found[1], sets);
    assert_eq!(found[3], streams);
    // Each pop without an answer may have taken one, and each increment without one may count.
    assert!(found[2] <= queues && queues <= found[2] + unanswered(4, pops), "{queues}");
    assert!(found[0] <= counters && counters <= found[0] + unanswered(2, adds), "{counters}");
    assert!(found.iter().all(|lost| *lost >= 10), "{found:?}");
    let regs = measure(&report, "writes.lost");
    assert!(regs >= 10 && measure(&report, "keys.not_linearizable") >= 10, "{regs}");
    assert_eq!(measure(&report, "writes.lost.wrong_side"), 0, "nobody else was elected");
    place.assert_nothing_left();
}

/// Primaries die and come back while operations are under way, again and again: what ended
/// without an answer accuses nobody.
#[test]
fn unknown_outcomes_raise_no_alarm() {
    let place = Place::new();
    let kills: Vec<String> = (0..8)
        .map(|i| {
            let at = 1000 + i * 500;
            format!("  - {{ at: {at}ms, do: kill, target: cache/{}/0, for: 200ms }}", i % 3)
        })
        .collect();
    // Saved at every write, so that nothing is lost.
    let topology = QUICK.replace("replicas: 1", "replicas: 0").replace(
        "cluster-node-timeout: 1000",
        "cluster-node-timeout: 1000, appendonly: yes, appendfsync: always, save: '\"\"'",
    );
    let rest = format!(
        "loads:{ALL}timeline:\n{}\nsettle: 8s\n\
         expect: [writes.lost == 0, keys.not_linearizable == 0, \
         counter.wrong == 0, set.wrong == 0, queue.wrong == 0, stream.wrong == 0]",
        kills.join("\n")
    );
    let rest = rest.replace("rate: 200/s", "rate: 400/s");
    let text = scenario(&place, &topology, &rest);
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let unknown = place.report()["measures"]["errors.unknown"]["value"].as_f64();
    assert!(unknown.unwrap() >= 1.0, "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
}

/// All nodes at once: the drill ends by itself, and what is not known is not called well.
#[test]
fn all_nodes_dead_at_once_end_a_drill_clearly() {
    let place = Place::new();
    let rest = "loads: { counts: { workload: counter, rate: 200/s, keys: 10 }, \
                queues: { workload: queue, rate: 200/s, keys: 10 } }\n\
                timeline:\n  - { at: 1s, do: kill, target: all primaries }\n  \
                - { at: 1s, do: kill, target: all replicas }\nsettle: 2s\nreported: [all]";
    let text = scenario(&place, QUICK, rest);
    let ran = place.play(&text, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let report = place.report();
    let why = report["why"].to_string();
    assert!(why.contains("`cache` did not converge within `settle`: no node answers"), "{why}");
    // They are started again with nothing when the load has ended.
    let lost = &report["measures"]["counter.lost"]["value"];
    assert!(lost.is_null() || lost.as_f64() > Some(10.0), "{}", report["findings"]);
    place.assert_nothing_left();
}
