//! Writes checked topologies and scenarios as YAML, with every default.
//!
//! A run folder holds what was really played: after the profile, `--set` and defaults. redrill
//! reads this YAML as the same topology or scenario.

use std::fmt::Display;

use super::cache::{Cache, Layer, Place};
use super::expiry::Expiry;
use super::lock::{Lock, LockBy, LockKind};
use super::quantity::{Asked, Bandwidth, Bytes, PerSecond, Percent, Rates, Sizes, Time, Times};
use super::scenario::{ClientKind, Distribution, Load, MinReplicas, Scenario, Transfers, Wait};
use super::sync::{DataSync, Strategy};
use super::topology::{Engine, Group, Mode, Placement, Topology};
use super::yaml::quoted;
use crate::model::{Pacing, Rate, Workload};

/// Lines of YAML at growing depth.
#[derive(Default)]
pub(super) struct Lines {
    pub text: String,
    depth: usize,
}

impl Lines {
    pub fn line(&mut self, line: impl Display) {
        self.text += &format!("{:1$}{line}\n", "", 2 * self.depth);
    }

    pub fn key(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key}: {value}"));
    }

    /// The key, if there is a value.
    pub fn key_if(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.key(key, value);
        }
    }

    /// The key with what `write` writes; nothing, if that is nothing.
    pub fn inside(&mut self, key: &str, write: impl FnOnce(&mut Lines)) {
        let before = self.text.len();
        self.line(format_args!("{key}:"));
        let begun = self.text.len();
        self.depth += 1;
        write(self);
        self.depth -= 1;
        if self.text.len() == begun {
            self.text.truncate(before);
        }
    }
}

/// `[a, b]`; `None` if there are none.
fn list(items: &[String]) -> Option<String> {
    (!items.is_empty()).then(|| format!("[{}]", items.join(", ")))
}

/// The words of a command.
fn words(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// The topology as a file.
pub fn topology(topology: &Topology) -> String {
    let mut out = Lines::default();
    out.key("name", &topology.name);
    out.key("summary", quoted(&topology.summary));
    out.inside("engine", |out| engine(out, &topology.engine));
    out.key("auth", topology.auth);
    out.key_if("regions", list(&topology.regions));
    out.inside("links", |out| links(out, topology));
    out.inside("groups", |out| {
        for each in &topology.groups {
            out.inside(&each.name, |out| group(out, each, &topology.regions));
        }
    });
    out.inside("sync", |out| sync(out, topology));
    out.text
}

fn sync(out: &mut Lines, topology: &Topology) {
    let names = |all: &[usize]| {
        list(&all.iter().map(|index| topology.groups[*index].name.clone()).collect::<Vec<_>>())
    };
    match &topology.sync {
        Some(DataSync::Replica { from, to } | DataSync::Standby { from, to }) => {
            out.key("strategy", Strategy::Replica);
            out.key("from", &topology.groups[*from].name);
            out.key_if("to", names(to));
        }
        Some(DataSync::ActiveActive { rule, between }) => {
            out.key("strategy", Strategy::ActiveActive);
            out.key("rule", rule);
            out.key_if("between", names(between));
        }
        Some(DataSync::External { command, between }) => {
            out.key("strategy", Strategy::External);
            out.key_if("between", names(between));
            out.key_if("command", command.as_deref().map(words));
        }
        None => {}
    }
}

fn engine(out: &mut Lines, engine: &Engine) {
    out.key_if("kind", engine.kind);
    out.key_if("binary", engine.binary.as_ref().map(|path| quoted(&path.to_string_lossy())));
    out.key_if("image", engine.image.as_ref().map(|image| quoted(image)));
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
            let [primaries, replicas, sentinels] = [primaries, replicas, sentinels].map(|places| {
                let places: Vec<&str> = places.iter().map(|place| &*regions[*place]).collect();
                match &places[..] {
                    [one] => (*one).to_owned(),
                    several => format!("[{}]", several.join(", ")),
                }
            });
            let sentinels = match group.mode {
                Mode::Sentinel { .. } => format!(", sentinels: {sentinels}"),
                _ => String::new(),
            };
            let all = format!("{{ primaries: {primaries}, replicas: {replicas}{sentinels} }}");
            out.key("placement", all);
        }
    }
    out.key_if("port", group.port);
    out.key_if("cpus", group.limits.cpus);
    out.key_if("memory", group.limits.memory.map(Bytes));
    out.inside("config", |out| {
        group.config.iter().for_each(|(name, value)| out.key(name, quoted(value)));
    });
}

