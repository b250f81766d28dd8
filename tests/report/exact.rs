//! A drill of 70 operations whose every figure was worked out by hand.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redrill::model::event::*;
use redrill::model::op::{Action, Cause, Op, Outcome, Purpose, Redirects};
use redrill::model::{Nanos, NodeName, Verdict};
use redrill::report::{self, Moment, Report};

fn at(ms: u64) -> Nanos {
    Nanos(ms * 1_000_000)
}

/// The load starts at 1,000 ms and asks for 10 operations a second. A step runs from
/// 3,000 to 5,000 ms and has converged since 5,500 ms. The load stops at 8,000 ms.
fn events() -> Vec<Event> {
    let told = |ms, what| Event { at: at(ms), what };
    let phase = |phase| What::Phase { phase };
    let moved = Moved { slots: 100, slots_total: 100, keys: 500, bytes: 50_000 };
    let view = |slots: [&str; 2]| {
        What::View(View {
            group: "cache".to_owned(),
            agreed: true,
            shards: (0..2)
                .map(|shard| ShardView {
                    shard,
                    slots: slots[shard as usize].parse().unwrap(),
                    primary: Some(NodeName::new("cache", shard, 0)),
                    replicas: Vec::new(),
                })
                .collect(),
        })
    };
    let began = |canary, action, ms| What::OutageBegan {
        canary,
        action,
        from: at(ms),
        cause: Cause::Timeout,
    };
    let ended = |canary, action, from, to| What::OutageEnded {
        canary,
        action,
        from: at(from),
        to: at(to),
        blind_ns: 0,
    };
    use Action::{Read, Write};
    vec![
        told(0, What::Drill(info())),
        told(100, phase(Phase::Form)),
        told(900, What::Ready { nodes: nodes() }),
        told(910, view(["0-8191", "8192-16383"])),
        told(920, What::Canaries { canaries: canaries() }),
        told(950, What::Stats { nodes: stats([10, 10], 0) }),
        told(1_000, phase(Phase::Steps)),
        told(2_000, What::Stats { nodes: stats([10, 10], 100) }),
        told(2_000, What::Own { cpu_percent: 10.0, memory_bytes: 5_000 }),
        told(3_000, What::StepBegan { step: 0 }),
        told(3_300, began(0, Write, 3_200)),
        told(3_400, began(1, Read, 3_300)),
        told(3_400, ended(1, Read, 3_300, 3_360)),
        told(3_460, ended(0, Write, 3_200, 3_450)),
        told(4_000, began(0, Write, 3_900)),
        told(4_010, ended(0, Write, 3_900, 4_000)),
        told(5_000, What::StepEnded { step: 0, moved, error: None }),
        told(5_010, view(["100-8191", "0-99 8192-16383"])),
        told(5_300, What::ViewConverged { step: 0, since: at(5_200) }),
        told(5_600, What::Converged { step: 0, since: at(5_500) }),
        told(5_600, phase(Phase::Settle)),
        told(7_000, What::Stats { nodes: stats([9, 11], 600) }),
        told(7_000, What::Own { cpu_percent: 20.0, memory_bytes: 4_000 }),
        told(7_000, probes(0)),
        told(7_600, began(1, Write, 7_500)),
        told(8_000, phase(Phase::Verify)),
        told(8_400, phase(Phase::Stop)),
        told(8_500, What::Ended { end: End::Completed }),
    ]
}

/// `blind` in milliseconds, at one stretch.
fn probes(blind: u64) -> What {
    let blind_ns = blind * 1_000_000;
    What::Probes { sent: 1_000, failed: 3, worst_ns: 1, blind_ns, blind_max_ns: blind_ns }
}

fn info() -> DrillInfo {
    let step = StepInfo {
        kind: "reshard".to_owned(),
        group: "cache".to_owned(),
        text: "reshard cache: 100 slots from shard 0 to shard 1".to_owned(),
        planned_at: at(2_000),
    };
    let load = LoadInfo {
        name: "app".to_owned(),
        group: "cache".to_owned(),
        rate: 10.0,
        clients: 1,
        keys: 70,
        sees_redirects: true,
        text: "register".to_owned(),
    };
    DrillInfo {
        id: "tiny".to_owned(),
        redrill: "0.1.0".to_owned(),
        started: "2026-11-20T18:03:22Z".to_owned(),
        scenario: "tiny".to_owned(),
        summary: "Seventy operations.".to_owned(),
        topology: "cluster-2x0".to_owned(),
        backend: "process".to_owned(),
        engine: EngineInfo { kind: "redis".to_owned(), version: "7.0.15".to_owned() },
        seed: 1,
        steps: vec![step],
        loads: vec![load],
        expect: vec![
            expect("downtime.write.max", Compare::AtMost, 500.0),
            expect("downtime.read.max", Compare::Below, 60.0),
            expect("latency.p50.during", Compare::AtMost, 2.0),
        ],
        probe_every_ms: 10.0,
        probe_deadline_ms: 100.0,
        planned_ms: 7_000.0,
    }
}

