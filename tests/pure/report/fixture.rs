//! Run folders as a drill would leave them, made without servers and always the same.
//!
//! A small simulation: clients ask a cluster on a fixed schedule, slots move, answers
//! take a plausible time, a shard may stall. Nothing here is used by redrill itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redrill::model::event::*;
use redrill::model::op::{Access, Action, Cause, Op, Outcome, Purpose, RegisterOp, key_name};
use redrill::model::slot::{SLOTS, SlotSet, slot_of};
use redrill::model::{Nanos, NodeName, StepKind, Workload};

/// What the simulated drill does.
#[derive(Clone)]
pub struct Plan {
    pub scenario: &'static str,
    pub summary: &'static str,
    pub shards: u32,
    pub replicas: u32,
    pub rate: f64,
    pub keys: u64,
    /// Seconds of load.
    pub seconds: f64,
    pub step: Option<Move>,
    /// Shard 0 answers nothing for so long, from half a second after the step's start.
    pub stall: Duration,
    /// So many keys end with an older value.
    pub lost: usize,
    pub expect: Vec<Expectation>,
    pub end: Ends,
    /// Of its own for each plan.
    pub seed: u64,
}

/// Slots go from shard 0 to shard 1.
#[derive(Clone, Copy)]
pub struct Move {
    /// Seconds after the load's start.
    pub at: f64,
    pub seconds: f64,
    pub slots: u16,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Ends {
    Well,
    /// The files break off after so many seconds of load.
    Killed(f64),
}

pub fn expect(text: &str, measure: &str, op: Compare, bound: f64) -> Expectation {
    Expectation { text: text.to_owned(), measure: measure.to_owned(), load: None, op, bound }
}

pub fn reshard() -> Plan {
    Plan {
        scenario: "cluster-reshard",
        summary: "Move a third of one shard's slots to another while clients read and write.",
        shards: 3,
        replicas: 1,
        rate: 500.0,
        keys: 2_000,
        seconds: 14.0,
        step: Some(Move { at: 4.0, seconds: 3.1, slots: 1_820 }),
        stall: Duration::ZERO,
        lost: 0,
        expect: vec![
            expect("downtime.write.max <= 500ms", "downtime.write.max", Compare::AtMost, 500.0),
            expect("writes.lost == 0", "writes.lost", Compare::Equal, 0.0),
            expect("schedule.held >= 99%", "schedule.held", Compare::AtLeast, 99.0),
        ],
        end: Ends::Well,
        seed: 7,
    }
}

pub fn failed() -> Plan {
    let mut plan = Plan { stall: Duration::from_millis(840), lost: 3, seed: 8, ..reshard() };
    plan.expect.push(expect(
        "latency.p99.degradation <= 20%",
        "latency.p99.degradation",
        Compare::AtMost,
        20.0,
    ));
    plan
}

pub fn killed() -> Plan {
    Plan { end: Ends::Killed(5.2), seed: 9, ..reshard() }
}

pub fn steady() -> Plan {
    Plan {
        scenario: "steady-state",
        summary: "Nothing happens: the floor of every measure.",
        step: None,
        seconds: 8.0,
        expect: vec![
            expect("downtime.write.max == 0ms", "downtime.write.max", Compare::Equal, 0.0),
            expect("errors.total == 0", "errors.total", Compare::Equal, 0.0),
        ],
        seed: 10,
        ..reshard()
    }
}

pub fn ten_shards() -> Plan {
    Plan {
        scenario: "cluster-10x2",
        shards: 10,
        replicas: 2,
        step: Some(Move { at: 4.0, seconds: 1.4, slots: 546 }),
        seed: 11,
        ..reshard()
    }
}

/// xorshift64*, so that no release of a random-number crate changes the folders.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Log-normal: the median, and how far the tail reaches.
    fn latency(&mut self, median_us: f64, sigma: f64) -> Duration {
        let normal = (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        Duration::from_nanos((median_us * 1e3 * (sigma * normal).exp()) as u64)
    }
}

/// When the load starts.
pub const LINE: Nanos = Nanos(3_050_000_000);

struct Sim {
    plan: Plan,
    random: Random,
    ops: Vec<Op>,
    events: Vec<Event>,
}

/// Writes the run folder of `plan` as `dir/<id>` and returns its path.
pub fn write(plan: &Plan, dir: &Path) -> PathBuf {
    let folder = dir.join(id(plan));
    fs::create_dir_all(&folder).unwrap();
    let mut sim = Sim {
        plan: plan.clone(),
        random: Random(plan.seed * 0x9E37_79B9 + 1),
        ops: Vec::new(),
        events: Vec::new(),
    };
    sim.play();
    let (events, history) = sim.files();
    fs::write(folder.join("events.jsonl"), events).unwrap();
    fs::write(folder.join("history.jsonl.zst"), history).unwrap();
    fs::write(folder.join("scenario.yaml"), yaml(plan)).unwrap();
    folder
}

fn id(plan: &Plan) -> String {
    format!("2026-11-20T18-03-{:02}Z-{}", plan.seed, plan.scenario)
}

fn yaml(plan: &Plan) -> String {
    format!(
        "name: {}\ntopology: cluster-{}x{}\n# as it was run\n",
        plan.scenario, plan.shards, plan.replicas
    )
}

fn after(seconds: f64) -> Nanos {
    LINE + Duration::from_secs_f64(seconds)
}

impl Sim {
    fn play(&mut self) {
        self.tell(Nanos(0), EventKind::Drill(self.info()));
        self.tell(Nanos(1_000_000), EventKind::Phase { phase: Phase::Form });
        let nodes = self.nodes();
        self.tell(Nanos(2_310_000_000), EventKind::Ready { nodes });
        self.tell(Nanos(2_311_000_000), EventKind::View(self.view(0.0)));
        let canaries = self.canaries();
        self.tell(
            Nanos(2_320_000_000),
            EventKind::Canaries { canaries, turn_ns: Some(10_000_000) },
        );
        self.tell(Nanos(2_320_000_000), EventKind::Phase { phase: Phase::Fill });
        self.fill();
        self.tell(LINE, EventKind::Phase { phase: Phase::Steps });
        self.load();
        self.steps();
        self.outages();
        self.every_second();
        let end = self.plan.seconds;
        let settle = self.plan.step.map_or(0.0, |step| step.at + step.seconds);
        self.tell(after(settle), EventKind::Phase { phase: Phase::Settle });
        self.tell(after(end), EventKind::Phase { phase: Phase::Verify });
        self.samples();
        self.tell(after(end + 0.4), EventKind::Phase { phase: Phase::Stop });
        self.tell(after(end + 0.5), EventKind::Ended { end: End::Completed });
        self.events.sort_by_key(|event| event.at);
    }