/// The scenario as a file, which names its topology `topology`.
pub fn scenario(scenario: &Scenario, topology: &str) -> String {
    let mut out = Lines::default();
    out.key("name", &scenario.name);
    out.key("summary", quoted(&scenario.summary));
    out.key("topology", quoted(topology));
    out.inside("loads", |out| {
        for each in &scenario.loads {
            out.inside(&each.name, |out| load(out, each));
        }
    });
    out.inside("probe", |out| {
        out.key("every", Time(scenario.probe.every));
        out.key("deadline", Time(scenario.probe.deadline));
        out.key("canaries", scenario.probe.canaries);
        out.key("budget", PerSecond(scenario.probe.budget));
    });
    out.inside("timeline", |out| {
        scenario.timeline.iter().for_each(|step| out.line(format_args!("- {}", step.written())));
    });
    out.key("settle", Time(scenario.settle));
    out.key_if("reported", list(&scenario.reported));
    if let Some(over) = &scenario.over {
        let values: Vec<String> = over.values.iter().map(|value| quoted(value)).collect();
        out.key("over", format_args!("{{ {}: [{}] }}", quoted(&over.key), values.join(", ")));
    }
    out.inside("expect", |out| {
        scenario.expect.iter().for_each(|each| out.line(format_args!("- {}", quoted(&each.text))));
    });
    out.text
}

fn load(out: &mut Lines, load: &Load) {
    out.key("workload", load.workload.word());
    out.key_if("by", load.by);
    if load.workload == Workload::Transfer {
        let Transfers { accounts, failing, tagged } = load.transfers;
        out.inside("transfer", |out| {
            out.key("accounts", accounts);
            out.key("failing", Percent::of(failing));
            out.key("tagged", tagged);
        });
    }
    let mut groups = &load.groups[..];
    if let Some(of_load) = &load.lock {
        groups = &groups[..of_load.groups];
        lock(out, of_load, &load.groups);
    }
    if let Some(of_load) = &load.cache {
        cache(out, of_load, load);
    }
    if let Some(of_load) = &load.expiry {
        expiry(out, of_load);
    }
    let of_layer = |cache: &Cache| cache.layers.iter().any(|layer| layer.place == Place::Group);
    match groups {
        _ if load.cache.as_ref().is_some_and(of_layer) => {}
        [group] => out.key("group", group),
        groups => out.key("groups", format_args!("[{}]", groups.join(", "))),
    }
    out.key_if("fallback", load.fallback.as_ref());
    out.key_if("near", load.near.then_some("tracking"));
    out.key_if("region", load.region.as_ref());
    match &load.client {
        ClientKind::Redrill => out.key("client", "redrill"),
        ClientKind::RedisRs => out.key("client", "redis-rs"),
        ClientKind::Adapter { command } => {
            out.key("client", format_args!("{{ command: {} }}", words(command)));
        }
    }
    match load.pacing {
        Pacing::Open(Rate { first, ramp }) => {
            let last = ramp.map_or(first, |ramp| ramp.to);
            out.key("rate", Asked::Rates(Rates(PerSecond(first), PerSecond(last))));
        }
        Pacing::Closed { think } => {
            out.key("rate", Asked::Max);
            out.key("think", Time(think));
        }
    }
    out.key("clients", load.clients);
    out.key("instances", load.instances);
    out.key("connections", load.connections);
    if !load.client.is_of_a_library() {
        out.key("connect_timeout", Time(load.connect_timeout));
        out.key("retries", load.retries);
    }
    match load.keyspace.of {
        Some(_) => out.key("shares", &load.keyspace.name),
        // A trace has as many as it has.
        None if matches!(load.distribution, Distribution::Trace(_)) => {}
        None => out.key("keys", load.keys),
    }
    match &load.distribution {
        Distribution::Uniform => out.key("distribution", "uniform"),
        Distribution::Zipf(exponent) => out.key("distribution", format_args!("zipf({exponent})")),
        Distribution::Trace(trace) => {
            out.key("distribution", quoted(&format!("trace({})", trace.file.display())));
        }
    }
    // A set has no reads, and numbers no size: they may not be written.
    let reads = load.lock.as_ref().is_none_or(|lock| lock.kind == LockKind::ReadWrite);
    if load.workload.usual_reads().is_some() && reads {
        out.key("reads", Percent::of(load.reads));
    }
    if load.workload.has_sizes() {
        out.key("value", Sizes(Bytes(load.value.0 as u64), Bytes(load.value.1 as u64)));
    }
    out.key("timeout", Time(load.timeout));
    let max_in_flight = load.pacing.rate().map(|_| load.max_in_flight);
    out.key_if("max_in_flight", max_in_flight);
    if let Some(Wait { replicas, timeout }) = load.wait {
        let timeout = Time(timeout);
        out.key("wait", format_args!("{{ replicas: {replicas}, timeout: {timeout} }}"));
    }
    if let Some(MinReplicas { to_write, max_lag }) = load.min_replicas {
        out.key("min-replicas-to-write", to_write);
        out.key_if("min-replicas-max-lag", max_lag.map(|lag| Time::secs(lag.into())));
    }
}

