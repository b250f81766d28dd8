//! What containers use, told once a second; and a warning of one that has no memory left:
//! its server may hang for long before the kernel ends it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

use crate::model::event::{ContainerStats, EventKind};
use crate::model::{NodeName, Unit};

use super::stage::Stage;

const SECOND: Duration = Duration::from_secs(1);
/// Of its limit.
const NEARLY_ALL: f64 = 0.95;

/// Tells until it is dropped. Of servers that are no containers there is nothing to tell.
pub async fn tell(stage: &Stage<'_>, nodes: Vec<NodeName>) -> Infallible {
    let mut limits = limits(stage, &nodes);
    let mut ticks = interval_at(Instant::now() + SECOND, SECOND);
    loop {
        ticks.tick().await;
        let used = |node: &NodeName| {
            Some(ContainerStats { node: node.clone(), usage: stage.backend.usage(node)? })
        };
        let all: Vec<ContainerStats> = nodes.iter().filter_map(used).collect();
        for ContainerStats { node, usage } in &all {
            let used = usage.memory_bytes as f64;
            // Once for each.
            if let Some(limit) = limits.remove_if(node, |limit| used >= limit * NEARLY_ALL) {
                let (used, limit) = (Unit::Bytes.show(used), Unit::Bytes.show(limit));
                let text = format!(
                    "the container of {node} uses {used} of the {limit} of memory that it may \
                     have (`memory`): its server hangs or ends for want of more"
                );
                stage.teller.tell(EventKind::Warning { text });
            }
        }
        if !all.is_empty() {
            stage.teller.tell(EventKind::Containers { nodes: all });
        }
    }
}

/// Bytes of memory that nodes may have.
struct Limits(BTreeMap<NodeName, f64>);

fn limits(stage: &Stage<'_>, nodes: &[NodeName]) -> Limits {
    let limit = |node: &NodeName| {
        let group = stage.scenario.topology.groups.iter().find(|group| group.name == node.group)?;
        Some((node.clone(), group.limits.memory? as f64))
    };
    Limits(nodes.iter().filter_map(limit).collect())
}

impl Limits {
    fn remove_if(&mut self, node: &NodeName, reached: impl Fn(f64) -> bool) -> Option<f64> {
        let limit = self.0.get(node).copied().filter(|limit| reached(*limit))?;
        self.0.remove(node);
        Some(limit)
    }
}
