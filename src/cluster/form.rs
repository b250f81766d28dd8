//! From a topology to servers that are ready for use.
//!
//! A cluster's nodes find their [`super::nodes_conf`] when they start; replicas outside a
//! cluster are started with `replicaof`. No server needs a command after its start, so all of
//! them start at once.

use std::sync::Arc;

use super::error::FormError;
use super::gossip;
use super::network::Network;
use super::nodes_conf::even_slots;
use super::places::{Newcomers, Places};
use super::ready::{self, Awaited, ExpectedShards};
use super::servers::{
    behind_doors, joiner_plan, node_names, node_plans, nodes, sentinel_names, sentinel_plans,
};
use crate::backend::registry::NodeRecord;
use crate::backend::{Backend, NodePlan};
use crate::model::event::{NodeInfo, Role};
use crate::model::{NodeName, Password};
use crate::net::Cuts;
use crate::node::Node;
use crate::spec::Topology;
use crate::spec::sync::DataSync;
use crate::spec::topology::{Auth, Group};

/// A topology that runs.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// In the order of the topology.
    pub groups: Vec<DeployedGroup>,
    pub sync: Option<DataSync>,
    /// Where each node is, including those that join later.
    pub places: Arc<Places>,
    /// The links between nodes and clients; `None` if they connect directly.
    pub network: Option<Arc<Network>>,
    /// The cuts between nodes that are active.
    pub cuts: Cuts,
    /// What all servers ask of their clients.
    pub password: Option<Password>,
}

#[derive(Clone, Debug)]
pub struct DeployedGroup {
    pub spec: Group,
    /// By shard, and by ordinal within it. Nodes that join later come last.
    pub nodes: Vec<Node>,
    /// The plans for starting the nodes that join later.
    pub later: Vec<NodePlan>,
    /// The sentinels of the group, in mode `sentinel`.
    pub sentinels: Vec<Node>,
}

/// Brings up all groups of `topology`. Returns when every node is ready: all nodes of a cluster
/// agree that it is, and every replica's link is up. Calls `heard` with the number of ready
/// nodes and of all nodes. Draws the servers' password, if the topology wants one. With `relay`,
/// a relay links them and draws its random choices from that seed; otherwise they connect
/// directly.
///
/// After an error some servers may be running: shut the backend down.
pub async fn bring_up(
    backend: &dyn Backend,
    topology: &Topology,
    relay: Option<u64>,
    heard: &(dyn Fn(usize, usize) + Sync),
) -> Result<Deployment, FormError> {
    bring_up_most(backend, topology, &Newcomers::default(), relay, heard).await
}

/// The same, with places for newcomers. They are not started.
pub async fn bring_up_most(
    backend: &dyn Backend,
    topology: &Topology,
    newcomers: &Newcomers,
    relay: Option<u64>,
    heard: &(dyn Fn(usize, usize) + Sync),
) -> Result<Deployment, FormError> {
    gossip::check(topology, backend)?;
    let password = (topology.auth == Auth::Password).then(Password::draw);
    let groups: Vec<DeployedGroup> = topology
        .groups
        .iter()
        .map(|group| reserved(backend, group, newcomers, relay.is_some(), password.as_ref()))
        .collect::<Result<_, FormError>>()?;
    let (mut plans, mut awaited) = (Vec::new(), Vec::new());
    let (mut plans_of_sentinels, mut awaited_sentinels) = (Vec::new(), Vec::new());
    for group in &groups {
        let (spec, members) = (&group.spec, group.born().cloned().collect::<Vec<_>>());
        let source = topology.replicates(&spec.name).and_then(|source| {
            groups.iter().find(|group| group.spec.name == source.name)?.nodes.first()
        });
        plans.extend(node_plans(spec, &members, source, backend.engine()));
        plans_of_sentinels.extend(sentinel_plans(spec, &members, &group.sentinels));
        let expected_shards = spec
            .is_cluster()
            .then(|| Arc::new(ExpectedShards::new(&members, even_slots(spec.shards()))));
        let copies = topology.copies_of(&spec.name).len() as u64;
        awaited.extend(members.iter().map(|node| {
            let leads = node.born == Role::Primary;
            Awaited {
                node: node.clone(),
                expected_shards: expected_shards.clone(),
                role: if source.is_some() { Role::Replica } else { node.born },
                replicas: if leads { u64::from(spec.replicas()) + copies } else { 0 },
                watches: None,
            }
        }));
        let watched = Arc::new(spec.clone());
        awaited_sentinels.extend(group.sentinels.iter().map(|node| Awaited {
            node: node.clone(),
            expected_shards: None,
            role: Role::Sentinel,
            replicas: 0,
            watches: Some(watched.clone()),
        }));
    }
    let linked: Vec<&Node> = groups.iter().flat_map(DeployedGroup::all).collect();
    let names = linked.iter().map(|node| node.name.clone());
    let places = Arc::new(Places::new(topology, names, newcomers));
    let open = |seed| Network::open(backend, topology, places.clone(), &linked, seed);
    let network = relay.map(open).transpose()?;
    // Primaries first: they take longest to become ready.
    plans.sort_by_key(|plan| plan.name.ordinal);
    let total = awaited.len() + awaited_sentinels.len();
    heard(0, total);
    let mut exits = backend.exits();
    backend.start(plans).await?;
    let patience = ready::patience(total);
    let log_tail = |name: &NodeName| backend.log_tail(name);
    let told = |ready| heard(ready, total);
    let mut all_ready = async |awaited: &[Awaited]| {
        let ready = ready::all_ready(awaited, &log_tail, &mut exits, patience, &told).await;
        ready.map_err(|error| blame_directive(error, topology))
    };
    // A sentinel that starts first would take the primary for down while it starts.
    if !plans_of_sentinels.is_empty() {
        all_ready(&awaited).await?;
        awaited.extend(awaited_sentinels);
        backend.start(plans_of_sentinels).await?;
    }
    all_ready(&awaited).await?;
    let (network, sync) = (network.map(Arc::new), topology.sync.clone());
    Ok(Deployment { groups, sync, places, network, cuts: Cuts::default(), password })
}

