//! Loads that can be run, with their defaults filled in.

use std::time::Duration;

use super::{acknowledged, check_name, check_range, links, ranged, shares};
use crate::model::Workload;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::scenario::LoadMap;
use crate::spec::nearest;
use crate::spec::quantity::{Bytes, PerSecond, Percent, Sizes, Time};
use crate::spec::scenario::{Atomicity, ClientKind, Distribution, Keyspace, Load};
use crate::spec::topology::{Group, Mode, Topology};

pub const MAX_RATE: f64 = 1_000_000.0;
/// A written value starts with a number that is unique in its load, and a mark
/// where it ends.
pub const MIN_VALUE: Bytes = Bytes(24);
/// What the servers accept at most.
const MAX_VALUE: Bytes = Bytes(512 << 20);
const MAX_CLIENTS: u32 = 100_000;
const MAX_INSTANCES: u32 = 1_000;
const MAX_CONNECTIONS: u32 = 100;
const MAX_KEYS: u64 = 100_000_000;
const MAX_IN_FLIGHT: u32 = 1_000_000;
const MAX_EXPONENT: f64 = 10.0;
const MAX_TIMEOUT: Duration = Duration::from_secs(600);

/// Loads are numbered in the history, in one byte.
const MAX_LOADS: usize = 64;

