//! The table by container: the resource use of each.

use std::collections::BTreeMap;

use crate::model::event::{ContainerStats, Phase, Usage};
use crate::model::{Nanos, NodeName};

use super::data::Container;

/// The engine's figures, collected for each container.
#[derive(Debug, Default)]
pub(super) struct UsageFold {
    /// The load runs.
    running: bool,
    nodes: BTreeMap<NodeName, Folded>,
}

#[derive(Debug, Default)]
struct Folded {
    /// While the load runs.
    previous: Option<(Nanos, Usage)>,
    seconds: f64,
    cpu: f64,
    net_in: u64,
    net_out: u64,
    memory_max: u64,
}

impl UsageFold {
    pub fn phase(&mut self, phase: Phase) {
        self.running = matches!(phase, Phase::Steps | Phase::Settle);
    }

    pub fn hear(&mut self, at: Nanos, nodes: Vec<ContainerStats>) {
        for ContainerStats { node, usage } in nodes {
            let folded = self.nodes.entry(node).or_default();
            folded.memory_max = folded.memory_max.max(usage.memory_bytes);
            if let Some((then, before)) = folded.previous.filter(|_| self.running) {
                folded.add(at.since(then).as_secs_f64(), &before, &usage);
            }
            folded.previous = Some((at, usage));
        }
    }

    pub fn rows(&self) -> Vec<Container> {
        self.nodes.iter().map(|(node, folded)| folded.row(node)).collect()
    }
}

impl Folded {
    /// A container that was restarted counts from zero again, so that time is left out.
    fn add(&mut self, seconds: f64, before: &Usage, now: &Usage) {
        let (Some(net_in), Some(net_out)) = (
            now.net_in_bytes.checked_sub(before.net_in_bytes),
            now.net_out_bytes.checked_sub(before.net_out_bytes),
        ) else {
            return;
        };
        self.seconds += seconds;
        self.cpu += (now.cpu_seconds - before.cpu_seconds).max(0.0);
        self.net_in += net_in;
        self.net_out += net_out;
    }

    fn row(&self, node: &NodeName) -> Container {
        let per_second = |sum: f64| (self.seconds > 0.0).then(|| sum / self.seconds);
        Container {
            node: node.clone(),
            cpu_percent: per_second(self.cpu * 100.0),
            memory_max_bytes: self.memory_max,
            net_in_per_s: per_second(self.net_in as f64),
            net_out_per_s: per_second(self.net_out as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_in_which_the_load_ran() {
        let node = NodeName::new("one", 0, 0);
        let mut fold = UsageFold::default();
        let hear = |fold: &mut UsageFold, second: u64, cpu: f64, memory: u64, net: u64| {
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
