//! Loads that can be run, with their defaults filled in.

use std::path::Path;

use super::groups::{group, named};
use super::{acknowledged, cache, check_name, expiry, links, lock, outbox, pacing};
use crate::model::Workload;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::file::scenario::{Chosen, LoadMap};
use crate::spec::nearest;
use crate::spec::quantity::{Bytes, Percent, Sizes, Time};
use crate::spec::scenario::{By, ClientKind, Distribution, Keyspace, Load, Transfers};
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};
use crate::spec::trace::Trace;

/// A written value starts with a number that is unique in its load, and a mark
/// where it ends.
pub const MIN_VALUE: Bytes = Bytes(24);
/// What the servers accept at most.
const MAX_VALUE: Bytes = Bytes(512 << 20);
const MAX_EXPONENT: f64 = 10.0;

/// Loads are numbered in the history, in one byte.
const MAX_LOADS: usize = 64;

/// The checked loads. A load without a group is an error, and is left out.
pub fn check(
    loads: &[(At<String>, LoadMap)],
    topology: Option<&Topology>,
    errors: &mut Diagnostics,
) -> Vec<Load> {
    if let Some((name, _)) = loads.get(MAX_LOADS) {
        let message = format!("there are {} loads, {MAX_LOADS} is the most", loads.len());
        errors.push(Diagnostic::new(&name.span, message));
    }
    let one = |(name, map): &(_, _)| load(name, map, topology, errors);
    let mut checked: Vec<Load> = loads.iter().filter_map(one).collect();
    share_keys(loads, topology, &mut checked, errors);
    lock::check_keys(loads, &checked, errors);
    checked
}

fn load(
    name: &At<String>,
    map: &LoadMap,
    topology: Option<&Topology>,
    errors: &mut Diagnostics,
) -> Option<Load> {
    check_name("a load", name, errors);
    if name.value == "redrill" {
        let message = "a load cannot be called `redrill`";
        errors.add(&name.span, message, "redrill's own keys begin with that; choose another name");
    }
    let pacing = pacing::check(map, errors);
    let workload = map.workload.or(Workload::Register);
    let value = value(map, workload, errors);
    let reads = reads(map, workload, errors);
    let distribution = distribution(map, workload, errors);
    let traced = match &distribution {
        Distribution::Trace(trace) => Some(trace.keys),
        Distribution::Uniform | Distribution::Zipf(_) => None,
    };
    let timeout = map.timeout.or(Time::secs(1)).0;
    let region = region(map, topology?, errors);
    let groups = match workload {
        Workload::Lock => lock::groups(map, &name.span, topology?, errors)?,
        Workload::Cache => cache::groups(map, &name.span, topology?, errors)?,
        _ => groups(map, workload, &name.span, topology?, errors)?,
    };
    let client = client(map, workload, &groups, errors);
    let transfers = transfers(map, workload, groups[0], errors);
    let lock = lock::check(map, workload, groups.len(), errors);
    let cache = cache::check(map, workload, (value.1, groups[0]), errors);
    let expiry = expiry::check(map, (workload, &client), groups[0], errors);
    let reads = lock.as_ref().map_or(reads, |of| lock::readers(map, of, errors));
    let waited = lock.as_ref().map_or(&groups[..], |lock| &groups[..lock.groups]);
    let wait = acknowledged::wait(map, &client, timeout, waited, errors);
    let wait = lock::wait(map, (lock.as_ref(), wait), (timeout, groups[0]), errors);
    let min_replicas = acknowledged::min_replicas(map, &groups, errors);
    let fallback = outbox::fallback(map, &client, &groups, topology?, errors);
    let near = near(map, (workload, &client), errors);
    let outbox = outbox::check((map, &name.span), (workload, &client), &groups, topology?, errors);
    let by = by(map, (workload, &client), outbox, errors);
    Some(Load {
        name: name.value.clone(),
        groups: groups.into_iter().map(|group| group.name.clone()).collect(),
        fallback,
        near,
        region,
        workload,
        keyspace: Keyspace::own(&name.value),
        by,
        transfers,
        lock,
        cache,
        expiry,
        instances: map.instances.or(1) as u16,
        connections: map.connections.or(1),
        connect_timeout: map.connect_timeout.or(Time(timeout)).0,
        retries: map.retries.or(0),
        wait,
        min_replicas,
        outbox,
        client,
        pacing,
        clients: map.clients.or(32),
        keys: traced.unwrap_or(map.keys.or(match workload {
            Workload::Cache | Workload::Expiry => 10_000,
            _ if workload.has_registers() => 10_000,
            _ => 100,
        })),
        distribution,
        reads,
        value,
        timeout,
        max_in_flight: pacing::max_in_flight(map, &pacing, errors),
    })
}

