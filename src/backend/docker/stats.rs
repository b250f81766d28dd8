//! The resource use of a container, from the engine's stream, once a second.

use std::collections::HashMap;
use std::sync::Arc;

use bollard::Docker;
use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptionsBuilder;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::call::RETRY;
use crate::model::NodeName;
use crate::model::event::Usage;

/// The last figures of each node whose container runs.
pub type Usages = Arc<Mutex<HashMap<NodeName, Usage>>>;

/// Listens as long as it lives.
#[derive(Debug)]
pub struct Listener {
    task: JoinHandle<()>,
    usages: Usages,
    name: NodeName,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
        self.usages.lock().remove(&self.name);
    }
}

/// Without an answer there are no figures for the node, and the drill goes on. The engine is
/// asked again until the listener is dropped.
pub fn listen(docker: Docker, id: String, name: NodeName, usages: Usages) -> Listener {
    let (own, node) = (Arc::clone(&usages), name.clone());
    let task = tokio::spawn(async move {
        loop {
            let options = StatsOptionsBuilder::default().stream(true).build();
            let mut told = std::pin::pin!(docker.stats(&id, Some(options)));
            while let Some(Ok(stats)) = told.next().await {
                if let Some(usage) = usage(&stats) {
                    let mut all = own.lock();
                    all.insert(node.clone(), usage);
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    });
    Listener { task, usages, name }
}

/// `None` while the container does not run: then the engine sends no figures.
fn usage(stats: &ContainerStatsResponse) -> Option<Usage> {
    let cpu_nanos = stats.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage?;
    let memory = stats.memory_stats.as_ref()?;
    // File pages that the kernel can reclaim do not count. The first name is that of control
    // groups of version 1, the second of version 2.
    let count = |name| memory.stats.as_ref().and_then(|all| all.get(name)).copied();
    let idle = count("total_inactive_file").or_else(|| count("inactive_file")).unwrap_or(0);
    let networks = || stats.networks.iter().flat_map(HashMap::values);
    Some(Usage {
        cpu_seconds: cpu_nanos as f64 / 1e9,
        memory_bytes: memory.usage?.saturating_sub(idle),
        net_in_bytes: networks().filter_map(|net| net.rx_bytes).sum(),
        net_out_bytes: networks().filter_map(|net| net.tx_bytes).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_that_has_ended_uses_nothing_that_is_known() {
        let ended =
            json!({ "cpu_stats": { "cpu_usage": { "total_usage": 0 } }, "memory_stats": {} });
        assert_eq!(usage(&serde_json::from_value(ended).unwrap()), None);
        let running = json!({
            "cpu_stats": { "cpu_usage": { "total_usage": 1_500_000_000u64 } },
            "memory_stats": { "usage": 1000, "stats": { "inactive_file": 300 } },
            "networks": { "eth0": { "rx_bytes": 5, "tx_bytes": 7 }, "eth1": { "rx_bytes": 1 } },
        });
        let known =
            Usage { cpu_seconds: 1.5, memory_bytes: 700, net_in_bytes: 6, net_out_bytes: 7 };
        assert_eq!(usage(&serde_json::from_value(running).unwrap()), Some(known));
    }
}
