//! Errors of the relay before anything is relayed.

use std::io;
use std::net::SocketAddr;

use crate::model::NodeName;

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
