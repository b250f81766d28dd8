//! The figures of INFO of each shard's primaries, summed up.

use std::collections::BTreeMap;

use super::members::Members;
use crate::model::event::{NodeStats, Phase, Role};
use crate::model::{Nanos, NodeName, ShardName};

/// The figures of INFO, collected for each shard.
#[derive(Debug, Default)]
pub(super) struct StatsFold {
    /// The load runs.
    running: bool,
    previous: BTreeMap<NodeName, (Nanos, NodeStats)>,
    shards: BTreeMap<ShardName, Folded>,
}

/// Sums over the times in which one node of the shard was primary at both ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Folded {
    pub(super) seconds: f64,
    pub(super) commands: u64,
    pub(super) net_in: u64,
    pub(super) net_out: u64,
    pub(super) cpu: f64,
    pub(super) first: Option<Held>,
    pub(super) last: Option<Held>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) keys: u64,
    pub(super) memory: u64,
}

impl StatsFold {
    pub fn of(&self, shard: &ShardName) -> Folded {
        self.shards.get(shard).copied().unwrap_or_default()
    }

    pub fn phase(&mut self, phase: Phase) {
        self.running = matches!(phase, Phase::Steps | Phase::Settle);
    }

    pub fn hear(&mut self, at: Nanos, nodes: Vec<NodeStats>, members: &Members) {
        for node in nodes {
            let Some(shard) = members.shard_of(&node.name) else { continue };
            let shard = self.shards.entry(shard).or_default();
            if node.role == Role::Primary {
                let held = Held { keys: node.keys, memory: node.memory_bytes };
                // "Before" is the last value before the load began.
                if !self.running && shard.seconds == 0.0 || shard.first.is_none() {
                    shard.first = Some(held);
                }
                shard.last = Some(held);
                if let Some((then, before)) = self.previous.get(&node.name)
                    && self.running
                    && before.role == Role::Primary
                {
                    shard.add(at.since(*then).as_secs_f64(), before, &node);
                }
            }
            self.previous.insert(node.name.clone(), (at, node));
        }
    }
}

impl Folded {
    /// Adds what a primary did between two looks. A server that was restarted in between counts
    /// from zero again, so that time is left out.
    fn add(&mut self, seconds: f64, before: &NodeStats, now: &NodeStats) {
        let (Some(commands), Some(net_in), Some(net_out)) = (
            now.commands.checked_sub(before.commands),
            now.net_in_bytes.checked_sub(before.net_in_bytes),
            now.net_out_bytes.checked_sub(before.net_out_bytes),
        ) else {
            return;
        };
        self.seconds += seconds;
        self.commands += commands;
        self.net_in += net_in;
        self.net_out += net_out;
        self.cpu += (now.cpu_seconds - before.cpu_seconds).max(0.0);
    }

    pub(super) fn per_second(&self, sum: f64) -> Option<f64> {
        (self.seconds > 0.0).then(|| sum / self.seconds)
    }
}
