//! What a load is put on, and how its clients find their way there.

use std::net::{IpAddr, SocketAddr};

/// What a load is put on.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Whom to ask first: nodes, or the sentinels that watch them. Others are learned from
    /// them.
    pub seeds: Vec<SocketAddr>,
    pub lookup: Lookup,
    /// The nodes of the group, in the order in which the history counts them.
    pub nodes: Vec<SocketAddr>,
    /// The address to connect from, by which a relay knows whose connections they are;
    /// any, if there is none.
    pub from: Option<IpAddr>,
}

/// How clients find the node that has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// CLUSTER SLOTS of any node.
    Cluster,
    /// All keys are at the primary, which any node names: ROLE.
    Primary,
    /// The same, but the sentinels are asked for the primary of the group of this name
    /// (SENTINEL GET-MASTER-ADDR-BY-NAME), and tell of a new one (`+switch-master`).
    Sentinels(String),
}