/// Whether instances have a memory of their own.
fn near(
    map: &LoadMap,
    (workload, client): (Workload, &ClientKind),
    errors: &mut Diagnostics,
) -> bool {
    let Some(at) = map.near.given() else { return false };
    if client.is_of_a_library() {
        let message = "a library's client has a near cache of its own, or none";
        errors.add(&at.span, message, "use `client: redrill`, or leave `near` out");
    }
    if workload != Workload::Register {
        let message = format!("the workload `{}` has no reads to keep", workload.word());
        errors.add(&at.span, message, "use `workload: register`, or leave `near` out");
    }
    true
}

/// Where the clients are.
fn region(map: &LoadMap, topology: &Topology, errors: &mut Diagnostics) -> Option<String> {
    let Some(at) = map.region.given() else { return topology.regions.first().cloned() };
    let region = links::region(at, &topology.regions, errors)?;
    if region > 0 && map.client.or(ClientKind::Redrill) == ClientKind::RedisRs {
        let message = "clients of `redis-rs` are in the first region: they cannot be told which \
                       address to connect from, by which the relay knows a client's region";
        let advice = "use `client: redrill`, or name this region first in `regions`";
        errors.add(&at.span, message, advice);
    }
    Some(at.value.clone())
}

/// How changes are made.
fn by(
    map: &LoadMap,
    (workload, client): (Workload, &ClientKind),
    outbox: bool,
    errors: &mut Diagnostics,
) -> Option<By> {
    let ways = By::of(workload);
    let Some(at) = map.by.given() else { return ways.first().copied() };
    let (word, by) = (workload.word(), at.value);
    let words: Vec<String> = ways.iter().map(|way| format!("`{way}`")).collect();
    let wrong = match ways.first() {
        None => Some((
            format!("`by` says how amounts move or counters count, and `{word}` does neither"),
            "leave `by` out".to_owned(),
        )),
        Some(_) if !ways.contains(&by) => Some((
            format!("the workload `{word}` knows no `{by}`"),
            format!("write one of {}", words.join(", ")),
        )),
        Some(usual) if *usual != by && client.is_of_a_library() => Some((
            format!("how a library counts is its own matter, and the order for that is `{usual}`"),
            "leave `by` out, or use `client: redrill`".to_owned(),
        )),
        Some(usual) if *usual != by && outbox => Some((
            format!("redrill's replicators carry what `{usual}` writes, and `{by}` goes past them"),
            "leave `by` out, or use another group".to_owned(),
        )),
        Some(_) => None,
    };
    if let Some((message, advice)) = wrong {
        errors.add(&at.span, message, &advice);
    }
    Some(by)
}

