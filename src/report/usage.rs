//! What shards and containers used: their counters, summed up over the time in which the load
//! ran.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::event::{ContainerStats, NodeStats, Phase, Role, Usage};
use crate::model::{Nanos, NodeName, ShardName};

use super::data::Container;
use super::views::Members;

/// Counters since a program's start.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    commands: u64,
    net_in: u64,
    net_out: u64,
    cpu_seconds: f64,
}

/// What was used between looks at the counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    seconds: f64,
    sums: Counters,
}

impl Used {
    /// A program that was restarted in between counts from zero again, so that time is left out.
    fn add(&mut self, time: Duration, before: Counters, now: Counters) {
        let (Some(commands), Some(net_in), Some(net_out)) = (
            now.commands.checked_sub(before.commands),
            now.net_in.checked_sub(before.net_in),
            now.net_out.checked_sub(before.net_out),
        ) else {
            return;
        };
        self.seconds += time.as_secs_f64();
        self.sums.commands += commands;
        self.sums.net_in += net_in;
        self.sums.net_out += net_out;
        self.sums.cpu_seconds += (now.cpu_seconds - before.cpu_seconds).max(0.0);
    }

    fn a_second(&self, sum: f64) -> Option<f64> {
        (self.seconds > 0.0).then(|| sum / self.seconds)
    }

    pub fn commands(&self) -> Option<f64> {
        self.a_second(self.sums.commands as f64)
    }

    pub fn net_in(&self) -> Option<f64> {
        self.a_second(self.sums.net_in as f64)
    }

    pub fn net_out(&self) -> Option<f64> {
        self.a_second(self.sums.net_out as f64)
    }

    /// Of one core.
    pub fn cpu_percent(&self) -> Option<f64> {
        self.a_second(self.sums.cpu_seconds * 100.0)
    }
}

fn load_runs(phase: Phase) -> bool {
    matches!(phase, Phase::Steps | Phase::Settle)
}

/// The figures of INFO of each shard's primaries.
#[derive(Debug, Default)]
pub(super) struct ShardUsage {
    running: bool,
    previous: BTreeMap<NodeName, (Nanos, NodeStats)>,
    shards: BTreeMap<ShardName, UsedByShard>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UsedByShard {
    /// In the times in which one node of the shard was primary at both ends.
    pub used: Used,
    pub first: Option<Held>,
    pub last: Option<Held>,
}

/// What a primary held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub keys: u64,
    pub memory: u64,
}

impl ShardUsage {
    pub fn of(&self, shard: &ShardName) -> UsedByShard {
        self.shards.get(shard).copied().unwrap_or_default()
    }

    pub fn phase(&mut self, phase: Phase) {
        self.running = load_runs(phase);
    }

    pub fn hear(&mut self, at: Nanos, nodes: Vec<NodeStats>, members: &Members) {
        let counters = |node: &NodeStats| Counters {
            commands: node.commands,
            net_in: node.net_in_bytes,
            net_out: node.net_out_bytes,
            cpu_seconds: node.cpu_seconds,
        };
        for node in nodes {
            let Some(shard) = members.shard_of(&node.name) else { continue };
            let shard = self.shards.entry(shard).or_default();
            if node.role == Role::Primary {
                let held = Held { keys: node.keys, memory: node.memory_bytes };
                // "Before" is the last value before the load began.
                if !self.running && shard.used.seconds == 0.0 || shard.first.is_none() {
                    shard.first = Some(held);
                }
                shard.last = Some(held);
                if let Some((then, before)) = self.previous.get(&node.name)
                    && self.running
                    && before.role == Role::Primary
                {
                    shard.used.add(at.since(*then), counters(before), counters(&node));
                }
            }
            self.previous.insert(node.name.clone(), (at, node));
        }
    }
}

/// The engine's figures of each container.
#[derive(Debug, Default)]
pub(super) struct ContainerUsage {
    running: bool,
    nodes: BTreeMap<NodeName, UsedByContainer>,
}

#[derive(Debug, Default)]
struct UsedByContainer {
    previous: Option<(Nanos, Usage)>,
    used: Used,
    memory_max: u64,
}

impl ContainerUsage {
    pub fn phase(&mut self, phase: Phase) {
        self.running = load_runs(phase);
    }

    pub fn hear(&mut self, at: Nanos, nodes: Vec<ContainerStats>) {
        let counters = |usage: &Usage| Counters {
            commands: 0,
            net_in: usage.net_in_bytes,
            net_out: usage.net_out_bytes,
            cpu_seconds: usage.cpu_seconds,
        };
        for ContainerStats { node, usage } in nodes {
            let one = self.nodes.entry(node).or_default();
            one.memory_max = one.memory_max.max(usage.memory_bytes);
            if let Some((then, before)) = one.previous.filter(|_| self.running) {
                one.used.add(at.since(then), counters(&before), counters(&usage));
            }
            one.previous = Some((at, usage));
        }
    }

    pub fn rows(&self) -> Vec<Container> {
        let row = |(node, one): (&NodeName, &UsedByContainer)| Container {
            node: node.clone(),
            cpu_percent: one.used.cpu_percent(),
            memory_max_bytes: one.memory_max,
            net_in_per_s: one.used.net_in(),
            net_out_per_s: one.used.net_out(),
        };
        self.nodes.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_in_which_the_load_ran() {
        let node = NodeName::new("one", 0, 0);
        let mut fold = ContainerUsage::default();
        let hear = |fold: &mut ContainerUsage, second: u64, cpu: f64, memory: u64, net: u64| {
            let usage = Usage {
                cpu_seconds: cpu,
                memory_bytes: memory,
                net_in_bytes: net,
                net_out_bytes: 2 * net,
            };
            let at = Nanos::ZERO + std::time::Duration::from_secs(second);
            fold.hear(at, vec![ContainerStats { node: node.clone(), usage }]);
        };
        hear(&mut fold, 1, 0.0, 900, 0);
        hear(&mut fold, 2, 0.9, 100, 5_000);
        fold.phase(Phase::Steps);
        hear(&mut fold, 3, 1.0, 100, 6_000);
        // Restarted.
        hear(&mut fold, 4, 0.0, 100, 0);
        hear(&mut fold, 5, 0.3, 100, 3_000);
        fold.phase(Phase::Verify);
        hear(&mut fold, 6, 9.0, 100, 90_000);
        let rows = fold.rows();
        let row = &rows[0];
        assert_eq!((rows.len(), row.memory_max_bytes), (1, 900));
        assert_eq!(row.cpu_percent.map(f64::round), Some(20.0));
        assert_eq!((row.net_in_per_s, row.net_out_per_s), (Some(2_000.0), Some(4_000.0)));
    }
}
