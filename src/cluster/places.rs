//! The region of every node, and the places of clients.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::NodeName;
use crate::model::traffic::End;
use crate::spec::Topology;

/// Regions by name. Without regions, neither nodes nor clients have a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    nodes: BTreeMap<NodeName, Option<String>>,
    clients: BTreeSet<Option<String>>,
    /// The region of clients without a place: the first one.
    default: Option<String>,
}

impl Places {
    pub fn new(topology: &Topology, nodes: impl IntoIterator<Item = NodeName>) -> Places {
        let region = |name: &NodeName| {
            let group = topology.groups.iter().find(|group| group.name == name.group)?;
            topology.regions.get(group.region_of(name)?).cloned()
        };
        let nodes = nodes.into_iter().map(|name| (name.clone(), region(&name))).collect();
        let clients: BTreeSet<_> = match topology.regions.is_empty() {
            true => [None].into(),
            false => topology.regions.iter().cloned().map(Some).collect(),
        };
        Places { nodes, clients, default: topology.regions.first().cloned() }
    }

    /// All places that clients can have.
    pub fn of_clients(&self) -> impl Iterator<Item = &Option<String>> {
        self.clients.iter()
    }

    /// The place of clients that belong to `region`, or to none.
    pub fn of_client(&self, region: Option<&str>) -> Option<String> {
        region.map(str::to_owned).or_else(|| self.default.clone())
    }

    pub fn clients(&self) -> BTreeSet<End> {
        self.clients.iter().cloned().map(End::Clients).collect()
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
            other => other.to_string(),
        }
    }

    /// The nodes and the clients of a region.
    pub fn region(&self, region: &str) -> BTreeSet<End> {
        let here = |(name, at): (&NodeName, &Option<String>)| {
            (at.as_deref() == Some(region)).then(|| End::Node(name.clone()))
        };
        let clients = End::Clients(Some(region.to_owned()));
        self.nodes.iter().filter_map(here).chain([clients]).collect()
    }
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
        Places::new(&topology, names)
    }

    #[test]
    fn a_region_has_its_nodes_and_its_clients() {
        let places = two_regions();
        let eu = places.region("eu");
        assert_eq!(eu.len(), 4);
        assert!(eu.contains(&End::Clients(Some("eu".into()))));
        assert!(eu.contains(&NodeName::new("c", 2, 1).into()), "replicas are there");
        assert_eq!(places.of_client(None), Some("us".to_owned()), "the first region");
        assert_eq!(places.clients().len(), 2);
    }
}
