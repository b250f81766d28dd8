//! The first event: what is about to be played, as text and numbers.

use crate::cluster;
use crate::model::event::{
    CacheInfo, DrillInfo, EngineInfo, LinkInfo, LoadInfo, LocksInfo, RegionInfo, StepInfo,
};
use crate::model::measure::thousands;
use crate::model::{Nanos, NodeName, Pacing, Rate, Workload};
use crate::spec::Scenario;
use crate::spec::cache::{Cache, Format, Naming, Place};
use crate::spec::lock::LockKind;
use crate::spec::quantity::{Bytes, Time};
use crate::spec::scenario::{By, ClientKind, Distribution, Load, Wait, planned};
use crate::spec::step::Step;
use crate::spec::sync::DataSync;
use crate::spec::topology::{Group, Link};

/// Facts that the scenario does not contain.
pub struct Circumstances<'a> {
    pub id: &'a str,
    pub started: &'a str,
    pub backend: &'a str,
    pub engine: &'a EngineInfo,
    pub seed: u64,
}

pub fn drill_info(scenario: &Scenario, around: &Circumstances<'_>) -> DrillInfo {
    let millis = |d: std::time::Duration| d.as_secs_f64() * 1e3;
    DrillInfo {
        id: around.id.to_owned(),
        redrill: env!("CARGO_PKG_VERSION").to_owned(),
        started: around.started.to_owned(),
        scenario: scenario.name.clone(),
        summary: scenario.summary.clone(),
        topology: scenario.topology.name.clone(),
        backend: around.backend.to_owned(),
        engine: around.engine.clone(),
        seed: around.seed,
        steps: scenario.timeline.iter().map(step_info).collect(),
        loads: scenario
            .loads
            .iter()
            .map(|load| LoadInfo {
                region: scenario.region_of(load),
                same_data: scenario.writers(load),
                ..load_info(load, |group| {
                    let more = load.fallback.iter().flat_map(|group| nodes(scenario, group));
                    nodes(scenario, group).into_iter().chain(more).collect()
                })
            })
            .collect(),
        expect: scenario.expect.clone(),
        reported: scenario.reported.clone(),
        probe_every_ms: millis(scenario.probe.every),
        probe_deadline_ms: millis(scenario.probe.deadline),
        probe_budget: scenario.probe.budget,
        regions: regions(scenario),
        links: scenario.topology.links.iter().map(|link| link_info(scenario, link)).collect(),
        external_sync: matches!(scenario.topology.sync, Some(DataSync::External { .. })),
        planned_ms: millis(planned(&scenario.timeline, scenario.settle)),
    }
}

/// All nodes of a group, in the order in which they start: those that join later come last. Then
/// the nodes of other groups that have the same data.
fn nodes(scenario: &Scenario, group: &str) -> Vec<NodeName> {
    let followers = scenario.topology.followers(group).into_iter();
    followers.flat_map(|spec| nodes_of(scenario, spec)).collect()
}

fn nodes_of(scenario: &Scenario, spec: &Group) -> Vec<NodeName> {
    let joiners = scenario.joiners().into_iter().filter(|name| name.group == spec.name);
    cluster::node_names(spec).into_iter().chain(joiners).collect()
}

/// With those of all groups that keep data or watch those that do.
fn regions(scenario: &Scenario) -> Vec<RegionInfo> {
    let topology = &scenario.topology;
    let here = |region: usize| {
        let of_group = move |spec: &Group| -> Vec<NodeName> {
            let all = nodes_of(scenario, spec).into_iter().chain(cluster::sentinel_names(spec));
            all.filter(|name| spec.region_of(name) == Some(region)).collect()
        };
        topology.groups.iter().flat_map(of_group).collect()
    };
    let region = |(at, name): (usize, &String)| RegionInfo { name: name.clone(), nodes: here(at) };
    topology.regions.iter().enumerate().map(region).collect()
}

fn link_info(scenario: &Scenario, link: &Link) -> LinkInfo {
    let [from, to] = [link.from, link.to].map(|region| scenario.topology.regions[region].clone());
    LinkInfo { from, to, latency_ns: link.latency.as_nanos() as u64 }
}

