//! Steps that do something to nodes: the nodes are there, and it can be done to them.

use std::time::Duration;

use super::{check_range, count};
use crate::spec::decode::{At, Field};
use crate::spec::fault::Fault;
use crate::spec::file::step::StepMap;
use crate::spec::quantity::Time;
use crate::spec::scenario::{Data, Force, NodeFault, StepAction, Target};
use crate::spec::topology::{Group, Mode};

const MAX_LASTS: Duration = Duration::from_secs(24 * 3600);

/// What `step` does to nodes, if it is such a step.
pub fn check(step: &At<StepMap>, group: &Group, faults: &mut Vec<Fault>) -> Option<StepAction> {
    let (fault, target) = match &step.value {
        StepMap::Kill(map) => (NodeFault::Kill { lasts: lasts(&map.lasts, faults) }, &map.target),
        StepMap::Stop(map) => (NodeFault::Stop { lasts: lasts(&map.lasts, faults) }, &map.target),
        StepMap::Pause(map) => (NodeFault::Pause { lasts: lasts(&map.lasts, faults) }, &map.target),
        StepMap::Restart(map) => {
            (NodeFault::Restart { data: map.data.or(Data::Kept) }, &map.target)
        }
        StepMap::Failover(map) => {
            (NodeFault::Failover { force: map.force.or(Force::None) }, &map.target)
        }
        _ => return None,
    };
    let target = target.given()?;
    if let Some((message, advice)) = missing(&target.value, group) {
        faults.push(Fault::new(&target.span, message).advise(advice));
        return None;
    }
    if matches!(fault, NodeFault::Failover { .. })
        && let Some((message, advice)) = cannot_take_over(&target.value, group)
    {
        faults.push(Fault::new(&target.span, message).advise(advice));
        return None;
    }
    Some(StepAction::Fault { fault, target: target.value.clone() })
}

pub fn lasts(field: &Field<Time>, faults: &mut Vec<Fault>) -> Option<Duration> {
    let at = field.given()?;
    let range = (Time(Duration::from_millis(1)), Time(MAX_LASTS));
    let why = "a drill takes a day at most; without `for` it lasts until the load has ended";
    check_range("for", &at.value, &at.span, range, why, faults);
    Some(at.value.0)
}

/// Why the group has no such node, and what to write.
pub fn missing(target: &Target, group: &Group) -> Option<(String, String)> {
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
        Target::Primaries
        | Target::RandomPrimary
        | Target::MinorityOfPrimaries
        | Target::MajorityOfPrimaries => None,
    }
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

fn cannot_take_over(target: &Target, group: &Group) -> Option<(String, String)> {
    if !matches!(group.mode, Mode::Cluster { .. }) {
        let message = format!(
            "only a cluster's replica can be told to take over, and `{}` is none",
            group.name
        );
        return Some((message, "give the group of mode `cluster`".to_owned()));
    }
    let one_replica =
        matches!(target, Target::Node(_) | Target::ReplicaOf(_) | Target::RandomReplica);
    (!one_replica).then(|| {
        let message = format!("`{target}` is not one replica");
        (message, "write `a replica of shard 1`, or a node's name".to_owned())
    })
}