    fn tell(&mut self, at: Nanos, kind: EventKind) {
        self.events.push(Event { at, kind });
    }

    fn info(&self) -> DrillInfo {
        let plan = &self.plan;
        let steps = plan.step.map(|step| StepInfo {
            kind: StepKind::Reshard,
            group: "cache".to_owned(),
            on_actors: false,
            text: format!("reshard cache: {} slots from shard 0 to shard 1", step.slots),
            planned_at: Nanos(0) + Duration::from_secs_f64(step.at),
        });
        DrillInfo {
            id: id(plan),
            redrill: "0.1.0".to_owned(),
            started: format!("2026-11-20T18:03:{:02}Z", plan.seed),
            scenario: plan.scenario.to_owned(),
            summary: plan.summary.to_owned(),
            topology: format!("cluster-{}x{}", plan.shards, plan.replicas),
            backend: "process".to_owned(),
            engine: EngineInfo { kind: "redis".to_owned(), version: "7.0.15".to_owned() },
            seed: plan.seed,
            steps: steps.into_iter().collect(),
            loads: vec![LoadInfo {
                name: "app".to_owned(),
                group: "cache".to_owned(),
                region: None,
                rate: Some(plan.rate),
                think_ms: None,
                ramp: None,
                clients: 32,
                keys: plan.keys,
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
                text: format!("register, {}/s, uniform, 50 % reads, 100 B to 1 KB", plan.rate),
            }],
            expect: plan.expect.clone(),
            reported: Vec::new(),
            probe_every_ms: 10.0,
            probe_deadline_ms: 100.0,
            probe_budget: 2_000.0,
            regions: Vec::new(),
            links: Vec::new(),
            external_sync: false,
            planned_ms: plan.seconds * 1e3,
        }
    }

