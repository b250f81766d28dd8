//! A drill of 70 operations, small enough to work out its every figure by hand.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redrill::model::event::*;
use redrill::model::op::{Access, Action, Cause, Op, Outcome, Purpose, Redirects, RegisterOp};
use redrill::model::{Nanos, NodeName, StepKind, Workload};
use redrill::report::{self, Report};

pub fn at(ms: u64) -> Nanos {
    Nanos(ms * 1_000_000)
}

/// The load starts at 1,000 ms and asks for 10 operations a second. A step runs from
/// 3,000 to 5,000 ms and has converged since 5,500 ms. The load stops at 8,000 ms.
pub fn events() -> Vec<Event> {
    let told = |ms, kind| Event { at: at(ms), kind };
    let phase = |phase| EventKind::Phase { phase };
    let moved = Moved { slots: 100, slots_total: 100, keys: 500, bytes: Some(50_000) };
    let view = |slots: [&str; 2]| {
        EventKind::View(View {
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
    let began = |canary, action, ms| EventKind::OutageBegan {
        canary,
        action,
        from: at(ms),
        cause: Cause::Timeout,
    };
    let ended = |canary, action, from, to| EventKind::OutageEnded {
        canary,
        action,
        from: at(from),
        to: at(to),
        blind_ns: 0,
    };
    use Access::{Read, Write};
    vec![
        told(0, EventKind::Drill(info())),
        told(100, phase(Phase::Form)),
        told(900, EventKind::Ready { nodes: nodes() }),
        told(910, view(["0-8191", "8192-16383"])),
        told(920, EventKind::Canaries { canaries: canaries(), turn_ns: None }),
        told(950, EventKind::Stats { nodes: stats([10, 10], 0), asked: 0, behind_ns: 0 }),
        told(1_000, phase(Phase::Steps)),
        told(2_000, EventKind::Stats { nodes: stats([10, 10], 100), asked: 210, behind_ns: 0 }),
        told(2_000, probed(1_500)),
        told(2_000, EventKind::Own { cpu_percent: 10.0, memory_bytes: 5_000 }),
        told(2_000, EventKind::Waited { node: NodeName::new("cache", 0, 0), percent: 31.0 }),
        told(3_000, EventKind::StepBegan { step: 0 }),
        told(3_300, began(0, Write, 3_200)),
        told(3_400, began(1, Read, 3_300)),
        told(3_400, ended(1, Read, 3_300, 3_360)),
        told(3_460, ended(0, Write, 3_200, 3_450)),
        told(4_000, began(0, Write, 3_900)),
        told(4_010, ended(0, Write, 3_900, 4_000)),
        told(
            5_000,
            EventKind::StepEnded { step: 0, moved, error: None, doubtful: false, own: false },
        ),
        told(5_010, view(["100-8191", "0-99 8192-16383"])),
        told(5_300, EventKind::ViewConverged { step: 0, since: at(5_200) }),
        told(5_600, EventKind::Converged { step: 0, since: at(5_500) }),
        told(5_600, phase(Phase::Settle)),
        told(7_000, EventKind::Stats { nodes: stats([9, 11], 600), asked: 1_000, behind_ns: 0 }),
        told(7_000, EventKind::Waited { node: NodeName::new("cache", 1, 0), percent: 7.0 }),
        told(7_000, EventKind::Own { cpu_percent: 20.0, memory_bytes: 4_000 }),
        told(7_000, probes(0)),
        told(7_600, began(1, Write, 7_500)),
        told(8_000, phase(Phase::Verify)),
        told(8_400, phase(Phase::Stop)),
        told(8_500, EventKind::Ended { end: End::Completed }),
    ]
}

/// `blind` in milliseconds, at one stretch.
pub fn probes(blind: u64) -> EventKind {
    let blind_ns = blind * 1_000_000;
    EventKind::Probes {
        sent: 1_000,
        failed: 3,
        wrong: 0,
        worst_ns: 1,
        blind_ns,
        blind_max_ns: blind_ns,
    }
}

/// All of which were answered.
fn probed(sent: u64) -> EventKind {
    let (failed, wrong, blind_ns, blind_max_ns) = Default::default();
    EventKind::Probes { sent, failed, wrong, worst_ns: 1, blind_ns, blind_max_ns }
}

pub fn info() -> DrillInfo {
    let step = StepInfo {
        kind: StepKind::Reshard,
        group: "cache".to_owned(),
        on_actors: false,
        text: "reshard cache: 100 slots from shard 0 to shard 1".to_owned(),
        planned_at: at(2_000),
    };
    let load = LoadInfo {
        name: "app".to_owned(),
        group: "cache".to_owned(),
        region: None,
        rate: Some(10.0),
        think_ms: None,
        ramp: None,
        clients: 1,
        keys: 70,
        workload: Workload::Register,
        nodes: vec![],
        fallback: None,
        near: false,
        more_groups: vec![],
        same_data: vec![],
        waits_for: 0,
        locks: None,
        cache: None,
        timeout_ms: 1_000.0,
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
        reported: Vec::new(),
        probe_every_ms: 10.0,
        probe_deadline_ms: 100.0,
        probe_budget: 2_000.0,
        regions: Vec::new(),
        links: Vec::new(),
        external_sync: false,
        planned_ms: 7_000.0,
    }
}

pub fn expect(measure: &str, op: Compare, bound: f64) -> Expectation {
    let text = format!("{measure} {bound}");
    Expectation { text, measure: measure.to_owned(), load: None, op, bound }
}

pub fn nodes() -> Vec<NodeInfo> {
    let node = |shard| NodeInfo {
        name: NodeName::new("cache", shard, 0),
        address: format!("127.0.0.1:700{shard}"),
        role: Role::Primary,
        id: String::new(),
        host: Default::default(),
    };
    vec![node(0), node(1)]
}

pub fn canaries() -> Vec<Canary> {
    let canary = |shard, slot, moves| Canary {
        group: "cache".to_owned(),
        shard,
        slot,
        key: format!("canary:{slot}"),
        moves,
        region: None,
    };
    vec![canary(0, 5, true), canary(1, 9_000, false)]
}

pub fn stats(keys: [u64; 2], commands: u64) -> Vec<NodeStats> {
    let node = |shard: u32| NodeStats {
        name: NodeName::new("cache", shard, 0),
        role: Role::Primary,
        keys: keys[shard as usize],
        memory_bytes: 1_000,
        commands,
        net_in_bytes: commands * 10,
        net_out_bytes: commands * 20,
        cpu_seconds: commands as f64 / 1_000.0,
        kept: None,
    };
    vec![node(0), node(1)]
}

/// Each operation writes a key of its own. All take 1 ms, those during the step 2 ms;
/// number 19, the last
/// before the step, takes 105 ms and is answered within it, number 30 takes 40 ms, number 31 is
/// never answered, number 60 is never sent; number 22 meets redirects. The key of number 5 is gone
/// at the end.
pub fn history() -> Vec<Op> {
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
        let write = Action::Register(RegisterOp::Write(n));
        let op = Op::new(n, write, intended, intended + Duration::from_millis(ms));
        ops.push(Op { process: n as u32, outcome, redirects, ..op });
    }
    let finals = |n: u64| {
        let read = RegisterOp::Read((n != 5 && n != 60).then_some(n));
        let op = Op::new(n, Action::Register(read), at(8_100), at(8_101));
        Op { process: n as u32, purpose: Purpose::Final, ..op }
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

pub fn build(events: &[Event], history: &[Op]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), events, history);
    report::build(dir.path()).unwrap()
}

/// To a thousandth of the value, which is what a histogram of three digits promises.
#[track_caller]
pub fn assert_value(report: &Report, name: &str, expected: f64) {
    let value = report.value(name).unwrap_or_else(|| panic!("{name} is not known"));
    let slack = expected.abs() * 1e-3 + 1e-9;
    assert!((value - expected).abs() <= slack, "{name} is {value}, should be {expected}");
}
