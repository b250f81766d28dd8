//! A load with its history and events around it.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use redrill::load::history::{self, History};
use redrill::load::{LoadRunner, Lookup, Targets, Totals};
use redrill::model::event::{Event, EventKind, Sample, Teller};
use redrill::model::op::{Op, Outcome, Purpose};
use redrill::model::{Clock, Nanos};
use redrill::spec::scenario::Load;

pub fn load(rate: f64, reads: f64) -> Load {
    let (value, timeout) = ((100, 200), Duration::from_millis(500));
    Load { clients: 8, keys: 500, reads, value, timeout, ..Load::new("app", "cache", rate) }
}

pub struct Rig {
    pub clock: Clock,
    pub runner: LoadRunner,
    history: History,
    path: PathBuf,
    events: Receiver<Event>,
    _dir: tempfile::TempDir,
}

/// What a load leaves behind.
pub struct Left {
    pub ops: Vec<Op>,
    pub samples: Vec<Sample>,
}

impl Rig {
    pub async fn launch(load: &Load, seeds: &[SocketAddr], cluster: bool) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl.zst");
        let clock = Clock::start();
        let (teller, events) = Teller::new(clock);
        let history = history::create(&path, teller.clone(), |_| ()).unwrap();
        let lookup = if cluster { Lookup::Cluster } else { Lookup::Primary };
        let targets = Targets {
            seeds: seeds.to_vec(),
            lookup,
            nodes: vec![],
            from: vec![],
            told_at: vec![],
            password: None,
        };
        let (targets, writer) = (vec![targets], history.writer());
        let runner =
            LoadRunner::launch(0, load, targets, 42, teller, writer, (None, None)).await.unwrap();
        Rig { clock, runner, history, path, events, _dir: dir }
    }

    /// Runs for `time`; the instant of operation 0, and totals.
    pub async fn run(&mut self, time: Duration) -> (Nanos, Totals) {
        let at = self.clock.now() + Duration::from_millis(20);
        self.runner.begin(at).unwrap();
        tokio::time::sleep(Duration::from_millis(20) + time).await;
        (at, self.runner.stop().await.unwrap())
    }

    /// Ends the load and reads its history, having checked what holds for any.
    pub fn finish(self) -> Left {
        drop(self.runner);
        self.history.finish().unwrap();
        let ops: Vec<Op> = history::read(&self.path).unwrap().map(Result::unwrap).collect();
        assert_processes_are_sound(&ops);
        let samples = self.events.try_iter().filter_map(|event| match event.kind {
            EventKind::Sample(sample) => Some(sample),
            _ => None,
        });
        Left { samples: samples.collect(), ops }
    }
}

impl Left {
    pub fn of(&self, purpose: Purpose) -> Vec<&Op> {
        self.ops.iter().filter(|op| op.purpose == purpose).collect()
    }

    /// How many operations of the load had which outcome.
    pub fn outcomes(&self) -> Vec<(Outcome, usize)> {
        let mut counts = BTreeMap::new();
        for op in self.of(Purpose::Load) {
            counts.entry(format!("{:?}", op.outcome)).or_insert((op.outcome, 0)).1 += 1;
        }
        counts.into_values().collect()
    }
}

/// Runs `load` for `time` against one seed of a cluster.
pub async fn drill(load: &Load, seed: SocketAddr, time: Duration) -> (Totals, Left) {
    let mut rig = Rig::launch(load, &[seed], true).await;
    let (_, totals) = rig.run(time).await;
    let left = rig.finish();
    let recorded = left.of(Purpose::Load).len() as u64;
    assert_eq!(recorded, totals.intended, "every intended operation is in the history");
    assert_eq!(recorded, totals.ended());
    let sum = |count: fn(&Sample) -> u64| left.samples.iter().map(count).sum::<u64>();
    assert_eq!(sum(|s| s.intended), totals.intended);
    assert_eq!(sum(|s| s.ok + s.fail + s.unknown), recorded);
    (totals, left)
}

fn assert_processes_are_sound(ops: &[Op]) {
    let mut by_process: BTreeMap<u32, Vec<&Op>> = BTreeMap::new();
    for op in ops {
        by_process.entry(op.process).or_default().push(op);
    }
    for (process, mut ops) in by_process {
        ops.sort_by_key(|op| (op.sent, op.done));
        for pair in ops.windows(2) {
            assert!(pair[0].done <= pair[1].sent, "process {process} did two at once: {pair:?}");
            let unknown = matches!(pair[0].outcome, Outcome::Unknown(_));
            assert!(!unknown, "process {process} went on after an unknown outcome: {pair:?}");
        }
    }
    let mut written = HashSet::new();
    for (op, value) in ops.iter().filter_map(|op| Some((op, op.action.written()?))) {
        assert!(written.insert(value), "written twice: {op:?}");
    }
}