fn expect(measure: &str, op: Compare, bound: f64) -> Expectation {
    Expectation { text: format!("{measure} {bound}"), measure: measure.to_owned(), op, bound }
}

fn nodes() -> Vec<NodeInfo> {
    let node = |shard| NodeInfo {
        name: NodeName::new("cache", shard, 0),
        address: format!("127.0.0.1:700{shard}"),
        role: Role::Primary,
        id: String::new(),
    };
    vec![node(0), node(1)]
}

fn canaries() -> Vec<Canary> {
    let canary = |shard, slot, moves| Canary {
        group: "cache".to_owned(),
        shard,
        slot,
        key: format!("canary:{slot}"),
        moves,
    };
    vec![canary(0, 5, true), canary(1, 9_000, false)]
}

fn stats(keys: [u64; 2], commands: u64) -> Vec<NodeStats> {
    let node = |shard: u32| NodeStats {
        name: NodeName::new("cache", shard, 0),
        role: Role::Primary,
        keys: keys[shard as usize],
        memory_bytes: 1_000,
        commands,
        net_in_bytes: commands * 10,
        net_out_bytes: commands * 20,
        cpu_seconds: commands as f64 / 1_000.0,
    };
    vec![node(0), node(1)]
}

/// Each operation writes a key of its own. All take 1 ms, those during the step 2 ms;
/// number 19, the last
/// before the step, takes 105 ms and is answered within it, number 30 takes 40 ms, number 31 is never answered, number 60
/// is never sent; number 22 meets redirects. The key of number 5 is gone at the end.
fn history() -> Vec<Op> {
    let mut ops = Vec::new();
    for n in 0..70 {
        let intended = at(1_000 + n * 100);
        let ms = match n {
            19 => 105,
            30 => 40,
            20..45 => 2,
            _ => 1,
        };
        let outcome = match n {
            31 => Outcome::Unknown(Cause::Timeout),
            60 => Outcome::Fail(Cause::Shed),
            _ => Outcome::Ok,
        };
        let redirects = match n {
            22 => Redirects { moved: 3, ask: 1, try_again: 0 },
            _ => Redirects::default(),
        };
        ops.push(Op {
            load: 0,
            process: n as u32,
            purpose: Purpose::Load,
            action: Action::Write,
            key: n,
            value: Some(n),
            intended,
            sent: intended,
            done: intended + Duration::from_millis(ms),
            outcome,
            redirects,
        });
    }
    let finals = |n: u64| Op {
        purpose: Purpose::Final,
        action: Action::Read,
        value: (n != 5 && n != 60).then_some(n),
        intended: at(8_100),
        sent: at(8_100),
        done: at(8_101),
        outcome: Outcome::Ok,
        redirects: Redirects::default(),
        ..ops[n as usize].clone()
    };
    let finals: Vec<Op> = (0..70).map(finals).collect();
    ops.sort_by_key(|op| op.done);
    ops.extend(finals);
    ops
}

pub fn write(dir: &Path, events: &[Event], history: &[Op]) {
    let lines = |text: String, line: String| text + &line + "\n";
    let events = events.iter().map(|e| serde_json::to_string(e).unwrap());
    let history = history.iter().map(|op| serde_json::to_string(op).unwrap());
    let history = history.fold(String::new(), lines);
    fs::write(dir.join("events.jsonl"), events.fold(String::new(), lines)).unwrap();
    let packed = zstd::encode_all(history.as_bytes(), 1).unwrap();
    fs::write(dir.join("history.jsonl.zst"), packed).unwrap();
}

fn build(events: &[Event], history: &[Op]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), events, history);
    report::build(dir.path()).unwrap()
}

