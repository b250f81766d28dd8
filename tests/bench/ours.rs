//! Our side: redrill's own parts, called as a drill calls them.

use std::error::Error;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use redrill::backend::process::binary::ServerBinary;
use redrill::backend::{Backend, ProcessBackend};
use redrill::cluster::plan::plan;
use redrill::cluster::{Deployment, bring_up, moving};
use redrill::drill::targets;
use redrill::load::{LoadRunner, history};
use redrill::model::event::{Event, Teller};
use redrill::model::op::Purpose;
use redrill::model::{Clock, Nanos};
use redrill::node::Node;
use redrill::spec::scenario::Load;
use redrill::spec::step::{Pace, SlotMove};
use redrill::spec::{self, Source, Topology};
use tempfile::TempDir;

use crate::peer;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

pub fn cluster(shards: u32, replicas: u32) -> Topology {
    let text = format!(
        "name: bench\ngroups:\n  cache: {{ mode: cluster, shards: {shards}, replicas: {replicas} }}\n"
    );
    let parsed = spec::parse_topology(&Source::new("bench", text), &spec::Options::default());
    parsed.unwrap_or_else(|faults| panic!("{}", faults.render(false, 100)))
}

pub fn server(topology: &Topology) -> Result<ServerBinary> {
    let asked = std::env::var_os("REDRILL_SERVER").map(std::path::PathBuf::from);
    Ok(ServerBinary::find(asked.as_deref(), &topology.engine)?)
}

pub async fn time_to_ready(topology: &Topology) -> Result<f64> {
    let start = Instant::now();
    let live = Live::up(topology).await?;
    peer::until_ready(&live.nodes()).await?;
    let seconds = start.elapsed().as_secs_f64();
    live.down().await?;
    Ok(seconds)
}

/// A topology that runs, and ends with this value.
pub struct Live {
    backend: ProcessBackend,
    deployment: Deployment,
    dir: TempDir,
}

impl Live {
    pub async fn up(topology: &Topology) -> Result<Live> {
        let dir = tempfile::tempdir()?;
        let backend = ProcessBackend::open(&server(topology)?, dir.path())?;
        let deployment = bring_up(&backend, topology, None, &|_, _| ()).await?;
        Ok(Live { backend, deployment, dir })
    }

    pub async fn down(self) -> Result<()> {
        Ok(self.backend.shutdown().await?)
    }

    pub fn nodes(&self) -> Vec<Node> {
        self.deployment.nodes().cloned().collect()
    }

    pub fn primary(&self, shard: u32) -> Node {
        let is_it = |node: &&Node| node.name.shard() == Some(shard) && node.name.ordinal == 0;
        self.deployment.nodes().find(is_it).expect("each shard has a node 0").clone()
    }

    /// At the start.
    pub fn slots_of(&self, shard: u32) -> Vec<u16> {
        let shards = self.deployment.groups[0].spec.shards();
        redrill::cluster::even_slots(shards)[shard as usize].iter().collect()
    }

    pub async fn move_slots(&self, from: u32, to: u32, slots: u32, pace: Pace) -> Result<()> {
        let owners = redrill::cluster::even_slots(self.deployment.groups[0].spec.shards());
        let routes = plan(&SlotMove::Reshard { from, to, slots }, &owners)?;
        let moved = moving::move_slots(&routes, &self.nodes(), pace, |_| (), || false).await?;
        if moved.slots == u64::from(slots) {
            Ok(())
        } else {
            Err(format!("moved only {moved:?}").into())
        }
    }

    /// Reads and writes of 20,000 keys at `rate` operations a second, after a
    /// second of warming up.
    pub async fn load(&self, rate: f64) -> Result<LiveLoad> {
        let (teller, events) = Teller::new(Clock::start());
        let path = self.dir.path().join("history.jsonl.zst");
        let history = history::create(&path, teller.clone(), |_| ())?;
        let load = load_spec(rate);
        let targets = vec![targets(&self.deployment, &self.deployment.groups[0], None)];
        let mut runner = LoadRunner::launch(
            0,
            &load,
            targets,
            1,
            teller.clone(),
            history.writer(),
            (None, None),
        )
        .await?;
        runner.fill().await?;
        runner.begin(teller.clock().now())?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (since, began) = (teller.clock().now(), Instant::now());
        Ok(LiveLoad { runner, history, path, since, began, _events: events })
    }
}

fn load_spec(rate: f64) -> Load {
    Load { keys: 20_000, ..Load::new("app", "cache", rate) }
}

pub struct LiveLoad {
    runner: LoadRunner,
    history: history::History,
    path: std::path::PathBuf,
    since: Nanos,
    began: Instant,
    _events: Receiver<Event>,
}

impl LiveLoad {
    /// Stops it; what clients felt since the load was handed out: before `at`, and from then on.
    pub async fn stop(mut self, at: Instant) -> Result<(Felt, Felt)> {
        let turn = self.since + at.duration_since(self.began);
        self.runner.stop().await?;
        drop(self.runner);
        self.history.finish()?;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for op in history::read(&self.path)? {
            let op = op?;
            if op.purpose != Purpose::Load || op.intended < self.since {
                continue;
            }
            let latency = op.done.since(op.intended).as_nanos() as u64;
            match op.intended < turn {
                true => before.push((op.intended.since(self.since), latency)),
                false => after.push((op.intended.since(turn), latency)),
            }
        }
        Ok((Felt::of(&before), Felt::of(&after)))
    }
}

/// Latencies of clients, in ms.
#[derive(Clone, Copy, Debug)]
pub struct Felt {
    /// The median p99 of the quarter seconds.
    pub usual: f64,
}

impl Felt {
    fn of(latencies: &[(Duration, u64)]) -> Felt {
        let quarters = p99_of_each(Duration::from_millis(250), latencies);
        Felt { usual: quarters.get(quarters.len() / 2).copied().unwrap_or(0.0) }
    }
}

/// The p99 of each span of time, in ms, sorted.
fn p99_of_each(span: Duration, latencies: &[(Duration, u64)]) -> Vec<f64> {
    let mut spans: Vec<Vec<u64>> = Vec::new();
    for (at, latency) in latencies {
        let span = (at.as_nanos() / span.as_nanos()) as usize;
        spans.resize(spans.len().max(span + 1), Vec::new());
        spans[span].push(*latency);
    }
    let mut p99s: Vec<f64> = spans.iter_mut().map(|span| p99(span) as f64 / 1e6).collect();
    p99s.sort_by(f64::total_cmp);
    p99s
}

fn p99(latencies: &mut [u64]) -> u64 {
    latencies.sort_unstable();
    let at = (latencies.len() * 99).div_ceil(100).saturating_sub(1);
    latencies.get(at).copied().unwrap_or(0)
}
