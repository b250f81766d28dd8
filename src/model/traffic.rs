//! Who talks to whom, and what about: the words of a traffic matrix.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::NodeName;

/// An end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Node(NodeName),
    /// The place of clients: a region, or none where the topology has no regions.
    Clients(Option<String>),
    /// Whoever is neither: somebody at a prompt, or a connection that could not be told.
    Outside,
}

impl From<NodeName> for End {
    fn from(name: NodeName) -> End {
        End::Node(name)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Node(name) => name.fmt(f),
            End::Clients(None) => f.write_str("clients"),
            End::Clients(Some(region)) => write!(f, "clients in {region}"),
            End::Outside => f.write_str("outside"),
        }
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
