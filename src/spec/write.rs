//! Writes checked topologies and scenarios as YAML, with every default.
//!
//! A run folder holds what was really played: after the profile, `--set` and defaults. redrill
//! reads this YAML as the same topology or scenario.

use std::fmt::{Display, Write};
use std::time::Duration;

use crate::model::Workload;

use super::quantity::{Bandwidth, Bytes, PerSecond, Percent, Sizes, Time};
use super::scenario::{ClientKind, Distribution, Load, MinReplicas, Scenario, Wait};
use super::topology::{Engine, Group, Mode, Placement, Topology};
use super::yaml::quoted;

/// Lines of YAML at growing depth. Writing to a string cannot fail.
#[derive(Default)]
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.text, "{:1$}{line}", "", 2 * self.depth);
    }

    fn key(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key}: {value}"));
    }

    fn inside(&mut self, key: &str, write: impl FnOnce(&mut Lines)) {
        self.line(format_args!("{key}:"));
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }
}

/// The topology as a file.
pub fn topology(topology: &Topology) -> String {
    let mut out = Lines::default();
    out.key("name", &topology.name);
    out.key("summary", quoted(&topology.summary));
    if topology.engine != Engine::default() {
        out.inside("engine", |out| engine(out, &topology.engine));
    }
    if !topology.regions.is_empty() {
        out.key("regions", format_args!("[{}]", topology.regions.join(", ")));
    }
    if !topology.links.is_empty() {
        out.inside("links", |out| links(out, topology));
    }
    out.inside("groups", |out| {
        for each in &topology.groups {
            out.inside(&each.name, |out| group(out, each, &topology.regions));
        }
    });
    out.text
}

fn engine(out: &mut Lines, engine: &Engine) {
    if let Some(kind) = engine.kind {
        out.key("kind", kind);
    }
    if let Some(binary) = &engine.binary {
        out.key("binary", quoted(&binary.to_string_lossy()));
    }
    if let Some(image) = &engine.image {
        out.key("image", quoted(image));
    }
}

fn links(out: &mut Lines, topology: &Topology) {
    for link in &topology.links {
        let (from, to) = (&topology.regions[link.from], &topology.regions[link.to]);
        let bandwidth = link.bandwidth.map(|b| format!(", bandwidth: {}", Bandwidth(b)));
        out.line(format_args!(
            "- {{ from: {from}, to: {to}, latency: {}, jitter: {}{} }}",
            Time(link.latency),
            link.jitter,
            bandwidth.unwrap_or_default()
        ));
    }
}

fn group(out: &mut Lines, group: &Group, regions: &[String]) {
    match group.mode {
        Mode::Standalone => out.key("mode", "standalone"),
        Mode::Replication { .. } => out.key("mode", "replication"),
        Mode::Sentinel { sentinels, .. } => {
            out.key("mode", "sentinel");
            out.key("sentinels", sentinels.count);
            out.key("quorum", sentinels.quorum);
            out.key("down_after", Time(sentinels.down_after));
            out.key("failover_timeout", Time(sentinels.failover_timeout));
            out.key("parallel_syncs", sentinels.parallel_syncs);
        }
        Mode::Cluster { shards, .. } => {
            out.key("mode", "cluster");
            out.key("shards", shards);
        }
    }
    if group.mode != Mode::Standalone {
        out.key("replicas", group.replicas());
    }
    match &group.placement {
        Placement::Anywhere => {}
        Placement::Region(region) => out.key("region", &regions[*region]),
        Placement::Stretched { primaries, replicas, sentinels } => {
            let (primaries, replicas) = (&regions[*primaries], &regions[*replicas]);
            let places: Vec<&str> = sentinels.iter().map(|place| &*regions[*place]).collect();
            let sentinels = match group.mode {
                Mode::Sentinel { .. } => format!(", sentinels: [{}]", places.join(", ")),
                _ => String::new(),
            };
            let all = format!("{{ primaries: {primaries}, replicas: {replicas}{sentinels} }}");
            out.key("placement", all);
        }
    }
    if let Some(port) = group.port {
        out.key("port", port);
    }
    if let Some(cpus) = group.limits.cpus {
        out.key("cpus", cpus);
    }
    if let Some(memory) = group.limits.memory {
        out.key("memory", Bytes(memory));
    }
    if !group.config.is_empty() {
        out.inside("config", |out| {
            for (name, value) in &group.config {
                out.key(name, quoted(value));
            }
        });
    }
}

