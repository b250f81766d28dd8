//! How many files and connections a drill has open at once. Without room for them it would end
//! halfway, so it is not begun.

use crate::backend::process::raise_file_limit;
use crate::spec::Scenario;
use crate::spec::scenario::Load;
use crate::spec::topology::Group;

/// Runtimes, logs, the history.
const OWN: u64 = 64;
/// For each node: its process, its two addresses, requests, views, and probes, which read and write
/// apart.
const OF_NODE: u64 = 9;
/// For each node behind a relay: its doors, replication, and probes once more.
const OF_RELAYED_NODE: u64 = 10;
/// For each replicator: its process, its input and output, its log.
const OF_REPLICATOR: u64 = 4;

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
    let Scenario { topology, loads, .. } = scenario;
    let groups = || topology.groups.iter();
    let nodes: u64 = groups().map(|group| nodes(scenario, group)).sum();
    let of_loads: u64 = loads.iter().map(|load| connections(load) * reached(scenario, load)).sum();
    let clients = of_loads + groups().map(|group| far_probes(scenario, group)).sum::<u64>();
    let direct = OWN + nodes * OF_NODE + clients + beside(scenario);
    let carriers = topology.replicators();
    let of_carriers = carriers.len() as u64 * OF_REPLICATOR;
    if !scenario.needs_relay() {
        return direct + of_carriers;
    }
    // Of each connection a relay has both ends.
    let bus: u64 = groups().map(|group| bus(scenario, group)).sum();
    let carried = carriers.iter().map(|(_, from, to)| {
        // Two connections to the source and one to the target, for which it asks all nodes.
        2 * nodes_of(scenario, &[from]) + nodes_of(scenario, &[to])
    });
    let through = bus + clients + carried.sum::<u64>();
    direct + of_carriers + nodes * OF_RELAYED_NODE + 2 * through
}

/// The nodes that the group has, or will have.
fn nodes(scenario: &Scenario, group: &Group) -> u64 {
    let joiners = scenario.joiners().into_iter().filter(|joiner| joiner.group == group.name);
    u64::from(group.nodes()) + joiners.count() as u64
}

fn nodes_of(scenario: &Scenario, groups: &[&Group]) -> u64 {
    groups.iter().map(|group| nodes(scenario, group)).sum()
}

/// Connections between the nodes: in a cluster, and of sentinels, each has one to each other.
fn bus(scenario: &Scenario, group: &Group) -> u64 {
    let is_watched = group.is_cluster() || group.sentinels().is_some();
    let nodes = nodes(scenario, group);
    if is_watched { nodes * nodes } else { 0 }
}

/// The nodes that clients of a load connect to: its own, and those that read the final state if
/// they are others.
fn reached(scenario: &Scenario, load: &Load) -> u64 {
    let topology = &scenario.topology;
    let of = |names: &[String]| -> u64 {
        let same = names.iter().flat_map(|name| topology.followers(name));
        nodes_of(scenario, &same.collect::<Vec<_>>())
    };
    let own: Vec<String> = load.groups.iter().chain(&load.fallback).cloned().collect();
    let is_read_apart = load.client.is_of_a_library() || load.region.is_some();
    let read = match scenario.writers(load) {
        all if all.is_empty() => load.groups.clone(),
        all => all,
    };
    let is_read_apart = is_read_apart && load.keyspace.of.is_none();
    of(&own) + if is_read_apart { of(&read) } else { 0 }
}

/// Connections of probes from further regions than the first one, for reads and for writes.
fn far_probes(scenario: &Scenario, group: &Group) -> u64 {
    if scenario.topology.source_of(&group.name).is_some() {
        return 0;
    }
    let further = scenario.probed_from(&group.name).len() as u64 - 1;
    2 * further * nodes_of(scenario, &scenario.topology.followers(&group.name))
}