/// What transfers are.
fn transfers(
    map: &LoadMap,
    workload: Workload,
    group: &Group,
    errors: &mut Diagnostics,
) -> Transfers {
    let usual = Transfers::default();
    let Some(At { value: own, span }) = map.transfer.given() else { return usual };
    if workload != Workload::Transfer {
        let message = format!("the workload `{}` has no `transfer`", workload.word());
        errors.add(span, message, "write `workload: transfer`, or leave `transfer` out");
    }
    if let Some(at) = own.tagged.given().filter(|at| !at.value && group.is_cluster()) {
        let message = format!(
            "without a hash tag the accounts of a bank are in several slots, and the cluster `{}` \
             carries out no transaction over several slots",
            group.name
        );
        errors.add(&at.span, message, "leave `tagged` out, or use a group that is no cluster");
    }
    Transfers {
        accounts: own.accounts.or(u32::from(usual.accounts)) as u16,
        failing: own.failing.or(Percent(0.0)).0 / 100.0,
        tagged: own.tagged.or(usual.tagged),
    }
}

/// From 0.0 to 1.0.
fn reads(map: &LoadMap, workload: Workload, errors: &mut Diagnostics) -> f64 {
    let usual = workload.usual_reads();
    if let (None, Some(at)) = (usual, map.reads.given()) {
        let message = match workload {
            Workload::Expiry => "what reads of keys with an end there are follows from `expiry`",
            _ => "the sets of a load are read once, at the end",
        };
        errors.add(&at.span, message, "leave `reads` out");
    }
    map.reads.or(Percent(usual.unwrap_or(0.0))).0 / 100.0
}

fn value(map: &LoadMap, workload: Workload, errors: &mut Diagnostics) -> (usize, usize) {
    let Sizes(least, most) = map.value.or(Sizes(Bytes(100), Bytes(100)));
    if let Some(At { span, .. }) = map.value.given() {
        if !workload.has_sizes() {
            let message = format!("what a `{}` holds has no size", workload.word());
            errors.add(span, message, "leave `value` out");
        }
        let range = (MIN_VALUE, MAX_VALUE);
        let why = "a value has room for a number that is unique in its load; the servers take \
                   512 MB at most";
        for value in [least, most] {
            let end = Field::Given(At { value, span: span.clone() });
            end.check_range("the size of values", range, why, errors);
        }
    }
    (least.0 as usize, most.0 as usize)
}

fn distribution(map: &LoadMap, workload: Workload, errors: &mut Diagnostics) -> Distribution {
    let Some(at) = map.distribution.given() else { return Distribution::Uniform };
    match &at.value {
        Chosen::Uniform => Distribution::Uniform,
        Chosen::Zipf(exponent) => {
            if !(*exponent > 0.0 && *exponent <= MAX_EXPONENT) {
                let message =
                    format!("an exponent of {exponent} is not from 0.01 to {MAX_EXPONENT}");
                let advice = "0.99 is usual; `uniform` is what an exponent of 0 would be";
                errors.add(&at.span, message, advice);
            }
            Distribution::Zipf(*exponent)
        }
        Chosen::Trace(file) => match trace(map, (file, &at.span), workload, errors) {
            Some(trace) => Distribution::Trace(trace),
            None => Distribution::Uniform,
        },
    }
}

/// The accesses of a file, whose path begins where the scenario is. None if something is wrong.
fn trace(
    map: &LoadMap,
    (file, span): (&str, &Span),
    workload: Workload,
    errors: &mut Diagnostics,
) -> Option<Trace> {
    let takes_one = match workload {
        Workload::Register
        | Workload::Cas
        | Workload::Counter
        | Workload::Set
        | Workload::DualWrite
        | Workload::Cache => true,
        // Its keys take turns.
        Workload::Expiry
        | Workload::Queue
        | Workload::Stream
        | Workload::Transfer
        | Workload::Lock => false,
    };
    if !takes_one {
        let message = format!(
            "a trace says which keys are looked up, and `{}` looks up none",
            workload.word()
        );
        errors.add(span, message, "write `uniform` or `zipf(0.99)`, or another workload");
        return None;
    }
    if let Some(shares) = map.shares.given() {
        let message = format!("the keys are those of `{}`, and a trace has its own", shares.value);
        errors.add(span, message, "give that load the trace, or leave `shares` out");
        return None;
    }
    if let Some(keys) = map.keys.given() {
        let message = "there are as many keys as the trace has";
        errors.add(&keys.span, message, "leave `keys` out");
    }
    let folder = Path::new(span.source.name()).parent().unwrap_or(Path::new(""));
    let read = Trace::read(&folder.join(file));
    let advice =
        "write a file that has one key in each line; its path begins where the scenario is";
    read.map_err(|why| errors.add(span, format!("`{file}` {why}"), advice)).ok()
}

