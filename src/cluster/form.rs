//! From a topology to servers that are ready to be used.
//!
//! A cluster's nodes find their [`super::nodes_conf`] when they start; replicas
//! outside a cluster are started with `replicaof`. Nothing is told to a server
//! after it has started, so all of them start at once.

use std::sync::Arc;
use std::time::Duration;

use super::network::{Network, NetworkError};
use super::nodes_conf::even_slots;
use super::ready::{self, Awaited, NotReady};
use super::seats::Seats;
use super::servers::{behind_doors, is_cluster, node_names, node_plans, nodes};
use crate::backend::proc::ProcessId;
use crate::backend::registry::NodeRecord;
use crate::backend::{Backend, BackendError, NodeExited};
use crate::model::NodeName;
use crate::model::event::NodeInfo;
use crate::node::Node;
use crate::spec::Topology;
use crate::spec::topology::{Group, Mode};

/// A topology that runs.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// In the order of the topology.
    pub groups: Vec<DeployedGroup>,
    /// What links the nodes and their clients; none where they talk directly.
    pub network: Option<Arc<Network>>,
}

#[derive(Clone, Debug)]
pub struct DeployedGroup {
    pub spec: Group,
    /// By shard, and by ordinal within it.
    pub nodes: Vec<Node>,
}

#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("group `{group}` cannot run yet: redrill does not start {what} so far")]
    NotYet { group: String, what: &'static str },
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(
        "group `{group}`: the server refuses the directive `{line}` of its `config`{}",
        because(.reason)
    )]
    Directive { group: String, line: String, reason: String },
    #[error("the server of {0}")]
    Exited(Box<NodeExited>),
    #[error("after {} s {}", waited.as_secs(), listed(.nodes))]
    NotReady { waited: Duration, nodes: Vec<NotReady> },
}

impl FormError {
    /// Whether the topology file is at fault and not the machine.
    pub fn blames_topology(&self) -> bool {
        match self {
            FormError::NotYet { .. } | FormError::Directive { .. } => true,
            FormError::Backend(_)
            | FormError::Network(_)
            | FormError::Exited(_)
            | FormError::NotReady { .. } => false,
        }
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(", saying: {reason}") }
}

fn listed(nodes: &[NotReady]) -> String {
    const SHOWN: usize = 5;
    let mut text = match nodes.len() {
        1 => "1 node is not ready:".to_owned(),
        many => format!("{many} nodes are not ready:"),
    };
    for node in nodes.iter().take(SHOWN) {
        text += &format!("\n  {node}");
    }
    if nodes.len() > SHOWN {
        text += &format!("\n  and {} more", nodes.len() - SHOWN);
    }
    match nodes.first() {
        Some(first) if !first.log_tail.is_empty() => {
            let log = first.log_tail.replace('\n', "\n  | ");
            format!("{text}\nthe last lines of the log of {}:\n  | {log}", first.name)
        }
        _ => text,
    }
}

/// Brings up all groups of `topology`, and is done when every node is ready: all of a
/// cluster's nodes agree that it is, and every replica's link is up. `heard` is told
/// how many of how many nodes are. With `relay` they are linked by one that draws its
/// chance from that seed; otherwise they talk directly.
///
/// After an error some servers may be running: shut the backend down.
pub async fn bring_up(
    backend: &dyn Backend,
    topology: &Topology,
    relay: Option<u64>,
    heard: &(dyn Fn(usize, usize) + Sync),
) -> Result<Deployment, FormError> {
    check(topology)?;
    let mut groups = Vec::new();
    let (mut plans, mut awaited) = (Vec::new(), Vec::new());
    for group in &topology.groups {
        let names = node_names(group);
        let addrs = backend.reserve(&names, group.port).await?;
        let mut nodes = nodes(group, names, &addrs);
        if relay.is_some() {
            nodes = behind_doors(backend, nodes)?;
        }
        plans.extend(node_plans(group, &nodes, backend.engine()));
        let seats =
            is_cluster(group).then(|| Arc::new(Seats::new(&nodes, even_slots(group.shards()))));
        awaited.extend(nodes.iter().map(|node| Awaited {
            node: node.clone(),
            seats: seats.clone(),
            replicas: u64::from(group.replicas()),
        }));
        groups.push(DeployedGroup { spec: group.clone(), nodes });
    }
    let linked: Vec<&Node> = groups.iter().flat_map(|group| &group.nodes).collect();
    let network = relay.map(|seed| Network::open(backend, topology, &linked, seed)).transpose()?;
    // Primaries first: they wait longest before they call themselves ready.
    plans.sort_by_key(|plan| plan.name.ordinal);
    let total = awaited.len();
    heard(0, total);
    let mut exits = backend.exits();
    backend.start(plans).await?;
    network.iter().for_each(|network| network.look_at_processes(backend));
    let patience = ready::patience(total);
    let log_tail = |name: &NodeName| backend.log_tail(name);
    ready::all_ready(&awaited, &log_tail, &mut exits, patience, &|ready| heard(ready, total))
        .await
        .map_err(|e| blame_directive(e, topology))?;
    Ok(Deployment { groups, network: network.map(Arc::new) })
}

/// Refuses, before anything starts, what would not run as it is written. (Whoever reads
/// a topology to run it has said so at its line.)
fn check(topology: &Topology) -> Result<(), FormError> {
    for group in &topology.groups {
        let not_yet = |what| Err(FormError::NotYet { group: group.name.clone(), what });
        if matches!(group.mode, Mode::Sentinel { .. }) {
            return not_yet("Sentinel groups");
        }
    }
    Ok(())
}

/// A server that ended over a directive of the user's is not the machine's fault.
fn blame_directive(error: FormError, topology: &Topology) -> FormError {
    let FormError::Exited(exited) = &error else { return error };
    let Some(refused) = exited.refused_directive() else { return error };
    let name = refused.line.split_whitespace().next().unwrap_or_default();
    let group = topology.groups.iter().find(|group| {
        group.name == exited.name.group
            && group.config.keys().any(|users| users.eq_ignore_ascii_case(name))
    });
    match group {
        Some(group) => {
            let group = group.name.clone();
            FormError::Directive { group, line: refused.line, reason: refused.reason }
        }
        None => error,
    }
}

impl Deployment {
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.groups.iter().flat_map(|group| &group.nodes)
    }

    pub fn group(&self, name: &str) -> Option<&DeployedGroup> {
        self.groups.iter().find(|group| group.spec.name == name)
    }

    /// To be called when servers have been started again.
    pub fn look_at_processes(&self, backend: &dyn Backend) {
        self.network.iter().for_each(|network| network.look_at_processes(backend));
    }

    /// As the registry of running drills keeps them.
    pub fn node_records(&self, backend: &dyn Backend) -> Vec<NodeRecord> {
        let record = |node: &Node| NodeRecord {
            name: node.name.clone(),
            address: node.addr.to_string(),
            cluster_id: node.id.clone(),
            process: backend.pid(&node.name).and_then(ProcessId::of),
        };
        self.nodes().map(record).collect()
    }

    /// As [`crate::model::event::What::Ready`] tells them.
    pub fn node_infos(&self) -> Vec<NodeInfo> {
        let info = |node: &Node| NodeInfo {
            name: node.name.clone(),
            address: node.addr.to_string(),
            role: node.born,
            id: node.id.clone(),
        };
        self.nodes().map(info).collect()
    }
}
