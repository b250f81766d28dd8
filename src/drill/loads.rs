//! All loads of a drill together.

use std::net::IpAddr;

use futures::future::{try_join, try_join_all};

use crate::cluster::{DeployedGroup, Deployment};
use crate::load::history::History;
use crate::load::{LoadRunner, Lookup, Targets};
use crate::model::Nanos;
use crate::node::Node;
use crate::spec::scenario::{ClientKind, Load};
use crate::spec::topology::Mode;
use crate::sync::shard::Shard;

use super::comparing;
use super::context::{DrillContext, Halt};

/// Dropping it stops them.
pub struct Loads {
    runners: Vec<LoadRunner>,
    /// Whether the keys of each load are its own. Those that are not, the other load fills and
    /// reads.
    owns: Vec<bool>,
    /// The clients that read the final state of a load if its own clients should not. A
    /// library's clients may be unable to (such a load is there to show that), and clients in a
    /// far region would take too long.
    readers: Vec<Option<LoadRunner>>,
}

/// The addresses from which the clients of a group start: its nodes, or its sentinels if it has
/// some, as other nodes find them; and the source address by which a relay recognises clients
/// in `region`. Of groups that have the same data, any node can name the primary.
pub fn targets(deployment: &Deployment, group: &DeployedGroup, region: Option<&str>) -> Targets {
    let same = deployment.followers(group);
    let addresses = |group: &DeployedGroup| group.born().map(|node| node.announced).collect();
    let lookup = match &group.spec.mode {
        Mode::Cluster { .. } if same.len() > 1 => Lookup::Standby {
            groups: same.iter().map(|one| (one.spec.name.clone(), addresses(one))).collect(),
            shards: Shard::all_of(&group.spec),
        },
        Mode::Cluster { .. } => Lookup::Cluster,
        Mode::Sentinel { .. } => Lookup::Sentinels(group.spec.name.clone()),
        Mode::Standalone | Mode::Replication { .. } => Lookup::Primary,
    };
    let nodes: Vec<&Node> = match group.sentinels.is_empty() {
        true => same.iter().flat_map(|group| group.born()).collect(),
        false => group.sentinels.iter().collect(),
    };
    let seeds = nodes.into_iter().map(|node| node.announced).collect();
    let network = deployment.network.as_ref();
    let from = network.and_then(|network| network.clients_from(region)).into_iter().collect();
    let counted = same.iter().flat_map(|group| &group.nodes).map(|node| node.announced).collect();
    let password = deployment.password.clone();
    Targets { seeds, lookup, nodes: counted, from, told_at: Vec::new(), password }
}

impl Loads {
    pub async fn launch(
        drill: &DrillContext<'_>,
        deployment: &Deployment,
        history: &History,
    ) -> Result<Loads, Halt> {
        let network = deployment.network.as_ref();
        let launch = |index: usize, load: Load, from: Vec<IpAddr>| async move {
            let load = comparing::known(load, deployment).await?;
            let of_group = |name: &String| {
                let group = deployment.group(name);
                let group = group.ok_or_else(|| Halt::failed(format_args!("no group {name}")))?;
                let told_at = |n| network?.subscriber_from(&load.name, n);
                let told_at = (0..load.instances).filter_map(told_at).collect();
                let from = from.clone();
                let mut all = Targets { from, told_at, ..targets(deployment, group, None) };
                let fallback = load.fallback.as_ref().and_then(|name| deployment.group(name));
                if let Some(group) = fallback {
                    let more = targets(deployment, group, None);
                    all.seeds.extend(more.seeds);
                    all.nodes.extend(more.nodes);
                }
                Ok(all)
            };
            let targets = load.groups.iter().map(of_group).collect::<Result<_, Halt>>()?;
            let (teller, writer) = (drill.teller.clone(), history.writer());
            let programs = Some(drill.backend.programs().clone());
            let programs = (programs, drill.applications.get(&load.name).cloned());
            LoadRunner::launch(index as u8, &load, targets, drill.seed, teller, writer, programs)
                .await
                .map_err(Halt::failed)
        };
        let loads = || drill.scenario.loads.iter().cloned().enumerate();
        let readers = loads().map(|(index, load)| async move {
            let is_of_a_library = load.client.is_of_a_library();
            let own = !is_of_a_library && load.region.is_none();
            // What a library's cache left in the group is written in the library's own way.
            let is_unreadable = is_of_a_library && load.cache.is_some();
            if own || is_unreadable || load.keyspace.of.is_some() {
                return Ok(None);
            }
            // All groups that have the keys are read, and only the first one is filled.
            let writers = drill.scenario.writers(&load);
            let groups = if writers.is_empty() { load.groups.clone() } else { writers };
            let load = Load { client: ClientKind::Redrill, fallback: None, groups, ..load };
            let outside = network.map(|network| network.outside());
            launch(index, load, outside.into_iter().collect()).await.map(Some)
        });
        let runners = try_join_all(loads().map(|(index, load)| {
            let of = |instance| {
                let own = network?.instance_from(&load.name, instance);
                own.or_else(|| network?.clients_from(load.region.as_deref()))
            };
            let from = (0..load.instances).filter_map(of).collect();
            launch(index, load, from)
        }));
        let (runners, readers) = try_join(runners, try_join_all(readers)).await?;
        let owns = loads().map(|(_, load)| load.keyspace.of.is_none()).collect();
        Ok(Loads { runners, owns, readers })
    }

    /// Every key is written once. For an adapter its reader does that, which is faster.
    pub async fn fill(&mut self) -> Result<(), Halt> {
        let runners = self.runners.iter_mut().zip(&mut self.readers).zip(&self.owns);
        let owners = runners.filter(|(_, owns)| **owns);
        let fills = owners.map(|((load, reader), _)| match reader {
            Some(reader) if load.is_filled_by_another() => reader.fill(),
            _ => load.fill(),
        });
        try_join_all(fills).await.map(drop).map_err(Halt::failed)
    }

    pub fn begin(&mut self, at: Nanos) -> Result<(), Halt> {
        self.runners.iter_mut().try_for_each(|load| load.begin(at)).map_err(Halt::failed)
    }

    pub async fn stop(&mut self) -> Result<(), Halt> {
        let stops = self.runners.iter_mut().map(LoadRunner::stop);
        try_join_all(stops).await.map(drop).map_err(Halt::failed)
    }

    /// What clients do when all loads have stopped.
    pub async fn end(&mut self) -> Result<(), Halt> {
        let ends = self.runners.iter_mut().map(LoadRunner::end);
        try_join_all(ends).await.map(drop).map_err(Halt::failed)
    }

    /// Reads every key once. Keys that could not be read are in the history as such.
    pub async fn final_read(&mut self, deadline: Nanos) -> Result<(), Halt> {
        let readers = self.runners.iter_mut().zip(&mut self.readers).zip(&self.owns);
        let reads = readers
            .filter(|(_, owns)| **owns)
            .map(|((load, reader), _)| reader.as_mut().unwrap_or(load).final_read(deadline));
        try_join_all(reads).await.map(drop).map_err(Halt::failed)
    }
}
