//! A topology on real servers with probes on it.

pub mod reported;

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use tokio::sync::Mutex;

use redrill::backend::{Backend, ProcessBackend};
use redrill::cluster::view::{compare, views};
use redrill::cluster::{DeployedGroup, bring_up};
use redrill::load::{Lookup, Targets};
use redrill::model::event::{Canary, Event, EventKind, Teller};
use redrill::model::op::Access;
use redrill::model::slot::SlotSet;
use redrill::model::{Clock, Nanos};
use redrill::node::Node;
use redrill::probe::{Prober, canary};
use redrill::spec::scenario::Probe;
use redrill::spec::topology::{Group, Mode};

use crate::common;

/// Tests that time things take turns.
pub static ALONE: Mutex<()> = Mutex::const_new(());

pub const PROBE: Probe = Probe {
    every: Duration::from_millis(10),
    deadline: Duration::from_millis(100),
    canaries: 4,
    budget: 2_000.0,
};

pub struct Rig {
    pub clock: Clock,
    pub backend: ProcessBackend,
    pub group: DeployedGroup,
    pub canaries: Vec<Canary>,
    teller: Teller,
    events: Receiver<Event>,
    prober: Option<Prober>,
    _dir: tempfile::TempDir,
}

/// An outage as it was told.
#[derive(Clone, Debug)]
pub struct Outage {
    pub canary: Canary,
    pub action: Access,
    pub from: Nanos,
    pub to: Option<Nanos>,
}

/// What was told by the end.
pub struct Told {
    pub outages: Vec<Outage>,
    pub warnings: Vec<String>,
    pub sent: u64,
    pub failed: u64,
    pub events: Vec<Event>,
}

impl Rig {
    /// Brings up `group` and probes it; `moving` is what a step will move.
    pub async fn up(group: Group, probe: Probe, moving: &[SlotSet]) -> Rig {
        let mut rig = Rig::unprobed(group).await;
        rig.canaries = match rig.group.spec.mode {
            Mode::Cluster { .. } => {
                let owners = rig.owners().await;
                canary::of_cluster("cache", &owners, probe.canaries, moving)
            }
            _ => canary::of_shard("cache", probe.canaries),
        };
        let lookup = match rig.group.spec.mode {
            Mode::Cluster { .. } => Lookup::Cluster,
            _ => Lookup::Primary,
        };
        let password = rig.node(0, 0).admin.password().cloned();
        let seeds = rig.group.nodes.iter().map(|node| node.addr).collect();
        let targets = BTreeMap::from([(
            ("cache".to_owned(), None),
            Targets { seeds, lookup, nodes: vec![], from: vec![], told_at: vec![], password },
        )]);
        let prober = Prober::launch(rig.canaries.clone(), targets, probe, rig.teller.clone());
        rig.prober = Some(prober.await.unwrap());
        rig
    }

    pub async fn unprobed(group: Group) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let backend = common::backend(dir.path());
        let clock = Clock::start();
        let (teller, events) = Teller::new(clock);
        let topology = common::topology(vec![group]);
        let mut deployment = bring_up(&backend, &topology, None, &|_, _| {}).await.unwrap();
        let group = deployment.groups.remove(0);
        let (canaries, prober) = (Vec::new(), None);
        Rig { clock, backend, group, canaries, teller, events, prober, _dir: dir }
    }

    pub fn teller(&self) -> Teller {
        self.teller.clone()
    }

    pub fn node(&self, shard: u32, ordinal: u32) -> &Node {
        let named = |node: &&Node| node.name.shard() == Some(shard) && node.name.ordinal == ordinal;
        self.group.nodes.iter().find(named).unwrap()
    }

    pub async fn owners(&self) -> Vec<SlotSet> {
        let nodes = &self.group.nodes;
        let seen = views(nodes).await.into_iter().map(Result::unwrap);
        let seen: Vec<_> = seen.map(|node_view| node_view.lines).collect();
        compare(nodes, seen.iter().map(Vec::as_slice))
            .shards
            .into_iter()
            .map(|shard| shard.slots)
            .collect()
    }

    /// Keeps a node from running for `time`. The instants at which that began and ended.
    pub async fn stall(&self, node: &Node, time: Duration) -> (Nanos, Nanos) {
        self.backend.pause(&node.name).await.unwrap();
        let from = self.clock.now();
        tokio::time::sleep(time).await;
        let to = self.clock.now();
        self.backend.resume(&node.name).await.unwrap();
        (from, to)
    }

    pub async fn down(mut self) -> Told {
        if let Some(prober) = self.prober.take() {
            prober.stop().await.unwrap();
        }
        self.backend.shutdown().await.unwrap();
        let events: Vec<Event> = self.events.try_iter().collect();
        told(events, &self.canaries)
    }
}

fn told(events: Vec<Event>, canaries: &[Canary]) -> Told {
    let mut told = Told { outages: vec![], warnings: vec![], sent: 0, failed: 0, events: vec![] };
    for event in &events {
        match &event.kind {
            EventKind::OutageBegan { canary, action, from, .. } => {
                let canary = canaries[*canary].clone();
                told.outages.push(Outage { canary, action: *action, from: *from, to: None });
            }
            EventKind::OutageEnded { canary, action, from, to, .. } => {
                let same = |o: &&mut Outage| {
                    o.canary == canaries[*canary] && (o.action, o.from) == (*action, *from)
                };
                told.outages.iter_mut().find(same).unwrap().to = Some(*to);
            }
            EventKind::Probes { sent, failed, .. } => {
                told.sent += sent;
                told.failed += failed;
            }
            EventKind::Warning { text } => told.warnings.push(text.clone()),
            _ => {}
        }
    }
    told.events = events;
    told
}
