//! How much nodes and clients send each other, and for what: the words of a traffic matrix.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NodeKind, NodeName};

/// An end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Node(NodeName),
    Actor(NodeName),
    /// The place of clients: a region, or `None` in a topology without regions.
    Clients(Option<String>),
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
            End::Outside => f.write_str("outside"),
        }
    }
}

/// What a connection is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Requests of clients.
    Client,
    /// From a replica to its primary, and whatever else a node asks another node's client port.
    Replication,
    /// Keys that MIGRATE sends.
    Migration,
    /// Gossip, votes and published messages of a cluster.
    Bus,
}

impl Class {
    pub const ALL: [Class; 4] = [Class::Client, Class::Replication, Class::Migration, Class::Bus];

    /// As a head of a table.
    pub fn name(self) -> &'static str {
        match self {
            Class::Client => "client",
            Class::Replication => "replication",
            Class::Migration => "migration",
            Class::Bus => "bus",
        }
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

/// Adds up the flows between ends of the same names, in the order of the names.
pub fn add_up(flows: &[Flow], name: impl Fn(&End) -> String) -> Vec<Crossing> {
    let mut sums: BTreeMap<(String, String, Class), (u64, u64, u64)> = BTreeMap::new();
    for flow in flows {
        let sum = sums.entry((name(&flow.from), name(&flow.to), flow.class)).or_default();
        sum.0 += flow.bytes;
        sum.1 += flow.connections;
        sum.2 += flow.resets;
    }
    let crossing = |((from, to, class), (bytes, connections, resets))| {
        (bytes + connections + resets > 0).then_some(Crossing {
            from,
            to,
            class,
            bytes,
            connections,
            resets,
        })
    };
    sums.into_iter().filter_map(crossing).collect()
}