/// Connections of the lag probes and of the replication watcher, which bypass the relay.
fn beside(scenario: &Scenario) -> u64 {
    let Some(sync) = &scenario.topology.sync else { return 0 };
    let groups: Vec<&Group> =
        sync.members().into_iter().map(|index| &scenario.topology.groups[index]).collect();
    let others = groups.len() as u64 - 1;
    // Each group is written, and read for each other one. If all take writes, conflicts are made
    // and keys compared as well, and somebody asks how far each is. A server that does not answer
    // is followed by the next of its group.
    let each = 1 + others + if sync.writers().is_empty() { 0 } else { 3 };
    groups.iter().map(|group| each * u64::from(group.shards()) * nodes(scenario, group)).sum()
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
    use crate::spec::{Diagnostic, FileKind, Options, Source, library, parse_scenario};

    fn of_file(text: String) -> u64 {
        let resolve = |name: &str| {
            let ready = library::find(FileKind::Topology, name);
            let ready = ready.map(|ready| ready.source());
            Ok::<_, Diagnostic>(ready.unwrap_or_else(|| Source::new("t.yaml", CLUSTER)))
        };
        let source = Source::new("s.yaml", text);
        needed(&parse_scenario(&source, &resolve, &Options::default()).unwrap())
    }

    const CLUSTER: &str = "name: t\ngroups: { cache: { mode: cluster, shards: 3, replicas: 1 } }";

    fn of(rest: &str) -> u64 {
        of_file(format!("name: s\ntopology: ./t.yaml\n{rest}"))
    }

    /// More than was counted in such drills: 61 and 173.
    #[test]
    fn nodes_clients_and_the_relay_count() {
        let plain = of("loads: { app: { rate: 200/s } }\n");
        assert_eq!(plain, 64 + 6 * 10);
        assert_eq!(of("loads: { app: { rate: 200/s, instances: 4 } }\n"), plain + 6 * 3);
        let relayed = of("loads: { app: { rate: 200/s } }\ntimeline: [{ at: 1s, do: partition, \
                          target: primary of shard 0, for: 1s }]\n");
        assert_eq!(relayed, plain + 2 * 36 + 6 * 12);
    }

    /// A live test compares the sum with what such a drill has open.
    #[test]
    fn regions_are_probed_from_each_and_measured_beside_the_links() {
        let far = |loads: &str, topology: &str| {
            of_file(format!("name: s\ntopology: {topology}\nloads: {{ {loads} }}\n"))
        };
        let near = "near: { rate: 1/s, group: us, region: us-east }";
        let both = format!("{near}, far: {{ rate: 1/s, group: us, region: eu-west }}");
        let probe = "\nprobe: { deadline: 400ms }";
        // Four nodes behind a relay, and a load of one connection to each, read apart.
        let standby = 64 + 4 * 9 + 4 * 10 + 3 * 2 * 4;
        // One is written and read, and the other too.
        assert_eq!(far(near, "standby-2r"), standby + 2 * (1 + 1) * 2);
        let more = far(&both, &format!("standby-2r{probe}")) - far(near, "standby-2r");
        assert_eq!(more, 3 * 2 * 4 + 3 * 2 * 4, "another load, and the probes of its region");
        // Who may turn to the other group comes to it over the link.
        let own = "near: { rate: 1/s, group: us, region: us-east }, far: { rate: 1/s, group: eu, \
                   region: eu-west }";
        let turns = own.replacen("us,", "us, fallback: eu,", 1);
        let probe_far = "\nprobe: { deadline: 400ms }";
        let active = |loads: &str| far(loads, &format!("active-active-2r{probe_far}"));
        assert_eq!(active(&turns) - active(own), 3 * 2 + 3 * 2 * 2, "a load's, and probes of `eu`");
        // Six replicators; each of six nodes is asked by five who measure, and one who watches.
        let three = 64 + 6 * 9 + 6 * 10 + 3 * (2 + 6) + 6 * 4 + 2 * 6 * 6 + 6 * (1 + 2 + 3);
        let probe = "\nprobe: { deadline: 1200ms }";
        assert_eq!(far(near, &format!("active-active-3r{probe}")), three);
    }
}
