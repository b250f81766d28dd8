//! Where the relay listens for a node, and why it cannot.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::model::NodeName;

/// As many connections wait to be accepted as a server lets wait, by its `tcp-backlog`.
const BACKLOG: i32 = 511;

/// One of a node's ports, as others are to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The address that the node announces; with port 0, any that is free.
    pub at: SocketAddr,
    /// Where its server really listens.
    pub to: SocketAddr,
    pub node: NodeName,
    pub channel: Channel,
}

/// Which of a node's ports it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Commands: from clients, from replicas, from MIGRATE.
    Client,
    /// The cluster bus.
    Bus,
}

/// Why the relay relays nothing.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error(
        "the relay does not listen on {at} for {node}: it is all addresses of this machine, and \
         anybody could come in; give it one address"
    )]
    Everywhere { at: SocketAddr, node: NodeName },
    #[error("the relay cannot listen on {at} for {node}: {source}")]
    Listen { at: SocketAddr, node: NodeName, source: io::Error },
    #[error("the machine gave the relay no thread or timer: {0}")]
    Machine(#[from] io::Error),
}

/// Listens at `at` and at no other address of the machine.
pub(super) fn listen(door: &Door) -> Result<TcpListener, NetError> {
    let Door { at, node, .. } = door.clone();
    if at.ip().is_unspecified() {
        return Err(NetError::Everywhere { at, node });
    }
    let listening = TcpListener::bind(at).and_then(|listener| {
        rustix::net::listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listening.map_err(|source| NetError::Listen { at, node, source })
}
