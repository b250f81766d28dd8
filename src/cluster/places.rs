//! The region of every node, and the places of clients.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::NodeName;
use crate::model::traffic::End;
use crate::spec::Topology;

/// Regions by name. Without regions, neither nodes nor clients have a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    nodes: BTreeMap<NodeName, Option<String>>,
    actors: BTreeMap<NodeName, Option<String>>,
    /// Clients of redrill's own that have an address of their own.
    instances: BTreeMap<NodeName, Option<String>>,
    /// Instances that are told of changes, on connections that have an address of their own.
    subscribers: BTreeMap<NodeName, Option<String>>,
    clients: BTreeSet<Option<String>>,
    /// The region of clients without a place: the first one.
    default: Option<String>,
}

/// Those that take part in a drill, and are in no topology.
#[derive(Clone, Debug, Default)]
pub struct Newcomers {
    /// Nodes that join later.
    pub nodes: Vec<NodeName>,
    /// With the regions that they are in.
    pub actors: Vec<(NodeName, Option<String>)>,
    /// Clients of redrill's own that are to have an address of their own, and their regions.
    pub instances: Vec<(NodeName, Option<String>)>,
    /// Those that are told of changes, and their regions.
    pub subscribers: Vec<(NodeName, Option<String>)>,
}

impl Places {
    /// An actor, an instance or a subscriber is in the region that stands beside it, or where clients
    /// are that are put nowhere.
    pub fn new(
        topology: &Topology,
        nodes: impl IntoIterator<Item = NodeName>,
        newcomers: &Newcomers,
    ) -> Places {
        let region = |name: &NodeName| {
            let group = topology.groups.iter().find(|group| group.name == name.group)?;
            topology.regions.get(group.region_of(name)?).cloned()
        };
        let nodes = nodes.into_iter().map(|name| (name.clone(), region(&name))).collect();
        let clients: BTreeSet<_> = match topology.regions.is_empty() {
            true => [None].into(),
            false => topology.regions.iter().cloned().map(Some).collect(),
        };
        let default = topology.regions.first().cloned();
        let place = |(name, region): &(NodeName, Option<String>)| {
            (name.clone(), region.clone().or_else(|| default.clone()))
        };
        let Newcomers { actors, instances, subscribers, .. } = newcomers;
        let [actors, instances, subscribers] =
            [actors, instances, subscribers].map(|all| all.iter().map(place).collect());
        Places { nodes, actors, instances, subscribers, clients, default }
    }

    /// All who connect from an address that says who they are: the clients of each place, instances,
    /// and subscribers.
    pub fn addressed(&self) -> impl Iterator<Item = End> {
        let clients = self.clients.iter().cloned().map(End::Clients);
        let instances = self.instances.keys().cloned().map(End::Actor);
        clients.chain(instances).chain(self.subscribers())
    }

    /// The connections on which instances are told of changes.
    pub fn subscribers(&self) -> impl Iterator<Item = End> {
        self.subscribers.keys().cloned().map(End::Subscriber)
    }

    /// An instance among `ends` is there with the connections on which it is told of changes.
    pub fn with_subscribers(&self, mut ends: BTreeSet<End>) -> BTreeSet<End> {
        let is_there = |name: &&NodeName| ends.contains(&End::Actor((*name).clone()));
        let told: Vec<End> =
            self.subscribers.keys().filter(is_there).cloned().map(End::Subscriber).collect();
        ends.extend(told);
        ends
    }

    /// The place of clients that belong to `region`, or to none.
    pub fn of_client(&self, region: Option<&str>) -> Option<String> {
        region.map(str::to_owned).or_else(|| self.default.clone())
    }

    /// All who ask nodes: clients, and actors.
    pub fn clients(&self) -> BTreeSet<End> {
        self.addressed().chain(self.actors.keys().cloned().map(End::Actor)).collect()
    }