/// The scenario as a file, which names its topology `topology`.
pub fn scenario(scenario: &Scenario, topology: &str) -> String {
    let mut out = Lines::default();
    out.key("name", &scenario.name);
    out.key("summary", quoted(&scenario.summary));
    out.key("topology", quoted(topology));
    if !scenario.loads.is_empty() {
        out.inside("loads", |out| {
            for each in &scenario.loads {
                out.inside(&each.name, |out| load(out, each));
            }
        });
    }
    out.inside("probe", |out| {
        out.key("every", Time(scenario.probe.every));
        out.key("deadline", Time(scenario.probe.deadline));
        out.key("canaries", scenario.probe.canaries);
    });
    if !scenario.timeline.is_empty() {
        out.inside("timeline", |out| {
            for step in &scenario.timeline {
                out.line(format_args!("- {}", step.written()));
            }
        });
    }
    out.key("settle", Time(scenario.settle));
    if !scenario.reported.is_empty() {
        out.key("reported", format_args!("[{}]", scenario.reported.join(", ")));
    }
    if let Some(over) = &scenario.over {
        let values: Vec<String> = over.values.iter().map(|value| quoted(value)).collect();
        out.key("over", format_args!("{{ {}: [{}] }}", quoted(&over.key), values.join(", ")));
    }
    if !scenario.expect.is_empty() {
        out.inside("expect", |out| {
            for expectation in &scenario.expect {
                out.line(format_args!("- {}", quoted(&expectation.text)));
            }
        });
    }
    out.text
}

fn load(out: &mut Lines, load: &Load) {
    out.key("workload", load.workload.word());
    if load.workload == Workload::Transfer {
        out.key("by", load.transfer.word());
    }
    out.key("group", &load.group);
    if let Some(region) = &load.region {
        out.key("region", region);
    }
    match &load.client {
        ClientKind::Redrill => out.key("client", "redrill"),
        ClientKind::RedisRs => out.key("client", "redis-rs"),
        ClientKind::Adapter { command } => {
            let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
            out.key("client", format_args!("{{ command: [{}] }}", words.join(", ")));
        }
    }
    out.key("rate", PerSecond(load.rate));
    out.key("clients", load.clients);
    out.key("instances", load.instances);
    out.key("connections", load.connections);
    match load.keyspace.of {
        Some(_) => out.key("shares", &load.keyspace.name),
        None => out.key("keys", load.keys),
    }
    match load.distribution {
        Distribution::Uniform => out.key("distribution", "uniform"),
        Distribution::Zipf(exponent) => out.key("distribution", format_args!("zipf({exponent})")),
    }
    // A set has no reads, and numbers no size: they may not be written.
    if load.workload != Workload::Set {
        out.key("reads", Percent::of(load.reads));
    }
    if load.workload.has_sizes() {
        out.key("value", Sizes(Bytes(load.value.0 as u64), Bytes(load.value.1 as u64)));
    }
    out.key("timeout", Time(load.timeout));
    out.key("max_in_flight", load.max_in_flight);
    if let Some(Wait { replicas, timeout }) = load.wait {
        let timeout = Time(timeout);
        out.key("wait", format_args!("{{ replicas: {replicas}, timeout: {timeout} }}"));
    }
    if let Some(MinReplicas { to_write, max_lag }) = load.min_replicas {
        out.key("min-replicas-to-write", to_write);
        if let Some(lag) = max_lag {
            out.key("min-replicas-max-lag", Time(Duration::from_secs(lag.into())));
        }
    }
}
