//! What makes a topology one that can exist.

use std::path::{Path, PathBuf};

use super::{check_name, check_range, check_summary, config, count, links, ranged, sentinels};
use crate::model::slot::SLOTS;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::topology::{EngineMap, GroupMap, ModeWord, TopologyFile};
use crate::spec::nearest;
use crate::spec::quantity::Time;
use crate::spec::source::{Source, Span};
use crate::spec::topology::{Engine, Group, Limits, Mode, Placement, Topology};
use crate::spec::{Ability, Options, Purpose};

/// A majority of fewer primaries cannot outvote one that has failed.
pub const LEAST_SHARDS: u32 = 3;
/// All nodes of a topology run on one machine.
const MAX_NODES: u32 = 1_000;
const MAX_REPLICAS: u32 = 10;

/// Container engines take no less.
const LEAST_MEMORY: u64 = 6 << 20;
/// A cluster's bus listens on its port plus this.
const BUS_OFFSET: u16 = 10_000;

/// The topology that `file` describes, which was read from `source`, or faults.
pub fn check(
    source: &Source,
    file: &TopologyFile,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Topology> {
    if let Some(name) = file.name.given() {
        check_name("a topology", name, diagnostics);
    }
    check_summary(&file.summary, diagnostics);
    let regions = links::regions(&file.regions, diagnostics);
    let links = links::links(&file.links, &regions, diagnostics);
    if options.purpose == Purpose::Compose {
        refuse_regions(file, diagnostics);
    }
    let groups = file.groups.given()?;
    if groups.value.0.is_empty() {
        let diagnostic = Diagnostic::new(&groups.span, "a topology needs a group at least");
        diagnostics.push(diagnostic.advise("write one, like `cache: { mode: standalone }`"));
    }
    let mut checked = Vec::new();
    for (name, group) in &groups.value.0 {
        check_name("a group", name, diagnostics);
        let mode = mode(group, diagnostics);
        if mode.is_none() {
            in_any_mode(group, diagnostics);
        }
        let placement = placement(name, group, mode.as_ref(), &regions, diagnostics);
        let config = group.config.given();
        let config =
            config.map_or_else(Default::default, |given| config::check(&given.value, diagnostics));
        let port = port(group, mode.as_ref(), diagnostics);
        let limits = limits(group, &options.capabilities.limits, diagnostics);
        let name = name.value.clone();
        checked.extend(mode.map(|mode| Group { name, mode, placement, config, port, limits }));
    }
    let nodes: u32 = checked.iter().map(Group::nodes).fold(0, u32::saturating_add);
    if nodes > MAX_NODES {
        let message = format!("the topology has {nodes} nodes, {MAX_NODES} is the most");
        let advice = "every node is a process on this machine; use fewer shards or replicas";
        diagnostics.push(Diagnostic::new(&groups.span, message).advise(advice));
    }
    Some(Topology {
        name: file.name.or(String::new()),
        summary: file.summary.or(String::new()),
        engine: engine(&file.engine, source.name()),
        regions,
        links,
        groups: checked,
    })
}

fn refuse_regions(file: &TopologyFile, diagnostics: &mut Vec<Diagnostic>) {
    let regions = file.regions.given().map(|at| &at.span);
    let links = file.links.given().map(|at| &at.span);
    for (what, span) in [("regions", regions), ("links", links)] {
        let Some(span) = span else { continue };
        let message = format!("a topology with {what} cannot be written down for Compose");
        let advice = "they are redrill's own doing: `redrill up` brings it up in containers too";
        diagnostics.push(Diagnostic::new(span, message).advise(advice));
    }
}

fn engine(field: &Field<EngineMap>, file: &str) -> Engine {
    let Some(At { value: engine, .. }) = field.given() else {
        return Engine::default();
    };
    Engine {
        kind: engine.kind.given().map(|at| at.value),
        binary: engine.binary.given().map(|at| binary(at, file)),
        image: engine.image.given().map(|at| at.value.clone()),
    }
}

/// A path in the file is from the folder that the file is in; one that `--set` has put
/// there is from where redrill was called, as it stands.
fn binary(at: &At<String>, file: &str) -> PathBuf {
    match Path::new(file).parent() {
        Some(folder) if at.value.contains('/') && at.span.source.name() == file => {
            folder.join(&at.value)
        }
        _ => PathBuf::from(&at.value),
    }
}

fn mode(group: &GroupMap, diagnostics: &mut Vec<Diagnostic>) -> Option<Mode> {
    let word = group.mode.given()?;
    refuse_keys(group, word.value, diagnostics);
    match word.value {
        ModeWord::Standalone => Some(Mode::Standalone),
        ModeWord::Replication => {
            Some(Mode::Replication { replicas: replicas(group, 1, 1, diagnostics) })
        }
        ModeWord::Sentinel => {
            let sentinels = sentinels::check(group, diagnostics);
            Some(Mode::Sentinel { replicas: replicas(group, 1, 1, diagnostics), sentinels })
        }
        ModeWord::Cluster => {
            let shards = shards(group, diagnostics);
            Some(Mode::Cluster { shards, replicas: replicas(group, 0, 0, diagnostics) })
        }
    }
}

/// The bounds that hold whatever the mode was meant to be.
fn in_any_mode(group: &GroupMap, diagnostics: &mut Vec<Diagnostic>) {
    replicas(group, 0, 0, diagnostics);
    if group.shards.given().is_some() {
        shards(group, diagnostics);
    }
    if group.sentinels.given().is_some() {
        sentinels::count(group, diagnostics);
    }
}

/// Keys that mean nothing in the group's mode.
fn refuse_keys(group: &GroupMap, mode: ModeWord, diagnostics: &mut Vec<Diagnostic>) {
    let (name, allowed): (_, &[&str]) = match mode {
        ModeWord::Standalone => ("standalone", &[]),
        ModeWord::Replication => ("replication", &["replicas"]),
        ModeWord::Sentinel => ("sentinel", sentinels::KEYS),
        ModeWord::Cluster => ("cluster", &["shards", "replicas"]),
    };
    let number = |field: &Field<u32>| field.given().map(|at| at.span.clone());
    let time = |field: &Field<Time>| field.given().map(|at| at.span.clone());
    let given = [
        ("shards", number(&group.shards)),
        ("replicas", number(&group.replicas)),
        ("sentinels", number(&group.sentinels)),
        ("quorum", number(&group.quorum)),
        ("down_after", time(&group.down_after)),
        ("failover_timeout", time(&group.failover_timeout)),
        ("parallel_syncs", number(&group.parallel_syncs)),
    ];
    for (key, given) in given {
        if let (Some(span), false) = (given, allowed.contains(&key)) {
            let message = format!("a group of mode `{name}` has no `{key}`");
            let advice = match (mode, key) {
                (ModeWord::Standalone, "replicas") => "use mode `replication`, or leave it out",
                (_, "shards") => "use mode `cluster`, or leave it out",
                _ => "leave it out, or use mode `sentinel`",
            };
            diagnostics.push(Diagnostic::new(&span, message).advise(advice));
        }
    }
}

fn replicas(group: &GroupMap, default: u32, least: u32, diagnostics: &mut Vec<Diagnostic>) -> u32 {
    let why =
        "a primary sends every write to each of its replicas, and all of them share this machine";
    ranged("replicas", &group.replicas, default, (least, MAX_REPLICAS), why, diagnostics)
}

fn shards(group: &GroupMap, diagnostics: &mut Vec<Diagnostic>) -> u32 {
    let Some(at) = group.shards.given() else {
        if group.shards.is_missing() {
            let diagnostic =
                Diagnostic::new(&group.span, "a group of mode `cluster` needs the key `shards`");
            diagnostics.push(diagnostic.advise("write how many, like `shards: 3`"));
        }
        return 3;
    };
    match at.value {
        0..LEAST_SHARDS => {
            let message = format!(
                "a cluster of {} cannot exist: {LEAST_SHARDS} is the least",
                count(at.value, "shard")
            );
            let advice = "a majority of the primaries must agree on a failover; for one primary \
                          use mode `standalone` or `replication`";
            diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
        }
        shards => {
            let why = "every shard is at least one process on this machine";
            debug_assert!(MAX_NODES < u32::from(SLOTS));
            check_range("shards", &shards, &at.span, (LEAST_SHARDS, MAX_NODES), why, diagnostics);
        }
    }
    at.value
}

fn port(group: &GroupMap, mode: Option<&Mode>, diagnostics: &mut Vec<Diagnostic>) -> Option<u16> {
    let at = group.port.given()?;
    let (most, why) = match mode {
        Some(Mode::Cluster { .. }) => {
            (u16::MAX - BUS_OFFSET, "a cluster's bus listens on the port plus 10000")
        }
        _ => (u16::MAX, "0 is not a port"),
    };
    check_range("port", &at.value, &at.span, (1, most), why, diagnostics);
    Some(at.value)
}

/// What a container can be held to; a process cannot.
fn limits(group: &GroupMap, able: &Ability, diagnostics: &mut Vec<Diagnostic>) -> Limits {
    let mut check = |name: &str, span: &Span, fits: bool, bounds: &str| {
        if let Err(lack) = able {
            let message = format!("`{name}` cannot be kept {}", lack.why);
            diagnostics.push(Diagnostic::new(span, message).advise(lack.advice));
        } else if !fits {
            let message = format!("`{name}` is to be {bounds}");
            diagnostics.push(Diagnostic::new(span, message).advise("leave it out for no limit"));
        }
    };
    let cpus = group.cpus.given();
    if let Some(at) = cpus {
        check("cpus", &at.span, (0.01..=1024.0).contains(&at.value), "from 0.01 to 1024");
    }
    let memory = group.memory.given();
    if let Some(at) = memory {
        check("memory", &at.span, at.value.0 >= LEAST_MEMORY, "6mb at the least");
    }
    Limits { cpus: cpus.map(|at| at.value), memory: memory.map(|at| at.value.0) }
}

fn placement(
    name: &At<String>,
    group: &GroupMap,
    mode: Option<&Mode>,
    regions: &[String],
    diagnostics: &mut Vec<Diagnostic>,
) -> Placement {
    if let (Some(_), Some(at)) = (group.region.given(), group.placement.given()) {
        let diagnostic = Diagnostic::new(&at.span, "a group has `region` or `placement`, not both");
        diagnostics.push(diagnostic.advise("keep one of them"));
    }
    if let Some(at) = group.region.given() {
        return links::region(at, regions, diagnostics)
            .map_or(Placement::Anywhere, Placement::Region);
    }
    if let Some(at) = group.placement.given() {
        if mode == Some(&Mode::Standalone) {
            let diagnostic =
                Diagnostic::new(&at.span, "a group of mode `standalone` has no replicas to place");
            diagnostics.push(diagnostic.advise("write `region:` instead"));
        }
        let sentinels = sentinels::placed(&at.value, mode, regions, diagnostics);
        let mut place = |field: &Field<String>| links::region(field.given()?, regions, diagnostics);
        return match (place(&at.value.primaries), place(&at.value.replicas)) {
            (Some(primaries), Some(replicas)) => {
                let sentinels = sentinels.unwrap_or_else(|| vec![primaries]);
                Placement::Stretched { primaries, replicas, sentinels }
            }
            _ => Placement::Anywhere,
        };
    }
    if !regions.is_empty() && group.region.is_missing() && group.placement.is_missing() {
        let message = format!("the group `{}` is in no region", name.value);
        let advice =
            nearest::advice("regions", "", &regions.iter().map(|r| &**r).collect::<Vec<_>>());
        let advice = format!("write `region:` or `placement:`; {advice}");
        diagnostics.push(Diagnostic::new(&name.span, message).advise(advice));
    }
    Placement::Anywhere
}