    /// Those of them in a region.
    pub fn clients_in(&self, region: &str) -> BTreeSet<End> {
        let clients = End::Clients(Some(region.to_owned()));
        let programs = here(&self.actors, region).chain(here(&self.instances, region));
        let subscribers = here(&self.subscribers, region).map(End::Subscriber);
        programs.map(End::from).chain(subscribers).chain([clients]).collect()
    }

    pub fn actors(&self) -> impl Iterator<Item = &NodeName> {
        self.actors.keys()
    }

    pub fn nodes(&self) -> BTreeSet<End> {
        self.nodes.keys().cloned().map(End::Node).collect()
    }

    /// The name of an end by its place.
    pub fn name(&self, end: &End) -> String {
        match end {
            End::Node(name) => match self.nodes.get(name) {
                Some(Some(region)) => format!("nodes in {region}"),
                _ => "nodes".to_owned(),
            },
            End::Actor(name) => match (self.instances.get(name), self.actors.get(name)) {
                (Some(place), _) => End::Clients(place.clone()).to_string(),
                (None, Some(Some(region))) => format!("actors in {region}"),
                (None, _) => "actors".to_owned(),
            },
            End::Subscriber(name) => match self.subscribers.get(name) {
                Some(Some(region)) => format!("subscribers in {region}"),
                _ => "subscribers".to_owned(),
            },
            End::Clients(_) | End::Outside => end.to_string(),
        }
    }

    /// The nodes, the actors and the clients of a region.
    pub fn region(&self, region: &str) -> BTreeSet<End> {
        here(&self.nodes, region).map(End::from).chain(self.clients_in(region)).collect()
    }
}

/// Those that are in a region.
fn here(all: &BTreeMap<NodeName, Option<String>>, region: &str) -> impl Iterator<Item = NodeName> {
    let here = all.iter().filter(move |(_, at)| at.as_deref() == Some(region));
    here.map(|(name, _)| name.clone())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::spec::{Options, Source, parse_topology};

    /// One cluster stretched over two regions, and its nodes.
    pub(crate) fn two_regions() -> Places {
        let text = "name: t\nregions: [us, eu]\ngroups:\n  c: { mode: cluster, shards: 3, replicas: 1, \
                    placement: { primaries: us, replicas: eu } }";
        let topology = parse_topology(&Source::new("t.yaml", text), &Options::default()).unwrap();
        let names = (0..3).flat_map(|shard| [0, 1].map(|n| NodeName::new("c", shard, n)));
        let in_eu = |name, n| (NodeName::actor(name, n), Some("eu".into()));
        let newcomers = Newcomers {
            actors: vec![in_eu("app", 0), (NodeName::actor("app", 1), None)],
            instances: vec![in_eu("own", 1)],
            subscribers: vec![in_eu("own", 1)],
            ..Newcomers::default()
        };
        Places::new(&topology, names, &newcomers)
    }

    #[test]
    fn a_region_has_its_nodes_and_its_clients() {
        let places = two_regions();
        let eu = places.region("eu");
        assert_eq!(eu.len(), 7);
        assert!(eu.contains(&NodeName::actor("app", 0).into()), "where it was put");
        assert!(places.region("us").contains(&NodeName::actor("app", 1).into()), "put nowhere");
        assert!(eu.contains(&End::Clients(Some("eu".into()))));
        assert!(eu.contains(&NodeName::new("c", 2, 1).into()), "replicas are there");
        assert_eq!(places.of_client(None), Some("us".to_owned()), "the first region");
        assert_eq!(places.clients().len(), 6);
        assert_eq!(places.name(&NodeName::actor("own", 1).into()), "clients in eu");
        let own = BTreeSet::from([End::from(NodeName::actor("own", 1))]);
        let told = End::Subscriber(NodeName::actor("own", 1));
        assert!(places.with_subscribers(own).contains(&told), "it is cut off with its instance");
        assert_eq!(places.name(&told), "subscribers in eu");
        assert_eq!(places.name(&NodeName::actor("app", 0).into()), "actors in eu");
    }
}