fn expiry(out: &mut Lines, expiry: &Expiry) {
    let (least, most) = expiry.lives;
    out.inside("expiry", |out| {
        out.key("lives", Times(Time(least), Time(most)));
        out.key("together", Time(expiry.together));
        out.key("looked", Percent::of(expiry.looked));
        // Where clients know no replicas it may not be written.
        out.key_if("replicas", (expiry.replicas > 0.0).then(|| Percent::of(expiry.replicas)));
        out.key("every", Time(expiry.every));
    });
}

fn cache(out: &mut Lines, cache: &Cache, load: &Load) {
    let layer = |out: &mut Lines, layer: &Layer| {
        match &layer.place {
            Place::Process { capacity, policy } => {
                out.key("in", "process");
                out.key("capacity", Bytes(*capacity));
                out.key("policy", policy);
            }
            Place::Host { count, capacity, policy } => {
                out.key("in", "host");
                out.key("count", count);
                out.key("capacity", Bytes(*capacity));
                out.key("policy", policy);
            }
            Place::NearGroup => out.key("group", &load.groups[1]),
            Place::Group => out.key("group", &load.groups[0]),
        }
        out.key("ttl", Time(layer.ttl));
        out.key("jitter", Percent::of(layer.jitter));
    };
    if !cache.layers.is_empty() {
        out.inside("layers", |out| {
            cache.layers.iter().for_each(|one| out.inside(&one.name, |out| layer(out, one)));
        });
    }
    // Another service has the same one.
    if load.keyspace.of.is_none() {
        out.inside("origin", |out| {
            let (least, most) = cache.origin.latency;
            out.key("latency", Times(Time(least), Time(most)));
            out.key_if("capacity", cache.origin.capacity.map(PerSecond));
            out.key("queue", cache.origin.queue);
        });
    }
    out.key("write", cache.write);
    out.key("warm", cache.warm);
    // With `ttl` the layers' own times are the bound, and a sweep may set that.
    out.key_if("bound", (cache.bound != Cache::BOUND).then_some(Time(cache.bound)));
    out.key("absent", Percent::of(cache.absent));
    // A library has its own way, and these say nothing to it.
    if load.client.is_an_adapter() {
        return;
    }
    out.key("stampede", cache.stampede);
    out.key("invalidate", cache.invalidate);
    if let Some(without) = cache.without {
        out.key("guard", "breaker");
        out.key("without", without);
    }
    out.key("naming", cache.naming);
    out.key("verify", cache.verify);
    out.key_if("pool", cache.pool);
    let has_group = cache.layers.iter().any(|layer| layer.place == Place::Group);
    out.key_if("format", has_group.then_some(cache.format));
}

fn lock(out: &mut Lines, lock: &Lock, groups: &[String]) {
    out.inside("lock", |out| {
        out.key("kind", lock.kind.word());
        out.key("ttl", Time(lock.ttl));
        out.key("hold", Time(lock.hold));
        out.key("patience", Time(lock.patience));
        out.key("retry", Time(lock.retry));
        out.key_if("extend", lock.extend.map(Time));
        if lock.abandon > 0.0 {
            out.key("abandon", Percent::of(lock.abandon));
        }
        if lock.take > 1 {
            out.key("take", lock.take);
            out.key("deadlock", lock.deadlock.word());
        }
        if lock.kind == LockKind::Redlock {
            out.key("quorum", lock.quorum);
        }
        if lock.kind == LockKind::Semaphore {
            out.key("holders", lock.holders);
        }
        if lock.by == LockBy::Command {
            out.key("by", lock.by.word());
        }
        out.key_if(
            "accounts",
            groups.get(usize::from(lock.accounts())).filter(|_| lock.accounts_apart),
        );
    });
}
