//! Figures that a drill reads and emits once a second: redrill's own use of the machine, what
//! containers use, and what crosses the relay.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::stage::Stage;
use crate::cluster::Deployment;
use crate::model::event::{ContainerStats, EventKind, Grain, Teller};
use crate::model::traffic::{End, add_up};
use crate::model::{NodeName, Unit};

const SECOND: Duration = Duration::from_secs(1);

/// redrill's own use of the machine: an instrument that takes the processor from the servers must
/// report that. Dropping it stops the reports.
pub struct OwnUse(JoinHandle<()>);

impl OwnUse {
    pub fn watch(teller: Teller) -> OwnUse {
        OwnUse(tokio::spawn(emit_every_second(teller)))
    }
}

impl Drop for OwnUse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn emit_every_second(teller: Teller) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = (ticks.tick().await, cpu_seconds());
    loop {
        let now: (Instant, f64) = (ticks.tick().await, cpu_seconds());
        let seconds = (now.0 - before.0).as_secs_f64();
        let cpu_percent = (now.1 - before.1) / seconds * 100.0;
        teller.tell(EventKind::Own { cpu_percent, memory_bytes: resident_bytes() });
        before = now;
    }
}

/// User and system time of this process without its children.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Resident memory of this process, from /proc/self/statm; 0 if there is none.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// The share of its memory limit from which on a container is warned of.
const NEARLY_ALL: f64 = 0.95;

/// Emits what containers use, until it is dropped, and warns of one that has no memory left: its
/// server may hang for long before the kernel ends it. Servers that are no containers are left out.
pub async fn containers(stage: &Stage<'_>, nodes: Vec<NodeName>) -> Infallible {
    let mut limits = limits(stage, &nodes);
    let mut ticks = interval_at(Instant::now() + SECOND, SECOND);
    loop {
        ticks.tick().await;
        let used = |node: &NodeName| {
            Some(ContainerStats { node: node.clone(), usage: stage.backend.usage(node)? })
        };
        let all: Vec<ContainerStats> = nodes.iter().filter_map(used).collect();
        for ContainerStats { node, usage } in &all {
            let used = usage.memory_bytes as f64;
            // One warning for each container.
            if let Some(limit) = limits.remove_if(node, |limit| used >= limit * NEARLY_ALL) {
                let (used, limit) = (Unit::Bytes.show(used), Unit::Bytes.show(limit));
                let text = format!(
                    "the container of {node} uses {used} of the {limit} of memory that it may \
                     have (`memory`): its server hangs or ends for want of more"
                );
                stage.teller.tell(EventKind::Warning { text });
            }
        }
        if !all.is_empty() {
            stage.teller.tell(EventKind::Containers { nodes: all });
        }
    }
}

/// The memory limits of nodes, in bytes.
struct Limits(BTreeMap<NodeName, f64>);

fn limits(stage: &Stage<'_>, nodes: &[NodeName]) -> Limits {
    let limit = |node: &NodeName| {
        let group = stage.scenario.topology.groups.iter().find(|group| group.name == node.group)?;
        Some((node.clone(), group.limits.memory? as f64))
    };
    Limits(nodes.iter().filter_map(limit).collect())
}

impl Limits {
    fn remove_if(&mut self, node: &NodeName, reached: impl Fn(f64) -> bool) -> Option<f64> {
        let limit = self.0.get(node).copied().filter(|limit| reached(*limit))?;
        self.0.remove(node);
        Some(limit)
    }
}

/// Nobody reads a matrix of more nodes.
const FEW: usize = 12;

/// Emits what crosses the relay, until it is dropped. Without a relay there is nothing to emit.
pub async fn traffic(stage: &Stage<'_>, deployment: &Deployment) -> Infallible {
    if deployment.network.is_none() {
        return pending().await;
    }
    let mut ticks = interval_at(Instant::now() + SECOND, SECOND);
    loop {
        ticks.tick().await;
        by_places(stage, deployment);
    }
}

/// Emits the totals, by nodes too, and what the machine refused to the relay.
pub fn traffic_at_end(stage: &Stage<'_>, deployment: &Deployment) {
    by_places(stage, deployment);
    let Some(network) = &deployment.network else { return };
    if deployment.nodes().count() <= FEW {
        let crossings = add_up(&network.fabric().traffic(), End::to_string);
        stage.teller.tell(EventKind::Traffic { by: Grain::Nodes, crossings });
    }
    if let Some(text) = network.fabric().trouble() {
        stage.teller.tell(EventKind::Warning { text });
    }
}

fn by_places(stage: &Stage<'_>, deployment: &Deployment) {
    let Some(network) = &deployment.network else { return };
    let crossings = add_up(&network.fabric().traffic(), |end| deployment.places.name(end));
    stage.teller.tell(EventKind::Traffic { by: Grain::Places, crossings });
}
