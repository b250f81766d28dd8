//! What makes a topology one that can exist.

use std::path::{Path, PathBuf};

use super::{check_name, config, count, links, sync};
use crate::model::slot::SLOTS;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::topology::{
    EngineMap, GroupMap, ModeWord, PlacementMap, Regions, TopologyFile,
};
use crate::spec::quantity::Time;
use crate::spec::source::{Source, Span};
use crate::spec::topology::{Auth, Engine, Group, Limits, Mode, Placement, Sentinels, Topology};
use crate::spec::{Ability, Options, Purpose, nearest};

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
    errors: &mut Diagnostics,
) -> Option<Topology> {
    if let Some(name) = file.name.given() {
        check_name("a topology", name, errors);
    }
    let regions = links::regions(&file.regions, errors);
    let links = links::links(&file.links, &regions, errors);
    if options.purpose == Purpose::Compose {
        refuse_regions(file, errors);
    }
    let groups = file.groups.given()?;
    if groups.value.0.is_empty() {
        let message = "a topology needs a group at least";
        errors.add(&groups.span, message, "write one, like `cache: { mode: standalone }`");
    }
    let mut checked: Vec<(Span, Group)> = Vec::new();
    for (name, group) in &groups.value.0 {
        check_name("a group", name, errors);
        let mode = mode(group, errors);
        if mode.is_none() {
            in_any_mode(group, errors);
        }
        let placement = placement(name, group, mode.as_ref(), &regions, errors);
        let config = group.config.given();
        let config =
            config.map_or_else(Default::default, |given| config::check(&given.value, errors));
        let port = port(group, mode.as_ref(), errors);
        let limits = limits(group, &options.capabilities.limits, errors);
        let (place, name) = (name.span.clone(), name.value.clone());
        let group = mode.map(|mode| Group { name, mode, placement, config, port, limits });
        checked.extend(group.map(|group| (place, group)));
    }
    // A group that is wrong would be told to be missing.
    let whole = checked.len() == groups.value.0.len();
    let around = sync::Around { groups: &checked, regions: &regions, links: &links };
    let sync = whole.then(|| sync::check(&file.sync, &around, errors)).flatten();
    let nodes: u32 = checked.iter().map(|(_, group)| group.nodes()).fold(0, u32::saturating_add);
    if nodes > MAX_NODES {
        let message = format!("the topology has {nodes} nodes, {MAX_NODES} is the most");
        let advice = "every node is a process on this machine; use fewer shards or replicas";
        errors.add(&groups.span, message, advice);
    }
    Some(Topology {
        name: file.name.or(String::new()),
        summary: file.summary.or(String::new()),
        engine: engine(&file.engine, source.name()),
        auth: file.auth.given().map_or(Auth::Password, |at| at.value),
        regions,
        links,
        groups: checked.into_iter().map(|(_, group)| group).collect(),
        sync,
    })
}