/// To a thousandth of the value, which is what a histogram of three digits promises.
#[track_caller]
fn assert_value(report: &Report, name: &str, expected: f64) {
    let value = report.value(name).unwrap_or_else(|| panic!("{name} is not known"));
    let slack = expected.abs() * 1e-3 + 1e-9;
    assert!((value - expected).abs() <= slack, "{name} is {value}, should be {expected}");
}

#[test]
fn every_figure_of_a_tiny_drill() {
    let r = build(&events(), &history());
    for (name, expected) in [
        ("ready.time", 800.0),
        // The outage of canary 1 that never ended counts until the load did.
        ("downtime.write.max", 500.0),
        ("downtime.write.total", 500.0),
        ("downtime.read.max", 60.0),
        ("downtime.read.total", 60.0),
        ("writes.acknowledged", 68.0),
        ("writes.lost", 1.0),
        ("reads.stale", 0.0),
        ("latency.p50.before", 1.0),
        ("latency.p99.before", 105.0),
        ("latency.p50.during", 2.0),
        ("latency.p99.during", 40.0),
        ("latency.max.during", 40.0),
        ("latency.p50.after", 1.0),
        ("latency.p99.after", 1.0),
        ("latency.p99.worst", 40.0),
        ("latency.p99.degradation", (40.0 / 105.0 - 1.0) * 100.0),
        ("throughput.before", 19.0 / 2.0),
        ("throughput.during", 25.0 / 2.5),
        ("throughput.after", 24.0 / 2.5),
        // One of the ten operations of the worst second was not answered.
        ("throughput.degradation", (1.0 - 9.0 / 9.5) * 100.0),
        ("schedule.held", 69.0 / 70.0 * 100.0),
        ("schedule.late.p99", 0.0),
        ("errors.total", 2.0),
        ("errors.fail", 1.0),
        ("errors.unknown", 1.0),
        ("errors.share", 2.0 / 70.0 * 100.0),
        ("redirects.moved", 3.0),
        ("redirects.ask", 1.0),
        ("redirects.tryagain", 0.0),
        ("convergence.view", 2_200.0),
        ("convergence", 2_500.0),
        ("reshard.duration", 2_000.0),
        ("reshard.slots", 100.0),
        ("reshard.slots.rate", 50.0),
        ("reshard.keys", 500.0),
        ("reshard.keys.rate", 250.0),
        ("redrill.cpu", 15.0),
        ("redrill.memory.max", 5_000.0),
    ] {
        assert_value(&r, name, expected);
    }
    let untold: Vec<_> = r.measures.iter().filter(|(_, m)| m.value.is_none()).collect();
    assert!(untold.is_empty(), "{untold:?}");
}

#[test]
fn shards_of_the_tiny_drill() {
    let r = build(&events(), &history());
    let [first, second] = &r.shards[..] else { panic!("{:?}", r.shards) };
    assert_eq!(
        (first.downtime_write_max_ms, first.downtime_write_total_ms),
        (Some(250.0), Some(350.0))
    );
    assert_eq!(
        (second.downtime_write_max_ms, second.downtime_read_max_ms),
        (Some(500.0), Some(60.0))
    );
    assert_eq!((first.slots_before, first.slots_after), (Some(8_192), Some(8_092)));
    assert_eq!((first.keys_before, first.keys_after), (Some(10), Some(9)));
    assert_eq!((second.keys_before, second.keys_after), (Some(10), Some(11)));
    // 600 commands between 950 and 7,000 ms.
    let ops = first.ops_per_s.unwrap();
    assert!((ops - 600.0 / 6.05).abs() < 1e-6, "{ops}");
    assert!((first.net_in_per_s.unwrap() - ops * 10.0).abs() < 1e-6);
    assert!((first.cpu_percent.unwrap() - ops * 0.1).abs() < 1e-6);
    assert_eq!((first.canaries, first.canaries_that_move), (1, 1));
    assert_eq!((second.canaries, second.canaries_that_move), (1, 0));
}

#[test]
fn a_shard_that_was_drained_holds_nothing_whatever_it_last_said_as_a_primary() {
    let after = |slots: &str, primary| {
        let mut events = events();
        let views = events.iter_mut().filter_map(|event| match &mut event.what {
            What::View(view) => Some(&mut view.shards[0]),
            _ => None,
        });
        let last = views.last().unwrap();
        (last.slots, last.primary) = (slots.parse().unwrap(), primary);
        let r = build(&events, &history());
        (r.shards[0].keys_after, r.shards[0].memory_after, r.shards[1].keys_after)
    };
    let primary = Some(NodeName::new("cache", 0, 0));
    assert_eq!(after("100-8191", primary.clone()), (Some(9), Some(1_000), Some(11)));
    assert_eq!(after("", primary), (Some(0), Some(1_000), Some(11)));
    assert_eq!(after("", None), (Some(0), None, Some(11)));
    assert_eq!(after("100-8191", None), (None, None, Some(11)), "its primary is gone");
}