fn client(
    map: &LoadMap,
    workload: Workload,
    groups: &[&Group],
    errors: &mut Diagnostics,
) -> ClientKind {
    let client = map.client.or(ClientKind::Redrill);
    let word = workload.word();
    let wrong = match &client {
        ClientKind::RedisRs if !workload.may_be_repeated() => Some((
            format!("`redis-rs` cannot do the workload `{word}`"),
            "that client sends again what may have been done already, and nobody could tell what \
             came of it: use `client: redrill`",
        )),
        ClientKind::RedisRs if !groups[0].is_cluster() => Some((
            format!("`redis-rs` is a cluster client, and `{}` is no cluster", groups[0].name),
            "use `client: redrill`",
        )),
        ClientKind::Adapter { .. } if workload.orders().is_none() => Some((
            format!("adapters have no orders for the workload `{word}`"),
            "use `client: redrill`, or another workload; docs/adapters.md has those that there are",
        )),
        ClientKind::Redrill | ClientKind::RedisRs | ClientKind::Adapter { .. } => None,
    };
    if let (Some((message, advice)), Some(at)) = (wrong, map.client.given()) {
        errors.add(&at.span, message, advice);
    }
    let several = map.connections.given().filter(|at| at.value > 1);
    let given = [
        several.map(|at| (&at.span, "connections")),
        map.connect_timeout.given().map(|at| (&at.span, "connect_timeout")),
        map.retries.given().map(|at| (&at.span, "retries")),
    ];
    for (span, key) in given.into_iter().flatten().filter(|_| client.is_of_a_library()) {
        let message =
            format!("`{key}` does not apply to a library's client, which has its own connections");
        let advice = format!("leave `{key}` out, or use `client: redrill`");
        errors.add(span, message, advice);
    }
    client
}

/// As many groups as the workload acts on.
fn groups<'t>(
    map: &LoadMap,
    workload: Workload,
    span: &Span,
    topology: &'t Topology,
    errors: &mut Diagnostics,
) -> Option<Vec<&'t Group>> {
    let (word, many) = (workload.word(), workload.groups());
    let advice = format!("write `groups: [{}]`", vec!["GROUP"; many].join(", "));
    let acts = format!("the workload `{word}` acts on {many} groups");
    match (map.group.given(), map.groups.given()) {
        (Some(_), Some(at)) => {
            let message = "a load has a `group` or `groups`, and not both";
            errors.add(&at.span, message, "leave one of them out");
        }
        (_, Some(at)) if many == 1 => {
            let message = format!("the workload `{word}` acts on one group");
            errors.add(&at.span, message, "write `group:` with its name");
        }
        (_, Some(at)) if at.value.len() != many => errors.add(&at.span, acts, &advice),
        (_, Some(at)) => {
            return named(&at.value, span, topology, errors);
        }
        (given, None) if many > 1 && map.groups.is_missing() => {
            errors.add(given.map_or(span, |at| &at.span), acts, &advice);
        }
        _ if many > 1 => {}
        _ => return group(&map.group, span, topology, errors).map(|group| vec![group]),
    }
    None
}