fn refuse_regions(file: &TopologyFile, errors: &mut Diagnostics) {
    let regions = file.regions.span();
    let links = file.links.span();
    for (what, span) in [("regions", regions), ("links", links), ("sync", file.sync.span())] {
        let Some(span) = span else { continue };
        let message = format!("a topology with `{what}` cannot be written down for Compose");
        let advice = "that is redrill's own doing: `redrill up` brings it up in containers too";
        errors.add(span, message, advice);
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

fn mode(group: &GroupMap, errors: &mut Diagnostics) -> Option<Mode> {
    let word = group.mode.given()?;
    refuse_keys(group, word.value, errors);
    match word.value {
        ModeWord::Standalone => Some(Mode::Standalone),
        ModeWord::Replication => {
            Some(Mode::Replication { replicas: replicas(group, 1, 1, errors) })
        }
        ModeWord::Sentinel => Some(Mode::Sentinel {
            sentinels: sentinels(group, errors),
            replicas: replicas(group, 1, 1, errors),
        }),
        ModeWord::Cluster => {
            let shards = shards(group, errors);
            Some(Mode::Cluster { shards, replicas: replicas(group, 0, 0, errors) })
        }
    }
}

/// The bounds that hold whatever the mode was meant to be.
fn in_any_mode(group: &GroupMap, errors: &mut Diagnostics) {
    replicas(group, 0, 0, errors);
    if group.shards.given().is_some() {
        shards(group, errors);
    }
}

/// Keys that mean nothing in the group's mode.
fn refuse_keys(group: &GroupMap, mode: ModeWord, errors: &mut Diagnostics) {
    let allowed: &[&str] = match mode {
        ModeWord::Standalone => &[],
        ModeWord::Replication => &["replicas"],
        ModeWord::Sentinel => SENTINEL_KEYS,
        ModeWord::Cluster => &["shards", "replicas"],
    };
    let given = [
        ("shards", group.shards.span()),
        ("replicas", group.replicas.span()),
        ("sentinels", group.sentinels.span()),
        ("quorum", group.quorum.span()),
        ("down_after", group.down_after.span()),
        ("failover_timeout", group.failover_timeout.span()),
        ("parallel_syncs", group.parallel_syncs.span()),
    ];
    for (key, given) in given {
        if let (Some(span), false) = (given, allowed.contains(&key)) {
            let message = format!("a group of mode `{mode}` has no `{key}`");
            let advice = match (mode, key) {
                (ModeWord::Standalone, "replicas") => "use mode `replication`, or leave it out",
                (_, "shards") => "use mode `cluster`, or leave it out",
                _ => "leave it out, or use mode `sentinel`",
            };
            errors.add(span, message, advice);
        }
    }
}

fn replicas(group: &GroupMap, default: u32, least: u32, errors: &mut Diagnostics) -> u32 {
    let why =
        "a primary sends every write to each of its replicas, and all of them share this machine";
    let range = (least, MAX_REPLICAS);
    group.replicas.check_range("replicas", range, why, errors).or(default)
}

fn shards(group: &GroupMap, errors: &mut Diagnostics) -> u32 {
    let Some(at) = group.shards.given() else {
        if group.shards.is_missing() {
            let message = "a group of mode `cluster` needs the key `shards`";
            errors.add(&group.span, message, "write how many, like `shards: 3`");
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
            errors.add(&at.span, message, advice);
        }
        _ => {
            let why = "every shard is at least one process on this machine";
            debug_assert!(MAX_NODES < u32::from(SLOTS));
            group.shards.check_range("shards", (LEAST_SHARDS, MAX_NODES), why, errors);
        }
    }
    at.value
}

fn port(group: &GroupMap, mode: Option<&Mode>, errors: &mut Diagnostics) -> Option<u16> {
    let at = group.port.given()?;
    let (most, why) = match mode {
        Some(Mode::Cluster { .. }) => {
            (u16::MAX - BUS_OFFSET, "a cluster's bus listens on the port plus 10000")
        }
        _ => (u16::MAX, "0 is not a port"),
    };
    group.port.check_range("port", (1, most), why, errors);
    Some(at.value)
}

/// What a container can be held to; a process cannot.
fn limits(group: &GroupMap, able: &Ability, errors: &mut Diagnostics) -> Limits {
    let mut check = |name: &str, span: &Span, fits: bool, bounds: &str| {
        if let Err(lack) = able {
            let message = format!("`{name}` cannot be kept {}", lack.why);
            errors.add(span, message, lack.advice);
        } else if !fits {
            let message = format!("`{name}` is to be {bounds}");
            errors.add(span, message, "leave it out for no limit");
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
    errors: &mut Diagnostics,
) -> Placement {
    if let (Some(_), Some(at)) = (group.region.given(), group.placement.given()) {
        errors.add(&at.span, "a group has `region` or `placement`, not both", "keep one of them");
    }
    if let Some(at) = group.region.given() {
        return links::region(at, regions, errors).map_or(Placement::Anywhere, Placement::Region);
    }
    if let Some(at) = group.placement.given() {
        if mode == Some(&Mode::Standalone) {
            let message = "a group of mode `standalone` has no replicas to place";
            errors.add(&at.span, message, "write `region:` instead");
        }
        let sentinels = placed_sentinels(&at.value, mode, regions, errors);
        let mut place = |field: &Field<Regions>| places(field.given()?, regions, errors);
        return match (place(&at.value.primaries), place(&at.value.replicas)) {
            (Some(primaries), Some(replicas)) => {
                let sentinels = sentinels.unwrap_or_else(|| primaries.clone());
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
        errors.add(&name.span, message, advice);
    }
    Placement::Anywhere
}

/// What a group of that mode may have besides what any may.
const SENTINEL_KEYS: &[&str] =
    &["replicas", "sentinels", "quorum", "down_after", "failover_timeout", "parallel_syncs"];

fn sentinels(group: &GroupMap, errors: &mut Diagnostics) -> Sentinels {
    let count = group.sentinels.or(3);
    let why = "no more sentinels can agree than there are";
    let quorum = group.quorum.check_range("quorum", (1, count.max(1)), why, errors);
    Sentinels {
        count,
        quorum: quorum.or(count / 2 + 1),
        // As the servers have them where nobody sets them.
        down_after: group.down_after.or(Time::secs(30)).0,
        failover_timeout: group.failover_timeout.or(Time::secs(180)).0,
        parallel_syncs: group.parallel_syncs.or(1),
    }
}

/// The regions that nodes of a stretched group are dealt out to.
fn places(at: &At<Regions>, regions: &[String], errors: &mut Diagnostics) -> Option<Vec<usize>> {
    if at.value.0.is_empty() {
        errors.add(&at.span, "no region is named", "name one, or several");
    }
    known(&at.value.0, regions, errors)
}

/// Those of the named regions that there are; `None` if there is none.
fn known(named: &[At<String>], regions: &[String], errors: &mut Diagnostics) -> Option<Vec<usize>> {
    let places = named.iter().filter_map(|region| links::region(region, regions, errors));
    let places: Vec<usize> = places.collect();
    (!places.is_empty()).then_some(places)
}

/// The regions that the sentinels of a stretched group are dealt out to, if it names some.
fn placed_sentinels(
    placement: &PlacementMap,
    mode: Option<&Mode>,
    regions: &[String],
    errors: &mut Diagnostics,
) -> Option<Vec<usize>> {
    let at = placement.sentinels.given()?;
    if !matches!(mode, Some(Mode::Sentinel { .. }) | None) {
        let message = "only a group of mode `sentinel` has sentinels to place";
        errors.add(&at.span, message, "leave it out, or use mode `sentinel`");
    }
    if at.value.is_empty() {
        let message = "no region is named for the sentinels";
        let advice = "name one, or leave it out: they are where the primaries are";
        errors.add(&at.span, message, advice);
    }
    known(&at.value, regions, errors)
}