    fn nodes(&self) -> Vec<NodeInfo> {
        let mut nodes = Vec::new();
        for shard in 0..self.plan.shards {
            for ordinal in 0..=self.plan.replicas {
                let number = shard * (self.plan.replicas + 1) + ordinal + 1;
                nodes.push(NodeInfo {
                    name: NodeName::new("cache", shard, ordinal),
                    address: format!("127.64.7.{number}:6379"),
                    role: if ordinal == 0 { Role::Primary } else { Role::Replica },
                    id: format!("{number:040x}"),
                    host: Default::default(),
                });
            }
        }
        nodes
    }

    fn born(&self, slot: u16) -> u32 {
        (u32::from(slot) * self.plan.shards) / u32::from(SLOTS)
    }

    /// The owner of `slot` when the share `moved` of the step is done.
    fn owner(&self, slot: u16, moved: f64) -> u32 {
        match self.plan.step {
            Some(step) if f64::from(slot) < f64::from(step.slots) * moved => 1,
            _ => self.born(slot),
        }
    }

    fn view(&self, moved: f64) -> View {
        let shard = |shard| ShardView {
            shard,
            slots: (0..SLOTS).filter(|slot| self.owner(*slot, moved) == shard).collect::<SlotSet>(),
            primary: Some(NodeName::new("cache", shard, 0)),
            replicas: (1..=self.plan.replicas).map(|r| NodeName::new("cache", shard, r)).collect(),
        };
        View {
            group: "cache".to_owned(),
            agreed: moved == 0.0 || moved == 1.0,
            shards: (0..self.plan.shards).map(shard).collect(),
        }
    }

    fn canaries(&self) -> Vec<Canary> {
        let moving = self.plan.step.map_or(0, |step| step.slots);
        let spread = (0..self.plan.shards * 4)
            .map(|i| (u32::from(SLOTS) * (2 * i + 1) / (self.plan.shards * 8)) as u16);
        let extra = (0..8).filter(|_| moving > 0).map(|i| moving / 8 * i + 3);
        spread
            .chain(extra)
            .map(|slot| Canary {
                group: "cache".to_owned(),
                shard: self.born(slot),
                slot,
                key: format!("redrill:canary:{slot}"),
                moves: slot < moving,
                region: None,
            })
            .collect()
    }

    fn fill(&mut self) {
        for key in 0..self.plan.keys {
            let at = Nanos(2_400_000_000 + key * 100_000);
            let op = self.op(key, RegisterOp::Write(key), at, Duration::from_micros(150));
            self.ops.push(Op { purpose: Purpose::Fill, ..op });
        }
    }

    fn op(&self, key: u64, action: RegisterOp, at: Nanos, latency: Duration) -> Op {
        let sent = at + Duration::from_micros(20);
        let done = at + latency.max(Duration::from_micros(25));
        let process = (at.0 / 1_000_000 % 32) as u32;
        Op { process, intended: at, ..Op::new(key, Action::Register(action), sent, done) }
    }

    /// Seconds of load at which shard 0 answers nothing.
    fn stalled(&self) -> Option<(f64, f64)> {
        let from = self.plan.step?.at + 0.5;
        (!self.plan.stall.is_zero()).then_some((from, from + self.plan.stall.as_secs_f64()))
    }

    fn load(&mut self) {
        let mut state: Vec<(u64, u64)> = (0..self.plan.keys).map(|key| (key, key)).collect();
        let mut value = 1_000_000;
        for n in 0..(self.plan.rate * self.plan.seconds) as u64 {
            let second = n as f64 / self.plan.rate;
            let key = self.random.below(self.plan.keys);
            let writes = self.random.unit() >= 0.5;
            value += u64::from(writes);
            let nothing = RegisterOp::Read(None);
            let action = if writes { RegisterOp::Write(value) } else { nothing };
            let wait = self.wait(second, key);
            let mut op = self.op(key, action, after(second), wait);
            self.fate(&mut op, second);
            let held = &mut state[key as usize];
            if writes {
                if op.outcome == Outcome::Ok {
                    *held = (value, held.0);
                }
            } else if op.outcome == Outcome::Ok {
                op.action = Action::Register(RegisterOp::Read(Some(held.0)));
            }
            self.ops.push(op);
        }
        self.finals(&state);
    }

    fn finals(&mut self, state: &[(u64, u64)]) {
        let end = self.plan.seconds + 0.05;
        let mut left = self.plan.lost;
        for (key, (now, older)) in state.iter().enumerate() {
            let lost = left > 0 && now != older;
            left -= usize::from(lost);
            let at = after(end) + Duration::from_micros(100 * key as u64);
            let value = if lost { older } else { now };
            let read = RegisterOp::Read(Some(*value));
            let op = self.op(key as u64, read, at, Duration::from_micros(140));
            self.ops.push(Op { purpose: Purpose::Final, ..op });
        }
    }

