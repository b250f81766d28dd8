//! Figures that a drill reads and emits once a second: redrill's own use of the machine, what
//! containers use, what crosses the relay, and how long servers waited for a processor.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::context::DrillContext;
use crate::backend::RunQueue;
use crate::cluster::Deployment;
use crate::model::event::{ContainerStats, EventKind, Grain, Teller};
use crate::model::traffic::{End, add_up};
use crate::model::{NodeName, Unit};
use crate::node::Node;
use crate::peer;

const SECOND: Duration = Duration::from_secs(1);
/// So many lines of servers' logs are emitted.
const MOST_LINES: usize = 200;

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
    let mut ticks = interval(SECOND);
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
pub async fn containers(drill: &DrillContext<'_>, nodes: Vec<NodeName>) -> Infallible {
    let mut limits = limits(drill, &nodes);
    let mut ticks = interval_at(Instant::now() + SECOND, SECOND);
    loop {
        ticks.tick().await;
        let used = |node: &NodeName| {
            Some(ContainerStats { node: node.clone(), usage: drill.backend.usage(node)? })
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
                drill.teller.tell(EventKind::Warning { text });
            }
        }
        if !all.is_empty() {
            drill.teller.tell(EventKind::Containers { nodes: all });
        }
    }
}

/// The memory limits of nodes, in bytes.
struct Limits(BTreeMap<NodeName, f64>);

fn limits(drill: &DrillContext<'_>, nodes: &[NodeName]) -> Limits {
    let limit = |node: &NodeName| {
        let group = drill.scenario.topology.groups.iter().find(|group| group.name == node.group)?;
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
pub async fn traffic(drill: &DrillContext<'_>, deployment: &Deployment) -> Infallible {
    if deployment.network.is_none() {
        return pending().await;
    }
    let mut ticks = interval_at(Instant::now() + SECOND, SECOND);
    loop {
        ticks.tick().await;
        by_places(drill, deployment);
    }
}

/// What servers logged that may explain what the drill saw.
pub fn logs(drill: &DrillContext<'_>, deployment: &Deployment) {
    let of_node = |node: &Node| drill.backend.explaining_lines(&node.name);
    let lines: Vec<_> = deployment.nodes().flat_map(of_node).take(MOST_LINES).collect();
    if !lines.is_empty() {
        drill.teller.tell(EventKind::Logged { lines });
    }
}

/// Emits the totals, by nodes too, and what the machine refused to the relay.
pub fn traffic_at_end(drill: &DrillContext<'_>, deployment: &Deployment) {
    by_places(drill, deployment);
    let Some(network) = &deployment.network else { return };
    if deployment.nodes().count() <= FEW {
        let crossings = add_up(&network.fabric().traffic(), End::to_string);
        drill.teller.tell(EventKind::Traffic { by: Grain::Nodes, crossings });
    }
    for text in [network.fabric().trouble(), network.fabric().strangers()].into_iter().flatten() {
        drill.teller.tell(EventKind::Warning { text });
    }
}

/// Emits which addresses other users had where the drill's servers should be.
pub fn foreign(drill: &DrillContext<'_>) {
    for foreign in peer::take_found() {
        drill.teller.tell(EventKind::Foreign { what: foreign.to_string() });
    }
}

fn by_places(drill: &DrillContext<'_>, deployment: &Deployment) {
    let Some(network) = &deployment.network else { return };
    let crossings = add_up(&network.fabric().traffic(), |end| deployment.places.name(end));
    drill.teller.tell(EventKind::Traffic { by: Grain::Places, crossings });
}

/// A warning is emitted from so much waiting on, in percent of a second.
const WORTH_TELLING: f64 = 50.0;

/// How long servers were ready to run without a free processor. On a crowded machine clients feel
/// that, and it is not the servers' fault. Dropping it stops the reports.
pub struct RunQueueMonitor(JoinHandle<()>);

struct Server {
    name: NodeName,
    waited: Option<Duration>,
}

impl RunQueueMonitor {
    /// Watches the servers among `names` that are processes of this machine.
    pub fn watch(
        drill: &DrillContext<'_>,
        names: impl Iterator<Item = NodeName>,
    ) -> RunQueueMonitor {
        // A server that a step slows down waits because of the step, and not because others are
        // busy.
        let names = names.filter(|name| !drill.scenario.may_be_slowed(name));
        let queue = drill.backend.run_queue();
        let servers = names.map(|name| Server { waited: queue(&name), name }).collect();
        RunQueueMonitor(tokio::spawn(tell_waits(queue, servers, drill.teller.clone())))
    }
}

impl Drop for RunQueueMonitor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn tell_waits(queue: RunQueue, mut servers: Vec<Server>, teller: Teller) {
    let mut before = Instant::now();
    let mut ticks = interval_at(before + SECOND, SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        let seconds = (now - before).as_secs_f64();
        before = now;
        let waits = servers.iter_mut().filter_map(|server| {
            let percent = server.waited_anew(&queue)?.as_secs_f64() / seconds * 100.0;
            Some((percent, &server.name))
        });
        let Some((percent, node)) = waits.max_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
        teller.tell(EventKind::Waited { node: node.clone(), percent });
        if percent >= WORTH_TELLING {
            let text = format!(
                "{node} stood ready for {percent:.0} % of a second with no processor free for it: \
                 the machine is too busy, and clients feel that too"
            );
            teller.tell(EventKind::Warning { text });
        }
    }
}

impl Server {
    /// How long it has waited since the last call.
    fn waited_anew(&mut self, queue: &RunQueue) -> Option<Duration> {
        let now = queue(&self.name);
        let before = std::mem::replace(&mut self.waited, now);
        // Less than before is another process: it has been started again.
        now?.checked_sub(before?)
    }
}