/// The nodes of a group with their addresses. Nothing is started.
fn reserved(
    backend: &dyn Backend,
    group: &Group,
    newcomers: &Newcomers,
    relayed: bool,
    password: Option<&Password>,
) -> Result<DeployedGroup, FormError> {
    let mut names = node_names(group);
    let born = names.len();
    names.extend(newcomers.nodes.iter().filter(|name| name.group == group.name).cloned());
    let holders = names.len();
    names.extend(sentinel_names(group));
    let addrs = backend.reserve(names.len(), group.port)?;
    let mut nodes = nodes(group, names, &addrs, password);
    if relayed {
        nodes = behind_doors(backend, nodes)?;
    }
    let sentinels = nodes.split_off(holders);
    let absent = &nodes[born..];
    absent.iter().for_each(|node| node.admin.set_absent(true));
    let later = absent.iter().map(|node| joiner_plan(group, node, backend.engine())).collect();
    Ok(DeployedGroup { spec: group.clone(), nodes, later, sentinels })
}

/// If a server ended because of a directive of the user's, the topology is wrong and not the
/// machine.
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

impl DeployedGroup {
    /// Its nodes and sentinels.
    pub fn all(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().chain(&self.sentinels)
    }

    /// The nodes that were there at the start.
    pub fn born(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().take(self.nodes.len() - self.later.len())
    }
}

impl Deployment {
    /// Every server, including sentinels and nodes that join later.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.groups.iter().flat_map(DeployedGroup::all)
    }

    /// The groups of which one takes the writes for `group`: itself, and then the others.
    pub fn followers(&self, group: &DeployedGroup) -> Vec<&DeployedGroup> {
        let all = self.sync.as_ref().map(DataSync::followers).unwrap_or_default();
        let all = || all.iter().map(|index| &self.groups[*index]);
        let is = |other: &&DeployedGroup| other.spec.name == group.spec.name;
        let own = self.groups.iter().find(is);
        let others = all().filter(|other| all().any(|one| is(&one)) && !is(other));
        own.into_iter().chain(others).collect()
    }

    fn born(&self) -> impl Iterator<Item = &Node> {
        self.groups.iter().flat_map(|group| group.born().chain(&group.sentinels))
    }

    pub fn group(&self, name: &str) -> Option<&DeployedGroup> {
        self.groups.iter().find(|group| group.spec.name == name)
    }

    /// The nodes in the form in which the registry of running drills stores them.
    pub fn node_records(&self, backend: &dyn Backend) -> Vec<NodeRecord> {
        let record = |node: &Node| NodeRecord {
            name: node.name.clone(),
            address: node.addr.to_string(),
            cluster_id: match node.born {
                Role::Sentinel => String::new(),
                Role::Primary | Role::Replica => node.id.clone(),
            },
            process: backend.process(&node.name),
            host: backend.host(),
        };
        self.born().map(record).collect()
    }

    /// The nodes in the form of [`crate::model::event::EventKind::Ready`].
    pub fn node_infos(&self, backend: &dyn Backend) -> Vec<NodeInfo> {
        let info = |node: &Node| NodeInfo {
            name: node.name.clone(),
            address: node.addr.to_string(),
            role: node.born,
            id: node.id.clone(),
            host: backend.host(),
        };
        self.born().map(info).collect()
    }
}
