//! Steps that do something to nodes: the nodes are there, and it can be done to them.

use std::time::Duration;

use super::{check_range, count, hardship, sentinels};
use crate::spec::decode::{At, Field};
use crate::spec::fault::Fault;
use crate::spec::file::step::StepMap;
use crate::spec::nearest;
use crate::spec::quantity::Time;
use crate::spec::scenario::{Data, Force, NodeFault, StepAction, Target};
use crate::spec::topology::{Group, Mode, Placement};

const MAX_LASTS: Duration = Duration::from_secs(24 * 3600);

/// What `step` does to nodes, if it is such a step.
pub fn check(
    step: &At<StepMap>,
    (group, regions): (&Group, &[String]),
    faults: &mut Vec<Fault>,
) -> Option<StepAction> {
    let (fault, target) = match &step.value {
        StepMap::Kill(map) => (NodeFault::Kill { lasts: lasts(&map.lasts, faults) }, &map.target),
        StepMap::Stop(map) => (NodeFault::Stop { lasts: lasts(&map.lasts, faults) }, &map.target),
        StepMap::Pause(map) => (NodeFault::Pause { lasts: lasts(&map.lasts, faults) }, &map.target),
        StepMap::Restart(map) => {
            (NodeFault::Restart { data: map.data.or(Data::Kept) }, &map.target)
        }
        StepMap::Failover(map) => {
            (NodeFault::Failover { force: check_force(&map.force, group, faults) }, &map.target)
        }
        step_map => {
            let (target, time) = bears(step_map)?;
            let (hardship, lasts) = (hardship::check(step, group, faults), lasts(time, faults));
            (NodeFault::Bear { hardship: hardship?, lasts }, target)
        }
    };
    let target = target.given()?;
    if let Some((message, advice)) = missing(&target.value, group, regions) {
        faults.push(Fault::new(&target.span, message).advise(advice));
        return None;
    }
    let cannot = match fault {
        NodeFault::Failover { .. } => cannot_fail_over(&target.value, group),
        NodeFault::Bear { hardship, .. } => {
            sentinels::cannot_bear(hardship, &target.value, (group, regions))
        }
        _ => None,
    };
    if let Some((message, advice)) = cannot {
        faults.push(Fault::new(&target.span, message).advise(advice));
        return None;
    }
    Some(StepAction::Fault { fault, target: target.value.clone() })
}

/// Target and time of a step that takes something of its resources from a server.
fn bears(step: &StepMap) -> Option<(&Field<Target>, &Field<Time>)> {
    Some(match step {
        StepMap::Slow(map) => (&map.target, &map.lasts),
        StepMap::MemoryPressure(map) => (&map.target, &map.lasts),
        StepMap::DiskFull(map) => (&map.target, &map.lasts),
        StepMap::SlowDisk(map) => (&map.target, &map.lasts),
        StepMap::ClockStep(map) => (&map.target, &map.lasts),
        _ => return None,
    })
}

pub fn lasts(field: &Field<Time>, faults: &mut Vec<Fault>) -> Option<Duration> {
    let at = field.given()?;
    let range = (Time(Duration::from_millis(1)), Time(MAX_LASTS));
    let why = "a drill takes a day at most; without `for` it lasts until the load has ended";
    check_range("for", &at.value, &at.span, range, why, faults);
    Some(at.value.0)
}

/// Why the group has no such node, and what to write.
pub fn missing(target: &Target, group: &Group, regions: &[String]) -> Option<(String, String)> {
    let (name, shards, replicas) = (&group.name, group.shards(), group.replicas());
    let shard = |number: u32| no_shard(number, group);
    let no_replicas = (replicas == 0).then(|| {
        (format!("`{name}` has no replicas"), "give it some, or take a primary".to_owned())
    });
    match target {
        Target::Node(node) if node.group != *name => {
            let message = format!("{node} is no node of `{name}`");
            Some((message, format!("its nodes are {name}/SHARD/ORDINAL, from {name}/0/0 on")))
        }
        Target::Node(node) if node.is_sentinel() => no_sentinel(node.ordinal + 1, target, group),
        Target::Node(node) => shard(node.shard).or_else(|| {
            (node.ordinal > replicas).then(|| {
                let message = format!(
                    "there is no node {node}: its shard has {}",
                    count(replicas, "replica")
                );
                (message, format!("ordinals are counted from 0 to {replicas}"))
            })
        }),
        Target::PrimaryOf(of) => shard(*of),
        Target::ReplicaOf(of) => shard(*of).or(no_replicas),
        Target::Replicas | Target::RandomReplica => no_replicas,
        Target::MinorityOfPrimaries if shards < 3 => Some((
            format!("of {} no minority can be gone", count(shards, "primary")),
            "a cluster of three shards is the least that has one".to_owned(),
        )),
        Target::Region(region) => nobody_there(region, group, regions),
        Target::All
        | Target::Primaries
        | Target::RandomPrimary
        | Target::MinorityOfPrimaries
        | Target::MajorityOfPrimaries => None,
        Target::MinorityOfSentinels => no_sentinel(3, target, group),
        Target::Sentinels | Target::MajorityOfSentinels | Target::RandomSentinel => {
            no_sentinel(1, target, group)
        }
    }
}