#[test]
fn redirects_are_not_known_of_loads_whose_client_hides_them() {
    let mut events = events();
    let loads = |events: &mut Vec<Event>, change: fn(&mut Vec<LoadInfo>)| {
        let What::Drill(info) = &mut events[0].what else { panic!("the first event") };
        change(&mut info.loads);
    };
    loads(&mut events, |loads| loads[0].sees_redirects = false);
    let r = build(&events, &history());
    for name in ["redirects.moved", "redirects.ask", "redirects.tryagain"] {
        assert!(r.has(name) && r.value(name).is_none(), "{name}");
    }
    // Of two loads, one tells.
    loads(&mut events, |loads| {
        loads.insert(0, LoadInfo { sees_redirects: true, ..loads[0].clone() })
    });
    assert_value(&build(&events, &history()), "redirects.moved", 3.0);
}

#[test]
fn outages_owners_and_verdicts_of_the_tiny_drill() {
    let r = build(&events(), &history());
    let listed: Vec<_> = r.outages.iter().map(|o| (o.from_ms, o.to_ms, o.duration_ms)).collect();
    let expected = [
        (3_200.0, Some(3_450.0), 250.0),
        (3_300.0, Some(3_360.0), 60.0),
        (3_900.0, Some(4_000.0), 100.0),
        (7_500.0, None, 500.0),
    ];
    assert_eq!(listed, expected);
    let moments: Vec<_> = r.ownership.iter().map(|o| o.moment).collect();
    assert_eq!(moments, [Moment::Before, Moment::After]);
    assert_eq!(r.ownership[1].shards[1].slots.to_string(), "0-99 8192-16383");
    let verdicts: Vec<_> = r.expectations.iter().map(|judged| judged.verdict).collect();
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Pass]);
    assert_eq!(r.verdict, Verdict::Fail);
    assert_eq!(
        r.why,
        [
            "`downtime.read.max 60` does not hold: it was 60.0 ms",
            "1 of 68 acknowledged writes lost"
        ]
    );
    assert_eq!(r.ended.as_deref(), Some("2026-11-20T18:03:30.500Z"));
}

#[test]
fn what_redrill_itself_sent_late_is_not_the_servers_fault() {
    // All operations of the step are 30 ms late: for `late` by the fault of redrill.
    let judged = |late: bool| {
        let mut history = history();
        for op in history.iter_mut().filter(|op| op.purpose == Purpose::Load) {
            if (20..45).contains(&op.key) {
                op.done = op.done + Duration::from_millis(30);
                op.sent = if late { op.intended + Duration::from_millis(30) } else { op.sent };
            }
        }
        build(&events(), &history)
    };
    let r = judged(true);
    assert_value(&r, "latency.p50.during", 32.0);
    assert_value(&r, "schedule.late.p99", 30.0);
    assert_eq!(r.expectations[2].verdict, Verdict::Unknown);
    let why = "it was 32.0 ms, and could have been anything from 2.00 ms to 32.0 ms had redrill";
    assert!(r.why.iter().any(|told| told.contains(why)), "{:?}", r.why);
    let summary = report::text::summary(&r, 200, false);
    assert!(summary.contains("the machine was too busy to tell"), "{summary}");
    let r = judged(false);
    assert_value(&r, "latency.p50.during", 32.0);
    assert_value(&r, "schedule.late.p99", 0.0);
    assert_eq!(r.expectations[2].verdict, Verdict::Fail);
}

#[test]
fn what_redrill_itself_did_not_see_is_neither_up_nor_down() {
    // The longest outages are 500 ms of writes (bound: at most 500) and 60 ms of reads (below
    // 60). Of the latter, so much was not seen; and somewhere so long nothing was.
    let judged = |unseen: u64, blind: u64| {
        let mut events = events();
        for event in &mut events {
            match &mut event.what {
                What::Probes { .. } => event.what = probes(blind),
                What::OutageEnded { action: Action::Read, blind_ns, .. } => {
                    *blind_ns = unseen * 1_000_000;
                }
                _ => {}
            }
        }
        let r = build(&events, &history());
        [r.expectations[0].verdict, r.expectations[1].verdict]
    };
    assert_eq!(judged(0, 0), [Verdict::Pass, Verdict::Fail]);
    assert_eq!(judged(5, 5), [Verdict::Pass, Verdict::Unknown]);
    assert_eq!(judged(0, 99), [Verdict::Pass, Verdict::Fail], "within the probes' patience");
    assert_eq!(judged(0, 150), [Verdict::Unknown, Verdict::Fail], "an outage may have hidden");
}

