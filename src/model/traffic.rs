//! How much nodes and clients send each other, and for what: the words of a traffic matrix.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words::words;
use super::{NodeKind, NodeName};

/// An end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Node(NodeName),
    Actor(NodeName),
    /// The place of clients: a region, or `None` in a topology without regions.
    Clients(Option<String>),
    /// The connections on which this instance of a load is told of changes.
    Subscriber(NodeName),
    /// Neither: a person at a prompt, or a connection whose opener is unknown.
    Outside,
}

impl From<NodeName> for End {
    fn from(name: NodeName) -> End {
        match name.kind {
            NodeKind::Shard(_) | NodeKind::Sentinel => End::Node(name),
            NodeKind::Actor => End::Actor(name),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Node(name) | End::Actor(name) => name.fmt(f),
            End::Clients(None) => f.write_str("clients"),
            End::Clients(Some(region)) => write!(f, "clients in {region}"),
            End::Subscriber(name) => write!(f, "subscriber of {name}"),
            End::Outside => f.write_str("outside"),
        }
    }
}

words! {
    /// What a connection is for.
    pub enum Class {
        /// Requests of clients.
        Client "client",
        /// From a replica to its primary, and whatever else a node asks another node's client port.
        Replication "replication",
        /// Keys that MIGRATE sends.
        Migration "migration",
        /// Gossip, votes and published messages of a cluster.
        Bus "bus",
    }
}

/// What has crossed from one end to another since the drill's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    pub from: End,
    pub to: End,
    pub class: Class,
    /// Payload that arrived, on connections that either end opened.
    pub bytes: u64,
    /// Connections that `from` opened to `to`, once the server had accepted them.
    pub connections: u64,
    /// Connections from `from` to `to` that a rule refused or reset.
    pub resets: u64,
}

/// Flows added up: from all ends of one name to all ends of another, since the drill's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Crossing {
    /// A node, or `nodes`, `clients`, `nodes in REGION`, `clients in REGION`, `outside`.
    pub from: String,
    pub to: String,
    pub class: Class,
    /// Payload that arrived, whoever opened the connection.
    pub bytes: u64,
    /// Connections that `from` opened to `to`.
    pub connections: u64,
    /// Of those that `from` opened, how many a step refused or reset.
    pub resets: u64,
}

impl Crossing {
    /// The region of a place, by its name.
    pub fn region(place: &str) -> Option<&str> {
        let (what, region) = place.split_once(" in ")?;
        ["nodes", "clients", "actors"].contains(&what).then_some(region)
    }
}

/// Adds up the flows between ends of the same names, in the order of the names.
pub fn add_up(flows: &[Flow], name: impl Fn(&End) -> String) -> Vec<Crossing> {
    let mut sums = BTreeMap::new();
    for Flow { from, to, class, bytes, connections, resets } in flows {
        let (from, to, class) = (name(from), name(to), *class);
        let none = Crossing { from, to, class, bytes: 0, connections: 0, resets: 0 };
        let sum = sums.entry((none.from.clone(), none.to.clone(), class)).or_insert(none);
        sum.bytes += bytes;
        sum.connections += connections;
        sum.resets += resets;
    }
    sums.into_values().filter(|sum| sum.bytes + sum.connections + sum.resets > 0).collect()
}