/// Gives the loads that share keys those of the other.
fn share_keys(
    files: &[(At<String>, LoadMap)],
    topology: Option<&Topology>,
    loads: &mut [Load],
    errors: &mut Diagnostics,
) {
    let is_same = |(one, other): (&String, &String)| {
        let same = topology.map_or_else(Vec::new, |topology| topology.same_data(one));
        one == other || same.iter().any(|group| group.name == *other)
    };
    let have_same_data = |one: &Load, other: &Load| {
        one.groups.len() == other.groups.len() && one.groups.iter().zip(&other.groups).all(is_same)
    };
    let names: Vec<&str> = files.iter().map(|(name, _)| &*name.value).collect();
    let mut sharing: Vec<(usize, usize)> = Vec::new();
    for (name, map) in files {
        let Some(at) = map.shares.given() else { continue };
        let whose = files.iter().find(|(other, _)| other.value == at.value);
        let wrong =
            |message: String, advice: &str| Diagnostic::new(&at.span, message).advise(advice);
        let Some((_, shared)) = whose else {
            let advice = nearest::advice("loads", &at.value, &names);
            errors.push(wrong(format!("there is no load `{}`", at.value), &advice));
            continue;
        };
        let find = |name: &str| loads.iter().position(|load| load.name == name);
        let (Some(own), Some(other)) = (find(&name.value), find(&at.value)) else { continue };
        let (a, b) = (&loads[own], &loads[other]);
        if own == other {
            let message = "a load cannot share its own keys".to_owned();
            errors.push(wrong(message, "name another load, or leave `shares` out"));
        } else if let Some(root) = shared.shares.given() {
            let message = format!("the keys of `{}` are those of `{}`", at.value, root.value);
            errors.push(wrong(message, &format!("write `shares: {}`", root.value)));
        } else if !a.workload.shares_keys_with(b.workload) {
            let [a, b] = [a, b].map(|load| load.workload.word());
            let message = format!("`{a}` cannot use the keys of `{b}`: they hold something else");
            errors.push(wrong(message, &format!("write `workload: {b}`")));
        } else if !have_same_data(a, b) {
            let (message, advice) = match &b.groups[..] {
                [group] => (format!("in the group `{group}`"), format!("write `group: {group}`")),
                groups => {
                    let groups = groups.join(", ");
                    (format!("in the groups {groups}"), format!("write `groups: [{groups}]`"))
                }
            };
            let message = format!("the keys of `{}` are {message}", at.value);
            errors.push(wrong(message, &advice));
        } else if let Some(message) = lock::of_another_kind(a, b) {
            errors.push(wrong(message, "give both the same `kind` and `holders`"));
        } else if let Some((message, advice)) = cache::of_other_copies(a, b) {
            errors.push(wrong(message, advice));
        } else if let Some(origin) = map.origin.given() {
            let message = format!("the origin is that of `{}`", at.value);
            errors.add(&origin.span, message, "leave `origin` out");
        } else if let Some(value) =
            map.value.given().filter(|_| a.cache.is_some() && a.value != b.value)
        {
            let message = format!("`{}` has entities of another size", at.value);
            errors.add(&value.span, message, "leave `value` out: both have the same entities");
        } else if let Some(keys) = map.keys.given() {
            let message = format!("there are as many keys as `{}` has", at.value);
            errors.add(&keys.span, message, "leave `keys` out");
        } else {
            sharing.push((own, other));
        }
    }
    for (own, other) in &sharing {
        loads[*own].keys = loads[*other].keys;
        if loads[*own].cache.is_some() {
            loads[*own].value = loads[*other].value;
        }
        let turns = 1 + sharing.iter().filter(|(_, with)| with == other).count() as u64;
        let turn = loads[*other].keyspace.turns;
        let name = loads[*other].name.clone();
        loads[*own].keyspace = Keyspace { name, of: Some(*other as u8), turn, turns, instances: 0 };
        loads[*other].keyspace.turns += 1;
    }
    let of_each: Vec<(usize, u32)> = { loads.iter().enumerate() }
        .map(|(at, load)| {
            let root = load.keyspace.of.map_or(at, usize::from);
            (root, u32::from(load.instances))
        })
        .collect();
    for (load, (own, _)) in loads.iter_mut().zip(&of_each) {
        let same = of_each.iter().filter(|(root, _)| root == own);
        load.keyspace.instances = same.map(|(_, instances)| instances).sum();
    }
}
