//! A handle on one running server: its admin connection, and its replies as types.
//!
//! [`Node`] says which server is meant; its [`Admin`] asks it things. Nothing
//! here knows what a drill is, and nothing here retries: a caller who wants a
//! second try asks again, so that no failure is hidden.

mod admin;
mod cluster_info;
mod cluster_nodes;
mod cluster_shards;
mod error;
mod info;
mod sentinel;

use std::fmt;
use std::net::SocketAddr;

pub use admin::Admin;
pub use cluster_info::ClusterInfo;
pub use cluster_nodes::{Flags, NodeLine};
pub use cluster_shards::{Health, Shard, ShardNode};
pub use error::{NodeError, Problem};
pub use info::{Info, Section};
pub use sentinel::Instance;

use crate::model::NodeName;
use crate::model::event::Role;

/// One server process and the way to talk to it. Clones share the connection.
#[derive(Clone)]
pub struct Node {
    pub name: NodeName,
    /// Where its server listens: what redrill asks of it goes there.
    pub addr: SocketAddr,
    /// Where other nodes and clients are to find it: its own address, or its door of a relay.
    pub announced: SocketAddr,
    /// The cluster's own name for the node, or a sentinel's own: 40 hex digits. Else empty.
    pub id: String,
    /// What it started as; roles change, this does not.
    pub born: Role,
    pub admin: Admin,
}

impl Node {
    /// Connects to nothing yet: the first request does.
    pub fn new(name: NodeName, addr: SocketAddr, id: impl Into<String>, born: Role) -> Node {
        let admin = Admin::new(name.clone(), addr);
        Node { name, addr, announced: addr, id: id.into(), born, admin }
    }

    /// The same node, found by others at `door`.
    pub fn behind(self, door: SocketAddr) -> Node {
        Node { announced: door, ..self }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} {} {} born {:?})", self.name, self.addr, self.id, self.born)
    }
}
