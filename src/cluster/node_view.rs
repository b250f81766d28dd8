//! What one node reports.

use std::net::SocketAddr;

use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::NodeLine;

/// What one node reports about itself and its cluster.
#[derive(Clone, Debug)]
pub struct NodeView {
    pub node: NodeName,
    /// `cluster_state:ok`.
    pub state_ok: bool,
    pub role: Option<Role>,
    /// Whether a replica's link to its primary is up; `None` on a primary.
    pub link_up: Option<bool>,
    pub lines: Vec<NodeLine>,
    /// Outside a cluster.
    pub leader: Leader,
}

impl NodeView {
    /// The node serves, and is linked to its primary if it is a replica.
    pub fn is_healthy(&self) -> bool {
        self.state_ok && self.link_up != Some(false)
    }

    /// The node's line about itself.
    pub fn own_line(&self) -> Option<&NodeLine> {
        self.lines.iter().find(|line| line.flags.myself)
    }
}

/// What a node outside a cluster reports about its primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// A replica's primary, or the primary to which a sentinel sends clients; `None` on a
    /// primary.
    pub at: Option<SocketAddr>,
    /// A sentinel considers it down (SDOWN).
    pub suspected: bool,
    /// A sentinel knows that a quorum considers it down (ODOWN).
    pub agreed: bool,
}
