//! A handle on one running server: its admin connection, and its replies as types.
//!
//! [`Node`] names the server, and its [`Admin`] sends requests to it. This module knows nothing
//! of drills and never retries: a caller who wants a second try asks again, so that no failure
//! is hidden.

mod admin;
mod asked;
mod cluster_nodes;
mod cluster_shards;
mod error;
mod info;
mod sentinel;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub use admin::{Admin, OWN_NAME, connect};
pub use cluster_nodes::{Flags, NodeLine};
pub use cluster_shards::{Health, Shard, ShardNode};
pub use error::{NodeError, Problem};
pub use info::{ClusterInfo, Info, Section};
pub use sentinel::Instance;

use crate::model::event::Role;
use crate::model::{NodeName, Password};

/// One server process and the way to talk to it. Clones share the connection and the shard that
/// was learned.
#[derive(Clone)]
pub struct Node {
    pub name: NodeName,
    /// Where its server listens. redrill's requests go there.
    pub addr: SocketAddr,
    /// The address given to other nodes and clients: the node's own, or its door at the relay.
    pub announced: SocketAddr,
    /// The node id in the cluster, or the sentinel's run id: 40 hex digits. Otherwise empty.
    pub id: String,
    /// The role in which it started. Roles change, this field does not.
    pub born: Role,
    pub admin: Admin,
    shard: Option<Arc<AtomicU32>>,
}

impl Node {
    /// Does not connect yet: the first request does.
    pub fn new(name: NodeName, addr: SocketAddr, id: impl Into<String>, born: Role) -> Node {
        let admin = Admin::new(name.clone(), addr);
        let shard = name.shard().map(|shard| Arc::new(AtomicU32::new(shard)));
        Node { name, addr, announced: addr, id: id.into(), born, admin, shard }
    }

    /// The shard that it belongs to: the one in its name, until it was seen to follow the
    /// primary of another shard. Only servers that hold keys have one.
    pub fn shard(&self) -> Option<u32> {
        self.shard.as_ref().map(|shard| shard.load(Ordering::Relaxed))
    }

    /// Notes that it follows the primary of this shard.
    pub fn joins_shard(&self, shard: u32) {
        self.shard.iter().for_each(|own| own.store(shard, Ordering::Relaxed));
    }

    /// The same node over the connection of `admin`.
    pub fn asked(self, admin: Admin) -> Node {
        Node { admin, ..self }
    }

    /// The same node, whose server asks for `password`.
    pub fn authenticated(self, password: Option<Password>) -> Node {
        let admin = self.admin.authenticated(password);
        self.asked(admin)
    }

    /// The same node over a separate connection. A connection that is kept may have broken
    /// since its last use, and no request is sent twice.
    pub fn apart(&self) -> Node {
        let admin = self.admin.apart();
        self.clone().asked(admin)
    }

    /// The same node, which others find at `door`.
    pub fn behind(self, door: SocketAddr) -> Node {
        Node { announced: door, ..self }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} {} {} born {:?})", self.name, self.addr, self.id, self.born)
    }
}
