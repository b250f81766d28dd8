//! How much work the nodes of a cluster have with each other, before any of them starts.
//!
//! Each node pings each other one at least once in half of `cluster-node-timeout`, and each ping
//! is answered. So the work grows with the square of the nodes. Where it takes nearly all cores,
//! nodes miss each other's answers, and the cluster is never ready.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::backend::Backend;
use crate::spec::Topology;
use crate::spec::topology::Group;

/// What servers set by themselves.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);
/// What a message costs its sender and its receiver together. A hundred nodes of Redis 7.0 with a
/// time-out of 4 s took 0.43 of a core for 9,900 messages a second, and do nothing else.
const COST: Duration = Duration::from_micros(40);
/// The part of the cores above which it is not tried, and the part that is advised.
const MOST: f64 = 0.75;
const ADVISED: f64 = 0.5;

/// Gossip alone would take nearly all cores of this machine.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error(
    "group `{group}`: {nodes} nodes with a cluster-node-timeout of {} ms send each other {messages} \
     messages a second, which takes {busy:.1} cores, and this machine has {cores}; the cluster would \
     not become ready: give it more time (`--set groups.{group}.config.cluster-node-timeout={}`), \
     or fewer nodes",
    .timeout.as_millis(), .advised.as_millis()
)]
pub struct TooMuchGossip {
    group: String,
    nodes: u64,
    timeout: Duration,
    messages: u64,
    busy: f64,
    cores: usize,
    /// The time-out with which it takes half of the cores.
    advised: Duration,
}

/// Checks that this machine can carry the gossip of each cluster, if servers run on it.
///
/// # Errors
/// It cannot.
pub fn check(topology: &Topology, backend: &dyn Backend) -> Result<(), TooMuchGossip> {
    if !backend.host().is_here() {
        return Ok(());
    }
    let cores = available_parallelism().map_or(1, NonZero::get);
    topology.groups.iter().try_for_each(|group| check_group(group, cores))
}

fn check_group(group: &Group, cores: usize) -> Result<(), TooMuchGossip> {
    if !group.is_cluster() {
        return Ok(());
    }
    let (nodes, timeout) = (u64::from(group.nodes()), node_timeout(group));
    let pairs = (nodes * nodes.saturating_sub(1)) as f64;
    // A ping and its answer in half of the time-out.
    let messages = |timeout: Duration| 4.0 * pairs / timeout.as_secs_f64();
    let busy = messages(timeout) * COST.as_secs_f64();
    if busy <= MOST * cores as f64 {
        return Ok(());
    }
    let least = 4.0 * pairs * COST.as_secs_f64() / (ADVISED * cores as f64);
    Err(TooMuchGossip {
        group: group.name.clone(),
        nodes,
        timeout,
        messages: messages(timeout).round() as u64,
        busy,
        cores,
        advised: Duration::from_secs(least.ceil() as u64),
    })
}

/// What the group's configuration says; what is no number is for the server to refuse.
fn node_timeout(group: &Group) -> Duration {
    let is_it = |name: &&String| name.eq_ignore_ascii_case("cluster-node-timeout");
    let given = group.config.keys().find(is_it).and_then(|name| group.config[name].parse().ok());
    given.map_or(DEFAULT_TIMEOUT, |ms: u64| Duration::from_millis(ms.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Options, Source, parse_topology};

    fn checked(shards: u32, config: &str, cores: usize) -> Result<(), String> {
        let text = format!(
            "name: t\ngroups: {{ cache: {{ mode: cluster, shards: {shards}, replicas: 1, \
             config: {{ {config} }} }} }}"
        );
        let topology = parse_topology(&Source::new("t.yaml", text), &Options::default()).unwrap();
        check_group(&topology.groups[0], cores).map_err(|error| error.to_string())
    }

    #[test]
    fn two_hundred_nodes_need_a_long_time_out_on_two_cores() {
        assert_eq!(checked(100, "", 2), Ok(()), "the servers' own is enough");
        assert_eq!(checked(50, "cluster-node-timeout: 2000", 2), Ok(()), "a hundred nodes");
        let error = checked(100, "cluster-node-timeout: 2000", 2).unwrap_err();
        assert!(error.contains("200 nodes with a cluster-node-timeout of 2000 ms"), "{error}");
        assert!(error.contains("takes 3.2 cores, and this machine has 2"), "{error}");
        let advice = "groups.cache.config.cluster-node-timeout=7000";
        assert!(error.contains(advice), "{error}");
        assert_eq!(checked(100, "Cluster-Node-Timeout: 7000", 2), Ok(()), "what was advised");
        assert_eq!(checked(100, "cluster-node-timeout: 2000", 16), Ok(()), "a larger machine");
    }
}