    fn wait(&mut self, second: f64, key: u64) -> Duration {
        let slot = slot_of(key_name("app", key).as_bytes());
        match self.plan.step {
            Some(step) if (step.at..step.at + step.seconds).contains(&second) => {
                let busy = self.born(slot) <= 1 && self.random.unit() < 0.03;
                self.random.latency(if busy { 1_900.0 } else { 210.0 }, 0.42)
            }
            _ => self.random.latency(180.0, 0.4),
        }
    }

    fn fate(&mut self, op: &mut Op, second: f64) {
        let slot = slot_of(key_name("app", op.key).as_bytes());
        if let Some(step) = self.plan.step {
            let done = (second - step.at) / step.seconds;
            let here = f64::from(slot) / f64::from(step.slots);
            if here < done && done < here + 0.02 {
                op.redirects.moved = 1;
            } else if here > done && done > 0.0 && here < done + 0.01 {
                op.redirects.ask = 1;
            }
        }
        let Some((from, to)) = self.stalled() else { return };
        if self.born(slot) == 0 && (from..to).contains(&second) {
            if to - second > 0.5 {
                op.done = op.intended + Duration::from_millis(500);
                op.outcome = Outcome::Unknown(Cause::Timeout);
            } else {
                op.done = op.done + Duration::from_secs_f64(to - second);
            }
        }
    }

    fn steps(&mut self) {
        let Some(step) = self.plan.step else { return };
        let moved = |share: f64| Moved {
            slots: (f64::from(step.slots) * share) as u64,
            slots_total: u64::from(step.slots),
            keys: (self.plan.keys as f64 / 9.0 * share) as u64,
            bytes: Some((self.plan.keys as f64 / 9.0 * share * 550.0) as u64),
        };
        let parts = (step.seconds / 0.1) as u32;
        let mut told = vec![(after(step.at), EventKind::StepBegan { step: 0 })];
        for part in 1..parts {
            let share = f64::from(part) / f64::from(parts);
            let at = after(step.at + step.seconds * share);
            told.push((at, EventKind::StepProgress { step: 0, moved: moved(share) }));
            told.push((at, EventKind::View(self.view(share))));
        }
        let end = step.at + step.seconds;
        told.push((
            after(end),
            EventKind::StepEnded {
                step: 0,
                moved: moved(1.0),
                error: None,
                doubtful: false,
                own: false,
            },
        ));
        told.push((after(end + 0.13), EventKind::View(self.view(1.0))));
        let since = after(end + 0.125);
        told.push((after(end + 0.2), EventKind::ViewConverged { step: 0, since }));
        let since = after(end + 0.15);
        told.push((after(end + 0.3), EventKind::Converged { step: 0, since }));
        for (at, what) in told {
            self.tell(at, what);
        }
    }

    fn outages(&mut self) {
        let Some(step) = self.plan.step else { return };
        let canaries = self.canaries();
        for (i, canary) in canaries.iter().enumerate().filter(|(_, canary)| canary.moves) {
            let begins = step.at + step.seconds * f64::from(canary.slot) / f64::from(step.slots);
            let lasts = 0.02 + 0.03 * self.random.unit();
            self.outage(i, Access::Write, begins, begins + lasts, Cause::TryAgain);
        }
        let Some((from, to)) = self.stalled() else { return };
        for (i, _) in canaries.iter().enumerate().filter(|(_, canary)| canary.shard == 0) {
            self.outage(i, Access::Write, from, to, Cause::Timeout);
            self.outage(i, Access::Read, from, to, Cause::Timeout);
        }
    }

    fn outage(&mut self, canary: usize, action: Access, from: f64, to: f64, cause: Cause) {
        let (from, to) = (after(from), after(to));
        self.tell(from, EventKind::OutageBegan { canary, action, from, cause });
        self.tell(to, EventKind::OutageEnded { canary, action, from, to, blind_ns: 0 });
    }

