//! Who is there when a step begins: the group as the steps before it will have left it.

use super::count;
use super::moves::Owned;
use crate::model::NodeKind;
use crate::spec::nearest;
use crate::spec::scenario::Target;
use crate::spec::topology::{Group, Placement};

/// A group by then.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    pub group: &'a Group,
    pub owned: &'a Owned,
    /// All that the topology names.
    pub regions: &'a [String],
}

impl Now<'_> {
    /// Why the group has no such node, and what to write.
    pub fn lacks(self, target: &Target) -> Option<(String, String)> {
        let Now { group, owned, regions } = self;
        let (name, shards) = (&group.name, owned.shards());
        let no_replicas = || {
            let message = format!("`{name}` has no replicas");
            (message, "give it some, or take a primary".to_owned())
        };
        match target {
            Target::Node(node) if node.group != *name => {
                let message = format!("{node} is no node of `{name}`");
                Some((message, format!("its nodes are {name}/SHARD/ORDINAL, from {name}/0/0 on")))
            }
            Target::Node(node) => match node.kind {
                NodeKind::Shard(shard) => self.no_shard(shard).or_else(|| {
                    let replicas = owned.replicas(shard);
                    (node.ordinal > replicas).then(|| {
                        let has = count(replicas, "replica");
                        let message = format!("there is no node {node}: its shard has {has}");
                        (message, format!("ordinals are counted from 0 to {replicas}"))
                    })
                }),
                NodeKind::Sentinel => no_sentinel(node.ordinal + 1, target, group),
                NodeKind::Actor => Some((
                    format!("{node} is an actor, and no node of `{name}`"),
                    format!("its nodes are {name}/SHARD/ORDINAL, from {name}/0/0 on"),
                )),
            },
            Target::PrimaryOf(of) => self.no_shard(*of),
            Target::ReplicaOf(of) => {
                self.no_shard(*of).or_else(|| (owned.replicas(*of) == 0).then(no_replicas))
            }
            Target::Replicas | Target::RandomReplica => (!owned.has_replicas()).then(no_replicas),
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

    /// Why the group has no such shard, and what to write.
    pub fn no_shard(self, shard: u32) -> Option<(String, String)> {
        let shards = self.group.shards();
        let unknown = || {
            let has = count(shards, "shard");
            let message = format!("there is no shard {shard}: `{}` has {has}", self.group.name);
            (message, format!("shards are counted from 0 to {}", shards.saturating_sub(1)))
        };
        (shard >= shards).then(unknown).or_else(|| self.owned.is_removed(shard))
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
