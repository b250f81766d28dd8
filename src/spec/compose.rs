//! Prints a topology as a Compose file, to be brought up without redrill.
//!
//! Images need nothing but the server and its client: no shell, no files. So nodes get their
//! whole configuration on the command line, and one more container runs the client once to join
//! a cluster's nodes.

use std::net::Ipv4Addr;

use super::topology::{EngineKind, Group, Mode, Topology};
use super::write::Lines;

/// Outside the subnets that drills use.
const SUBNET: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 0);
const PREFIX: u32 = 20;
/// The first addresses are left to the bridge and to other containers on the network.
const FIRST_NODE: u32 = 16;
const PORT: u16 = 6379;
/// How often joining is tried: a cluster can be joined only when all of its servers have
/// started.
const JOIN_TRIES: u32 = 10;
/// A sentinel does not start without a file that it can write. The engine puts this empty file
/// into every container.
const EMPTY_FILE: &str = "/.dockerenv";

/// One node of a group.
struct Node {
    service: String,
    address: Ipv4Addr,
    shard: u32,
    ordinal: u32,
}

/// The text of the Compose file of a topology that can run.
pub fn compose(topology: &Topology) -> String {
    let mut out = Lines::default();
    let name = &topology.name;
    out.line(format_args!(
        "# {name} without redrill, as `redrill compose {name}` prints it:\n\
         #   docker compose -f {name}.yaml up -d      (older: docker-compose)\n\
         #   docker compose -f {name}.yaml down -v\n\
         # The network is internal: on Linux this machine reaches the nodes by their addresses,\n\
         # and nothing else does."
    ));
    out.inside("services", |out| services(out, topology));
    out.inside("networks", |out| {
        out.inside("nodes", |out| {
            out.key("internal", true);
            let subnet = format_args!("{{ config: [{{ subnet: {SUBNET}/{PREFIX} }}] }}");
            out.key("ipam", subnet);
        });
    });
    out.text
}

fn services(out: &mut Lines, topology: &Topology) {
    let (image, program) = engine(topology);
    let mut first = FIRST_NODE;
    for group in &topology.groups {
        let nodes = nodes(group, first);
        first += nodes.len() as u32;
        for node in &nodes {
            service(out, &image, group, node, &command(program, group, node, &nodes));
        }
        let sentinels = sentinels(group, first);
        first += sentinels.len() as u32;
        for node in &sentinels {
            service(out, &image, group, node, &watching(program, group, node, &nodes));
        }
        if let Mode::Cluster { replicas, .. } = group.mode {
            join(out, (&image, program), group, &nodes, replicas);
        }
    }
}

fn service(out: &mut Lines, image: &str, group: &Group, node: &Node, command: &[String]) {
    out.inside(&node.service, |out| {
        out.key("image", quoted(image));
        out.key("entrypoint", list(command));
        out.key_if("cpus", group.limits.cpus);
        out.key_if("mem_limit", group.limits.memory);
        let address = node.address;
        out.key("networks", format_args!("{{ nodes: {{ ipv4_address: {address} }} }}"));
    });
}

/// The image, and the prefix of its programs' names.
fn engine(topology: &Topology) -> (String, &'static str) {
    let engine = &topology.engine;
    let image = engine.image_or_default().to_owned();
    let valkey = engine.kind == Some(EngineKind::Valkey) || image.contains("valkey");
    (image, if valkey { "valkey" } else { "redis" })
}

fn nodes(group: &Group, first: u32) -> Vec<Node> {
    let each = group.replicas() + 1;
    let node = |n: u32| {
        let (shard, ordinal) = (n / each, n % each);
        let service = format!("{}-{shard}-{ordinal}", group.name);
        let address = Ipv4Addr::from_bits(SUBNET.to_bits() + first + n);
        Node { service, address, shard, ordinal }
    };
    (0..group.shards() * each).map(node).collect()
}

fn sentinels(group: &Group, first: u32) -> Vec<Node> {
    let node = |n: u32| {
        let service = format!("{}-sentinel-{n}", group.name);
        let address = Ipv4Addr::from_bits(SUBNET.to_bits() + first + n);
        Node { service, address, shard: 0, ordinal: n }
    };
    (0..group.sentinels().map_or(0, |sentinels| sentinels.count)).map(node).collect()
}

/// A sentinel gets its own address, because it may start before there is a primary to connect
/// to.
fn watching(program: &str, group: &Group, node: &Node, nodes: &[Node]) -> Vec<String> {
    let mut command = vec![format!("{program}-server"), EMPTY_FILE.to_owned()];
    let Some(how) = group.sentinels() else { return command };
    let mut set = |words: String| command.extend(words.split(' ').map(str::to_owned));
    set(format!("--port {} --protected-mode no", port(group)));
    let (name, port) = (&group.name, port(group));
    let primary = nodes.first().map_or(node.address, |primary| primary.address);
    set(format!("--sentinel monitor {name} {primary} {port} {}", how.quorum));
    set(format!("--sentinel down-after-milliseconds {name} {}", how.down_after.as_millis()));
    set(format!("--sentinel failover-timeout {name} {}", how.failover_timeout.as_millis()));
    set(format!("--sentinel parallel-syncs {name} {}", how.parallel_syncs));
    set(format!("--sentinel announce-ip {}", node.address));
    command
}

fn port(group: &Group) -> String {
    group.port.unwrap_or(PORT).to_string()
}

fn command(program: &str, group: &Group, node: &Node, nodes: &[Node]) -> Vec<String> {
    let mut command = vec![format!("{program}-server")];
    let mut set = |name: &str, value: &str| {
        command.push(format!("--{name}"));
        let words: Vec<&str> = value.split_whitespace().collect();
        command
            .extend(if words.is_empty() { vec![""] } else { words }.into_iter().map(String::from));
    };
    set("port", &port(group));
    set("protected-mode", "no");
    set("save", "");
    set("repl-diskless-sync-delay", "0");
    if let Mode::Cluster { .. } = group.mode {
        set("cluster-enabled", "yes");
    } else if node.ordinal > 0 {
        let primary = nodes.iter().find(|n| n.shard == node.shard && n.ordinal == 0);
        let primary = primary.map_or(node.address, |primary| primary.address);
        set("replicaof", &format!("{primary} {}", port(group)));
    }
    group.config.iter().for_each(|(name, value)| set(name, value));
    command
}

/// A container that joins the nodes of a cluster, primaries first, and ends.
fn join(
    out: &mut Lines,
    (image, program): (&str, &str),
    group: &Group,
    nodes: &[Node],
    replicas: u32,
) {
    let mut command = vec![format!("{program}-cli"), "--cluster".into(), "create".into()];
    let mut by_ordinal: Vec<&Node> = nodes.iter().collect();
    by_ordinal.sort_by_key(|node| node.ordinal);
    command.extend(by_ordinal.iter().map(|node| format!("{}:{}", node.address, port(group))));
    command.extend(["--cluster-replicas".into(), replicas.to_string(), "--cluster-yes".into()]);
    let services: Vec<String> = nodes.iter().map(|node| node.service.clone()).collect();
    out.inside(&format!("{}-join", group.name), |out| {
        out.key("image", quoted(image));
        out.key("entrypoint", list(&command));
        out.key("depends_on", list(&services));
        out.key("restart", format_args!("on-failure:{JOIN_TRIES}"));
        out.key("networks", "[nodes]");
    });
}

/// Escapes `$`, which Compose would expand. JSON strings are valid YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
}