/// Why none of the group's nodes is in that region, and what to write.
fn nobody_there(region: &str, group: &Group, regions: &[String]) -> Option<(String, String)> {
    let name = &group.name;
    let has: Vec<usize> = match &group.placement {
        Placement::Anywhere => Vec::new(),
        Placement::Region(region) => vec![*region],
        Placement::Stretched { primaries, replicas, sentinels } => {
            [&[*primaries, *replicas], &sentinels[..]].concat()
        }
    };
    let mut has: Vec<&str> = has.iter().filter_map(|index| Some(&**regions.get(*index)?)).collect();
    has.sort_unstable();
    has.dedup();
    (!has.contains(&region)).then(|| {
        let message = format!("no node of `{name}` is in a region `{region}`");
        let advice = match has.is_empty() {
            true => "the topology puts its nodes into no regions".to_owned(),
            false => nearest::advice("regions", region, &has),
        };
        (message, advice)
    })
}

/// Why the group has not so many sentinels, and what to write.
fn no_sentinel(least: u32, target: &Target, group: &Group) -> Option<(String, String)> {
    let name = &group.name;
    let Some(sentinels) = group.sentinels() else {
        let message = format!("there is no `{target}`: `{name}` has no sentinels");
        return Some((message, "give the group of mode `sentinel`, or take a node".to_owned()));
    };
    let last = sentinels.count.saturating_sub(1);
    (sentinels.count < least).then(|| {
        let has = count(sentinels.count, "sentinel");
        let advice = match target {
            Target::Node(_) => format!("they are {name}/sentinel/0 to {name}/sentinel/{last}"),
            _ => "three sentinels are the least that have a minority".to_owned(),
        };
        (format!("there is no `{target}`: `{name}` has {has}"), advice)
    })
}

/// Why the group has no such shard, and what to write.
pub fn no_shard(shard: u32, group: &Group) -> Option<(String, String)> {
    let shards = group.shards();
    (shard >= shards).then(|| {
        let has = count(shards, "shard");
        let message = format!("there is no shard {shard}: `{}` has {has}", group.name);
        (message, format!("shards are counted from 0 to {}", shards.saturating_sub(1)))
    })
}

/// Why a failover cannot be told so, and what to write.
fn cannot_fail_over(target: &Target, group: &Group) -> Option<(String, String)> {
    if group.mode == Mode::Standalone {
        let message = format!("`{}` has no replica that could take over", group.name);
        return Some((message, "give it another mode and replicas".to_owned()));
    }
    let one_sentinel = match target {
        Target::Node(name) => name.is_sentinel(),
        other => *other == Target::RandomSentinel,
    };
    if group.sentinels().is_some() {
        return (!one_sentinel).then(|| {
            let message = format!("`{target}` is not one sentinel, and they choose the replica");
            (message, format!("write {}/sentinel/0, or `random sentinel`", group.name))
        });
    }
    let one_replica =
        matches!(target, Target::Node(_) | Target::ReplicaOf(_) | Target::RandomReplica);
    (!one_replica).then(|| {
        let message = format!("`{target}` is not one replica");
        (message, "write `a replica of shard 1`, or a node's name".to_owned())
    })
}

/// SENTINEL FAILOVER does not ask the other sentinels, and knows no other way.
fn check_force(force: &Field<Force>, group: &Group, faults: &mut Vec<Fault>) -> Force {
    let Some(at) = force.given() else { return Force::None };
    if group.sentinels().is_some() && at.value != Force::None {
        let fault = Fault::new(&at.span, "sentinels fail over in one way only");
        faults.push(fault.advise("leave `force` out; it is for clusters and mode `replication`"));
    }
    at.value
}