#[test]
fn operations_that_redrill_did_not_come_to_are_not_the_servers_fault() {
    let judged = |history: &[Op]| {
        let mut events = events();
        if let What::Drill(info) = &mut events[0].what {
            info.expect = vec![expect("schedule.held", Compare::AtLeast, 97.0)];
        }
        build(&events, history).expectations[0].verdict
    };
    let shed = |late: u64| {
        let mut history = history();
        for op in history.iter_mut().filter(|op| op.purpose == Purpose::Load) {
            if (60..63).contains(&op.key) {
                op.outcome = Outcome::Fail(Cause::Shed);
                op.done = op.intended + Duration::from_millis(late);
                op.sent = op.done;
            }
        }
        history
    };
    assert_eq!(judged(&history()), Verdict::Pass);
    assert_eq!(judged(&shed(0)), Verdict::Fail, "the servers were slow");
    assert_eq!(judged(&shed(200)), Verdict::Unknown, "redrill came late, to a heap of them");
    let mut never_begun = history();
    never_begun.retain(|op| !(50..53).contains(&op.key));
    assert_eq!(judged(&never_begun), Verdict::Unknown);
}

#[test]
fn a_step_that_fails_makes_the_drill_fail() {
    let mut events = events();
    let history: Vec<Op> = history().into_iter().filter(|op| op.key != 5).collect();
    for event in &mut events {
        match &mut event.what {
            What::Drill(info) => info.expect.truncate(1),
            What::StepEnded { error, .. } => *error = Some("no space".to_owned()),
            _ => {}
        }
    }
    let r = build(&events, &history);
    assert_eq!(r.verdict, Verdict::Fail);
    assert_eq!(r.why.len(), 1);
    assert!(r.why[0].ends_with("failed: no space"), "{:?}", r.why);
}

#[test]
fn a_drill_that_was_interrupted_is_unknown_whatever_it_saw() {
    let mut events = events();
    events.last_mut().unwrap().what = What::Ended { end: End::Interrupted };
    let r = build(&events, &history());
    assert_eq!(r.verdict, Verdict::Unknown);
    assert!(r.why[0].contains("interrupted"), "{:?}", r.why);
    assert!(r.expectations.iter().all(|judged| judged.verdict == Verdict::Unknown));
}

#[test]
fn what_could_not_be_told_is_unknown_and_never_passes() {
    let mut events = events();
    events.retain(|event| !matches!(event.what, What::Probes { .. } | What::Converged { .. }));
    let history: Vec<Op> =
        history().into_iter().filter(|op| op.purpose != Purpose::Final).collect();
    let r = build(&events, &history);
    for name in ["downtime.write.max", "downtime.read.max", "convergence", "writes.lost"] {
        assert!(r.has(name) && r.value(name).is_none(), "{name}: {:?}", r.value(name));
    }
    assert_eq!(r.verdict, Verdict::Unknown);
    assert!(r.why.iter().any(|why| why.contains("downtime.write.max could not be told")));
}

#[test]
fn without_steps_there_is_no_during_and_no_after() {
    let mut events = events();
    events.retain(|event| {
        let is_step = |text: &str| text.starts_with("step_") || text.contains("converged");
        let name = serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
        !is_step(&name)
    });
    if let What::Drill(info) = &mut events[0].what {
        info.steps.clear();
        info.expect.clear();
    }
    let r = build(&events, &history());
    let names: Vec<&String> = r.measures.keys().collect();
    let odd = |name: &&&String| {
        [".during", ".after", ".degradation", "convergence", "reshard"]
            .iter()
            .any(|part| name.contains(part))
    };
    assert_eq!(names.iter().find(odd), None);
    assert_value(&r, "latency.p99.worst", 105.0);
    assert_value(&r, "latency.p99.before", 105.0);
    assert_value(&r, "throughput.before", 68.0 / 7.0);
}
