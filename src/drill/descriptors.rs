//! How many files and connections a drill has open at once. Without room for them it would end
//! halfway, so it is not begun.

use crate::backend::process::raise_file_limit;
use crate::spec::Scenario;
use crate::spec::scenario::Load;

/// Runtimes, logs, the history.
const OWN: u64 = 64;
/// For each node: its process, requests, views and probes.
const OF_NODE: u64 = 6;
/// For each node behind a relay: its doors, replication, and probes once more.
const OF_RELAYED_NODE: u64 = 8;

/// redrill may not open as many files as the drill needs.
#[derive(Debug, thiserror::Error)]
#[error(
    "the drill needs {needed} open files and connections, and redrill may have {limit}; allow it \
     more (`ulimit -n {needed}`, LimitNOFILE= of a service), or play a smaller topology"
)]
pub struct TooFew {
    needed: u64,
    limit: u64,
}

/// Raises the limit as far as it goes, and checks that it suffices.
pub fn check(scenario: &Scenario) -> Result<(), TooFew> {
    let needed = needed(scenario);
    match raise_file_limit() {
        Some(limit) if limit < needed => Err(TooFew { needed, limit }),
        _ => Ok(()),
    }
}

fn needed(scenario: &Scenario) -> u64 {
    let nodes = u64::from(scenario.topology.nodes()) + scenario.joiners().len() as u64;
    let clients: u64 = scenario.loads.iter().map(connections).sum();
    // In a cluster each node connects to each other, and a relay has both ends.
    let relayed = 2 * nodes * nodes + nodes * (OF_RELAYED_NODE + 2 * clients);
    OWN + nodes * (OF_NODE + clients) + if scenario.needs_relay() { relayed } else { 0 }
}

/// To one node.
fn connections(load: &Load) -> u64 {
    let each = match load.wait {
        // WAIT blocks a connection.
        Some(_) => load.clients_of_each(),
        None => load.connections,
    };
    u64::from(load.instances) * u64::from(each)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Diagnostic, Options, Source, parse_scenario};

    fn of(rest: &str) -> u64 {
        let topology = "name: t\ngroups: { cache: { mode: cluster, shards: 3, replicas: 1 } }";
        let resolve = |_: &str| Ok::<_, Diagnostic>(Source::new("t.yaml", topology));
        let text = format!("name: s\ntopology: ./t.yaml\n{rest}");
        let source = Source::new("s.yaml", text);
        needed(&parse_scenario(&source, &resolve, &Options::default()).unwrap())
    }

    /// More than was counted in such drills: 61 and 173.
    #[test]
    fn nodes_clients_and_the_relay_count() {
        let plain = of("loads: { app: { rate: 200/s } }\n");
        assert_eq!(plain, 64 + 6 * 7);
        assert_eq!(of("loads: { app: { rate: 200/s, instances: 4 } }\n"), plain + 6 * 3);
        let relayed = of("loads: { app: { rate: 200/s } }\ntimeline: [{ at: 1s, do: partition, \
                          target: primary of shard 0, for: 1s }]\n");
        assert_eq!(relayed, plain + 2 * 36 + 6 * 10);
    }
}
