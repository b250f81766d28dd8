//! Growing a cluster and making it smaller.

use super::scenario::{Method, Pace, SlotMove};
use crate::model::NodeName;

#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// Servers that nobody has seen yet join as a shard, and get slots by `weights` (one for
    /// each shard, the new one among them) if there are any.
    AddShard { shard: u32, replicas: u32, weights: Option<Vec<f64>>, how: (Method, Pace) },
    /// A shard gives all its slots to the others, is forgotten, and its servers end.
    RemoveShard { shard: u32, how: (Method, Pace) },
    /// A server that nobody has seen yet joins as a replica of its shard.
    AddReplica { name: NodeName },
}

impl Scale {
    /// The word for it in a scenario.
    pub fn word(&self) -> &'static str {
        match self {
            Scale::AddShard { .. } => "add-shard",
            Scale::RemoveShard { .. } => "remove-shard",
            Scale::AddReplica { .. } => "add-replica",
        }
    }

    /// What it moves, and how.
    pub fn slots(&self) -> Option<SlotMove> {
        match self {
            Scale::AddShard { weights, .. } => {
                weights.clone().map(|weights| SlotMove::Rebalance { weights })
            }
            Scale::RemoveShard { shard, .. } => Some(SlotMove::Drain { shard: *shard }),
            Scale::AddReplica { .. } => None,
        }
    }

    /// How slots move.
    pub fn how(&self) -> (Method, Pace) {
        match self {
            Scale::AddShard { how, .. } | Scale::RemoveShard { how, .. } => *how,
            Scale::AddReplica { .. } => (Method::Auto, Pace::Fast),
        }
    }

    /// The nodes that join `group`.
    pub fn joiners(&self, group: &str) -> Vec<NodeName> {
        match self {
            Scale::AddShard { shard, replicas, .. } => {
                (0..=*replicas).map(|ordinal| NodeName::new(group, *shard, ordinal)).collect()
            }
            Scale::RemoveShard { .. } => Vec::new(),
            Scale::AddReplica { name } => vec![name.clone()],
        }
    }

    /// As a person would say it.
    pub fn describe(&self, group: &str) -> String {
        let word = self.word();
        match self {
            Scale::AddShard { shard, weights: Some(_), .. } => {
                format!("{word} {group}: shard {shard} joins and gets its share of the slots")
            }
            Scale::AddShard { shard, .. } => format!("{word} {group}: shard {shard} joins empty"),
            Scale::RemoveShard { shard, .. } => {
                format!("{word} {group}: shard {shard} gives up its slots and leaves")
            }
            Scale::AddReplica { name } => format!("{word} {group}: {name} joins"),
        }
    }
}