fn step_info(step: &Step) -> StepInfo {
    StepInfo {
        kind: step.action.kind(),
        group: step.group.clone(),
        on_actors: step.is_on_actors(),
        text: step.describe(),
        planned_at: Nanos::ZERO + step.at,
    }
}

fn load_info(load: &Load, nodes: impl Fn(&str) -> Vec<NodeName>) -> LoadInfo {
    let keys = match &load.distribution {
        Distribution::Uniform => "uniform".to_owned(),
        Distribution::Zipf(exponent) => format!("zipf({exponent})"),
        Distribution::Trace(trace) => {
            let name = trace.file.file_name().unwrap_or(trace.file.as_os_str());
            format!("keys as in {}", name.display())
        }
    };
    let (least, most) = load.value;
    let size = match least == most {
        true => Bytes(least as u64).to_string(),
        false => format!("{} to {}", Bytes(least as u64), Bytes(most as u64)),
    };
    let rate = load.pacing.rate();
    let pace = match load.pacing {
        Pacing::Open(Rate { first, ramp: None }) => format!("{}/s", thousands(first)),
        Pacing::Open(Rate { first, ramp: Some(ramp) }) => {
            format!("{}/s to {}/s", thousands(first), thousands(ramp.to))
        }
        Pacing::Closed { think } => {
            let think = (!think.is_zero()).then(|| format!(" that think for {}", Time(think)));
            format!("closed by {} clients{}", load.clients, think.unwrap_or_default())
        }
    };
    let think = match load.pacing {
        Pacing::Open(_) => None,
        Pacing::Closed { think } => Some(think.as_secs_f64() * 1e3),
    };
    let client = match &load.client {
        ClientKind::Redrill => String::new(),
        ClientKind::RedisRs => " by redis-rs".to_owned(),
        ClientKind::Adapter { command } => format!(" by `{}`", command.join(" ")),
    };
    let share = load.reads * 100.0;
    let what = match load.workload {
        Workload::Register | Workload::Cas | Workload::DualWrite => {
            format!(", {share:.0} % reads, {size}")
        }
        Workload::Set => format!(", {size}"),
        Workload::Queue => format!(", {share:.0} % taken out, {size}"),
        Workload::Lock => {
            let lock = load.lock.as_ref();
            lock.map_or_else(String::new, |lock| {
                let several = (lock.take > 1).then(|| {
                    format!(", {} a session, deadlocks: {}", lock.take, lock.deadlock.word())
                });
                let several = several.unwrap_or_default();
                let holders = (lock.holders > 1).then(|| format!(" of {}", lock.holders));
                let holders = holders.unwrap_or_default();
                let readers =
                    (lock.kind == LockKind::ReadWrite).then(|| format!(", {share:.0} % readers"));
                let readers = readers.unwrap_or_default();
                let word = lock.kind.word();
                format!(", {word}{holders}{readers}{several}, lease {}", Time(lock.ttl))
            })
        }
        Workload::Cache => load.cache.as_ref().map_or_else(String::new, |cache| {
            let layers: Vec<&str> = cache.layers.iter().map(|layer| &*layer.name).collect();
            let layers = if layers.is_empty() { "no layers".to_owned() } else { layers.join(", ") };
            let (stampede, invalidate) = (cache.stampede, cache.invalidate);
            let without = cache.without.map(|without| format!(", circuit breaker: {without}"));
            let without = without.unwrap_or_default();
            format!(
                ", {share:.0} % reads, {size}, through {layers}, stampedes: {stampede}, \
                 invalidation: {invalidate}{without}"
            )
        }),
        Workload::Expiry => load.expiry.map_or_else(String::new, |expiry| {
            let (least, most) = expiry.lives;
            let lives = if least == most {
                Time(least).to_string()
            } else {
                format!("{} to {}", Time(least), Time(most))
            };
            let at_once = (!expiry.together.is_zero())
                .then(|| format!(", those of {} at once", Time(expiry.together)));
            let at_once = at_once.unwrap_or_default();
            format!(", {size}, for {lives}{at_once}")
        }),
        Workload::Counter | Workload::Transfer => {
            let by = load.by.filter(|by| *by != By::Incr).map(|by| format!(" by {by}"));
            format!("{}, {share:.0} % reads", by.unwrap_or_default())
        }
        Workload::Stream => format!(", {share:.0} % taken out and dealt with, {size}"),
    };
    let shares = load.keyspace.of.map(|_| format!(", keys of {}", load.keyspace.name));
    let instances = (load.instances > 1).then(|| format!(", {} instances", load.instances));
    let wait = load.wait.map(|Wait { replicas, .. }| format!(", WAIT {replicas}"));
    let refusing = load.min_replicas.map(|min| format!(", min-replicas-to-write {}", min.to_write));
    let fallback = load.fallback.as_ref().map(|group| format!(", {group} if it is lost"));
    let near = load.near.then(|| ", near cache by tracking".to_owned());
    let groups = (load.groups.len() > 1).then(|| format!(", on {}", load.groups.join(" and ")));
    let worth: String =
        [groups, fallback, near, shares, instances, wait, refusing].into_iter().flatten().collect();
    LoadInfo {
        name: load.name.clone(),
        group: load.groups[0].clone(),
        region: None,
        rate: rate.map(|rate| rate.first),
        ramp: rate.and_then(|rate| rate.ramp),
        think_ms: think,
        clients: load.clients,
        keys: load.keys,
        timeout_ms: load.timeout.as_secs_f64() * 1e3,
        sees_redirects: !load.client.is_of_a_library(),
        workload: load.workload,
        nodes: nodes(&load.groups[0]),
        fallback: load.fallback.clone(),
        near: load.near,
        more_groups: load.groups[1..].iter().map(|group| (group.clone(), nodes(group))).collect(),
        same_data: Vec::new(),
        waits_for: load.wait.map_or(0, |wait| wait.replicas),
        locks: load.lock.as_ref().map(|lock| LocksInfo {
            holders: lock.holders,
            take: lock.take as u32,
            ttl_ms: lock.ttl.as_secs_f64() * 1e3,
            by_library: lock.kind == LockKind::Library,
            fences: lock.fences(),
            abandons: lock.abandon > 0.0,
            servers: lock.asked() as u32,
            quorum: lock.rules(load.keys).quorum as u32,
        }),
        cache: load.cache.as_ref().map(|cache| CacheInfo {
            old_for_ms: cache.promised(load.timeout).as_secs_f64() * 1e3,
            deletes: cache.deletes(),
            entities: Some(load.keys),
            guarded: cache.without.is_some(),
            by_library: load.client.is_of_a_library(),
            copies: copies(load, cache),
        }),
        text: format!("{}{client}, {pace}, {keys}{what}{worth}", load.workload.word()),
    }
}

/// The sizes of the copies that redrill's own client leaves in the group by plain names.
fn copies(load: &Load, cache: &Cache) -> Option<(u64, u64)> {
    let in_group = cache.layers.last().is_some_and(|layer| layer.place == Place::Group);
    let plain = in_group && cache.naming == Naming::Plain && !load.client.is_an_adapter();
    let sizes = (load.value.0 as u64, load.value.1 as u64);
    // In other formats copies are smaller, and what is not there has hardly any size.
    let is_known = cache.absent == 0.0 && (cache.format == Format::JSON || sizes.0 == sizes.1);
    (plain && is_known).then_some(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_not_redrills_own_is_named() {
        let mut load = Load { keys: 100, ..Load::new("app", "cache", 4_000.0) };
        let own = load_info(&load, |_| vec![]);
        assert!(own.sees_redirects && own.text.starts_with("register, 4,000/s, "), "{}", own.text);
        load.client = ClientKind::RedisRs;
        let stock = load_info(&load, |_| vec![]);
        assert!(!stock.sees_redirects, "redis-rs follows redirects in silence");
        assert!(stock.text.starts_with("register by redis-rs, 4,000/s, "), "{}", stock.text);
    }
}