/// The checked loads; those without a group are left out, their fault told.
pub fn check(
    loads: &[(At<String>, LoadMap)],
    topology: Option<&Topology>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Load> {
    if let Some((name, _)) = loads.get(MAX_LOADS) {
        let message = format!("there are {} loads, {MAX_LOADS} is the most", loads.len());
        diagnostics.push(Diagnostic::new(&name.span, message));
    }
    let one = |(name, map): &(_, _)| load(name, map, topology, diagnostics);
    let mut checked: Vec<Load> = loads.iter().filter_map(one).collect();
    shares::check(loads, &mut checked, diagnostics);
    checked
}

fn load(
    name: &At<String>,
    map: &LoadMap,
    topology: Option<&Topology>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Load> {
    check_name("a load", name, diagnostics);
    if name.value == "redrill" {
        let diagnostic = Diagnostic::new(&name.span, "a load cannot be called `redrill`");
        diagnostics
            .push(diagnostic.advise("redrill's own keys begin with that; choose another name"));
    }
    let rate = rate(map, diagnostics);
    let clients = ranged(
        "clients",
        &map.clients,
        32,
        (1, MAX_CLIENTS),
        "each is a logical client, not a connection; 32 is usual",
        diagnostics,
    );
    let why = "every key is written before the load, and read after it";
    let workload = map.workload.or(Workload::Register);
    let most = if workload.has_registers() { 10_000 } else { 100 };
    let keys = ranged("keys", &map.keys, most, (1, MAX_KEYS), why, diagnostics);
    let reads = reads(map, workload, diagnostics);
    let least = Time(Duration::from_millis(1));
    let why = "how long a client waits for an answer";
    let Time(timeout) = ranged(
        "timeout",
        &map.timeout,
        Time(Duration::from_secs(1)),
        (least, Time(MAX_TIMEOUT)),
        why,
        diagnostics,
    );
    let instances = (1, MAX_INSTANCES);
    let why = "each has a slot map and connections of its own";
    let instances = ranged("instances", &map.instances, 1, instances, why, diagnostics);
    let connections = (1, MAX_CONNECTIONS);
    let why = "each instance has so many to each node; one carries the requests of many clients";
    let connections = ranged("connections", &map.connections, 1, connections, why, diagnostics);
    let why = "operations past it are shed; 10000 is usual";
    let max_in_flight =
        ranged("max_in_flight", &map.max_in_flight, 10_000, (1, MAX_IN_FLIGHT), why, diagnostics);
    let value = value(map, workload, diagnostics);
    let distribution = distribution(map, diagnostics);
    let region = region(map, topology?, diagnostics);
    let group = group(&map.group, &name.span, topology?, diagnostics)?;
    let client = client(map, workload, group, diagnostics);
    let wait = acknowledged::wait(map, &client, timeout, group, diagnostics);
    let min_replicas = acknowledged::min_replicas(map, group, diagnostics);
    Some(Load {
        name: name.value.clone(),
        group: group.name.clone(),
        region,
        workload,
        keyspace: Keyspace::own(&name.value),
        transfer: transfer(map, workload, diagnostics),
        instances: instances as u16,
        connections,
        wait,
        min_replicas,
        client,
        rate,
        clients,
        keys,
        distribution,
        reads,
        value,
        timeout,
        max_in_flight,
    })
}

/// Where the clients are.
fn region(map: &LoadMap, topology: &Topology, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let Some(at) = map.region.given() else { return topology.regions.first().cloned() };
    let region = links::region(at, &topology.regions, diagnostics)?;
    if region > 0 && map.client.or(ClientKind::Redrill) == ClientKind::RedisRs {
        let message = "clients of `redis-rs` are in the first region: they cannot be told which \
                       address to connect from, by which the relay knows a client's region";
        let diagnostic = Diagnostic::new(&at.span, message);
        diagnostics.push(
            diagnostic.advise("use `client: redrill`, or name this region first in `regions`"),
        );
    }
    Some(at.value.clone())
}

fn rate(map: &LoadMap, diagnostics: &mut Vec<Diagnostic>) -> f64 {
    let Some(At { value: PerSecond(rate), span }) = map.rate.given() else {
        if map.rate.is_missing() {
            let diagnostic = Diagnostic::new(&map.span, "a load needs the key `rate`");
            diagnostics
                .push(diagnostic.advise("write how many operations a second, like `rate: 4000/s`"));
        }
        return 1.0;
    };
    if *rate <= 0.0 {
        let diagnostic = Diagnostic::new(span, "a load of no operations a second is no load");
        diagnostics.push(diagnostic.advise("write a rate above 0, or leave the load out"));
    } else {
        let range = (PerSecond(0.001), PerSecond(MAX_RATE));
        let why = "one machine does no more";
        check_range("rate", &PerSecond(*rate), span, range, why, diagnostics);
    }
    *rate
}

/// What makes a transfer whole.
fn transfer(map: &LoadMap, workload: Workload, diagnostics: &mut Vec<Diagnostic>) -> Atomicity {
    if let (Some(at), false) = (map.by.given(), workload == Workload::Transfer) {
        let message = format!("`by` says how amounts move, and `{}` moves none", workload.word());
        diagnostics.push(Diagnostic::new(&at.span, message).advise("leave `by` out"));
    }
    map.by.or(Atomicity::Multi)
}

/// From 0.0 to 1.0.
fn reads(map: &LoadMap, workload: Workload, diagnostics: &mut Vec<Diagnostic>) -> f64 {
    let usual = match workload {
        Workload::Set => 0.0,
        // Each element is taken and dealt with: two operations for the one that put it in.
        Workload::Stream => 67.0,
        _ => 50.0,
    };
    let (why, zero) = ("the others are writes", Percent(0.0));
    let Percent(reads) =
        ranged("reads", &map.reads, Percent(usual), (zero, Percent(100.0)), why, diagnostics);
    if let (Workload::Set, Some(at)) = (workload, map.reads.given()) {
        let diagnostic = Diagnostic::new(&at.span, "the sets of a load are read once, at the end");
        diagnostics.push(diagnostic.advise("leave `reads` out"));
    }
    reads / 100.0
}

fn value(map: &LoadMap, workload: Workload, diagnostics: &mut Vec<Diagnostic>) -> (usize, usize) {
    let Sizes(least, most) = map.value.or(Sizes(Bytes(100), Bytes(100)));
    if let Some(At { span, .. }) = map.value.given() {
        if !workload.has_sizes() {
            let message = format!("what a `{}` holds has no size", workload.word());
            let diagnostic = Diagnostic::new(span, message);
            diagnostics.push(diagnostic.advise("leave `value` out"));
        }
        let range = (MIN_VALUE, MAX_VALUE);
        let why = "a value has room for a number that is unique in its load; the servers take 512 MB at most";
        check_range("the size of values", &least, span, range, why, diagnostics);
        if least != most {
            check_range("the size of values", &most, span, range, why, diagnostics);
        }
    }
    (least.0 as usize, most.0 as usize)
}

fn distribution(map: &LoadMap, diagnostics: &mut Vec<Diagnostic>) -> Distribution {
    let distribution = map.distribution.or(Distribution::Uniform);
    if let (Distribution::Zipf(exponent), Some(at)) = (distribution, map.distribution.given())
        && !(exponent > 0.0 && exponent <= MAX_EXPONENT)
    {
        let message = format!("an exponent of {exponent} is not from 0.01 to {MAX_EXPONENT}");
        let advice = "0.99 is usual; `uniform` is what an exponent of 0 would be";
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
    }
    distribution
}

fn client(
    map: &LoadMap,
    workload: Workload,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> ClientKind {
    let client = map.client.or(ClientKind::Redrill);
    let word = workload.word();
    let wrong = match &client {
        ClientKind::RedisRs if !workload.may_be_repeated() => Some((
            format!("`redis-rs` cannot do the workload `{word}`"),
            "that client sends again what may have been done already, and nobody could tell what \
             came of it: use `client: redrill`",
        )),
        ClientKind::RedisRs if !matches!(group.mode, Mode::Cluster { .. }) => Some((
            format!("`redis-rs` is a cluster client, and `{}` is no cluster", group.name),
            "use `client: redrill`",
        )),
        ClientKind::Adapter { .. } if workload.orders().is_none() => Some((
            format!("adapters have no orders for the workload `{word}`"),
            "use `client: redrill`, or another workload; docs/adapters.md has those that there are",
        )),
        ClientKind::Redrill | ClientKind::RedisRs | ClientKind::Adapter { .. } => None,
    };
    if let (Some((message, advice)), Some(at)) = (wrong, map.client.given()) {
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
    }
    let several = map.connections.given().filter(|at| at.value > 1);
    if let Some(at) = several.filter(|_| client.is_of_a_library()) {
        let message =
            "`connections` does not apply to a library's client: the library opens its own";
        let advice = "leave `connections` out, or use `client: redrill`";
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
    }
    client
}

/// The group that is named, or the only one; `span` is to blame for naming none.
pub fn group<'t>(
    name: &Field<String>,
    span: &crate::spec::source::Span,
    topology: &'t Topology,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<&'t Group> {
    let known: Vec<&str> = topology.groups.iter().map(|group| &*group.name).collect();
    match (name, &topology.groups[..]) {
        (Field::Bad, _) => None,
        (Field::Missing, [only]) => Some(only),
        (Field::Missing, _) => {
            let message =
                format!("`group` is needed: `{}` has {} groups", topology.name, known.len());
            let advice = format!("add `group:` with one of: {}", known.join(", "));
            diagnostics.push(Diagnostic::new(span, message).advise(advice));
            None
        }
        (Field::Given(at), groups) => {
            let found = groups.iter().find(|group| group.name == at.value);
            if found.is_none() {
                let message =
                    format!("the topology `{}` has no group `{}`", topology.name, at.value);
                let advice = nearest::advice("groups", &at.value, &known);
                diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
            }
            found
        }
    }
}