    fn every_second(&mut self) {
        for second in 0..=self.plan.seconds as u32 {
            let at = after(f64::from(second));
            let nodes = self.stats(f64::from(second));
            self.tell(at, EventKind::Stats { nodes, asked: 240, behind_ns: 0 });
            let probes = self.canaries().len() as u64 * 200;
            self.tell(
                at,
                EventKind::Probes {
                    sent: probes,
                    failed: 0,
                    wrong: 0,
                    worst_ns: 900_000,
                    blind_ns: 0,
                    blind_max_ns: 0,
                },
            );
            let memory_bytes = 21_000_000 + u64::from(second) * 100_000;
            let node = NodeName::new("cache", 0, 0);
            self.tell(at, EventKind::Waited { node, percent: 1.0 + f64::from(second % 2) });
            self.tell(
                at,
                EventKind::Own { cpu_percent: 14.0 + f64::from(second % 3), memory_bytes },
            );
        }
    }

    fn stats(&self, second: f64) -> Vec<NodeStats> {
        let moved = self.plan.step.map_or(0.0, |s| ((second - s.at) / s.seconds).clamp(0.0, 1.0));
        let owned = |shard| (0..SLOTS).filter(|slot| self.owner(*slot, moved) == shard).count();
        let mut nodes = Vec::new();
        for info in self.nodes() {
            let share = owned(info.name.shard().unwrap()) as f64 / f64::from(SLOTS);
            let keys = (self.plan.keys as f64 * share) as u64;
            let commands =
                (second * self.plan.rate * (1.0 / f64::from(self.plan.shards) + 0.1)) as u64;
            nodes.push(NodeStats {
                name: info.name,
                role: info.role,
                keys,
                memory_bytes: 2_300_000 + keys * 700,
                commands,
                net_in_bytes: commands * 320,
                net_out_bytes: commands * 290,
                cpu_seconds: second * 0.06,
                kept: None,
            });
        }
        nodes
    }

    fn samples(&mut self) {
        let mut windows: BTreeMap<u64, Vec<&Op>> = BTreeMap::new();
        let is_load = |op: &&Op| op.purpose == Purpose::Load;
        for op in self.ops.iter().filter(is_load) {
            windows.entry((op.done.0 - LINE.0) / 100_000_000).or_default().push(op);
        }
        let mut told = Vec::new();
        for (window, ops) in windows {
            let from = Nanos(LINE.0 + window * 100_000_000);
            let mut latencies: Vec<u64> = ops
                .iter()
                .filter(|op| op.outcome == Outcome::Ok)
                .map(|op| op.done.0 - op.intended.0)
                .collect();
            latencies.sort_unstable();
            let mut causes = BTreeMap::new();
            for op in &ops {
                if let Outcome::Fail(cause) | Outcome::Unknown(cause) = op.outcome {
                    *causes.entry(cause).or_default() += 1;
                }
            }
            let rank = |q: f64| {
                let at = ((latencies.len() as f64 * q).ceil() as usize).max(1) - 1;
                latencies.get(at).copied().unwrap_or(0)
            };
            let sample = Sample {
                load: 0,
                from,
                ok: latencies.len() as u64,
                unknown: (ops.len() - latencies.len()) as u64,
                intended: (self.plan.rate / 10.0) as u64,
                p50_ns: rank(0.5),
                p99_ns: rank(0.99),
                max_ns: rank(1.0),
                causes,
                ..Sample::default()
            };
            told.push((from + Duration::from_millis(100), EventKind::Sample(sample)));
        }
        for (at, what) in told {
            self.tell(at, what);
        }
    }

    /// `events.jsonl` and `history.jsonl.zst`, broken off if the plan says so.
    fn files(mut self) -> (Vec<u8>, Vec<u8>) {
        self.ops.sort_by_key(|op| op.done);
        let killed = match self.plan.end {
            Ends::Well => Nanos(u64::MAX),
            Ends::Killed(second) => after(second),
        };
        let mut events = Vec::new();
        for event in self.events.iter().filter(|event| event.at < killed) {
            serde_json::to_writer(&mut events, event).unwrap();
            events.push(b'\n');
        }
        let mut history = zstd::Encoder::new(Vec::new(), 1).unwrap();
        for op in self.ops.iter().filter(|op| op.done < killed) {
            serde_json::to_writer(&mut history, op).unwrap();
            history.write_all(b"\n").unwrap();
        }
        let mut history = history.finish().unwrap();
        if self.plan.end != Ends::Well {
            events.truncate(events.len() - 17);
            history.truncate(history.len() - 1_000);
        }
        (events, history)
    }
}
