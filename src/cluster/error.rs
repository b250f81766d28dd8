//! Why a topology did not come up.

use std::fmt;
use std::time::Duration;

use super::gossip::TooMuchGossip;
use super::network::NetworkError;
use crate::backend::{BackendError, NodeExited};
use crate::model::NodeName;

#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(
        "group `{group}`: the server refuses the directive `{line}` of its `config`{}",
        because(.reason)
    )]
    Directive { group: String, line: String, reason: String },
    #[error(transparent)]
    Gossip(#[from] TooMuchGossip),
    #[error("the server of {0}")]
    Exited(Box<NodeExited>),
    #[error("after {} s {}", waited.as_secs(), listed(.nodes))]
    NotReady { waited: Duration, nodes: Vec<NotReady> },
}

impl FormError {
    /// Whether the topology file is wrong, and not the machine.
    pub fn blames_topology(&self) -> bool {
        match self {
            FormError::Directive { .. } => true,
            FormError::Backend(_)
            | FormError::Network(_)
            | FormError::Gossip(_)
            | FormError::Exited(_)
            | FormError::NotReady { .. } => false,
        }
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(", saying: {reason}") }
}

fn listed(nodes: &[NotReady]) -> String {
    const SHOWN: usize = 5;
    let mut text = match nodes.len() {
        1 => "1 node is not ready:".to_owned(),
        many => format!("{many} nodes are not ready:"),
    };
    for node in nodes.iter().take(SHOWN) {
        text += &format!("\n  {node}");
    }
    if nodes.len() > SHOWN {
        text += &format!("\n  and {} more", nodes.len() - SHOWN);
    }
    match nodes.first() {
        Some(first) if !first.log_tail.is_empty() => {
            let log = first.log_tail.replace('\n', "\n  | ");
            format!("{text}\nthe last lines of the log of {}:\n  | {log}", first.name)
        }
        _ => text,
    }
}

/// A node that was not ready in time.
#[derive(Clone, Debug, PartialEq)]
pub struct NotReady {
    pub name: NodeName,
    pub why: String,
    /// The last lines of its log.
    pub log_tail: String,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}
