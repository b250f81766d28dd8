//! Which nodes a step is done to: how they are named, and whether they are there.

use std::fmt;

use schemars::{Schema, json_schema};

use super::owned::Owned;
use crate::model::{NodeKind, NodeName};
use crate::spec::decode::{Misread, Scalar};
use crate::spec::nearest;
use crate::spec::rules::count;
use crate::spec::topology::{Group, Placement};
use crate::spec::yaml::{Yaml, quoted};

/// The forms in which a target is written.
const FORMS: &str = "write a node's name like cache/1/0, `primary of shard 1`, `a replica of \
                     shard 1`, `all nodes`, `region eu-west`, `all primaries`, `all replicas`, `a minority of primaries`, \
                     `a majority of primaries`, `random primary` or `random replica`; of \
                     sentinels cache/sentinel/0, `all sentinels`, `a minority of sentinels`, \
                     `a majority of sentinels` or `random sentinel`";

/// Nodes of a group; roles are what they are when the step begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Node(NodeName),
    PrimaryOf(u32),
    /// One of them, drawn by the drill's seed.
    ReplicaOf(u32),
    All,
    /// Those that were put there, whatever their roles.
    Region(String),
    Primaries,
    Replicas,
    /// As many as can be gone with a majority left; drawn by the seed.
    MinorityOfPrimaries,
    MajorityOfPrimaries,
    RandomPrimary,
    RandomReplica,
    Sentinels,
    /// As many as can be gone with a majority left; drawn by the seed.
    MinorityOfSentinels,
    MajorityOfSentinels,
    RandomSentinel,
}

impl Target {
    /// Whether it may mean this node of its group, whatever role it has by then; a node that
    /// `stays` does so in the shard of its name.
    pub fn may_be(&self, node: &NodeName, stays: bool) -> bool {
        match self {
            Target::Node(name) => name == node,
            Target::PrimaryOf(shard) | Target::ReplicaOf(shard) if stays => {
                Some(*shard) == node.shard()
            }
            Target::Region(_) => true,
            _ => self.is_of_sentinels() == node.is_sentinel(),
        }
    }

    /// Whether it names sentinels, by whatever name, and nobody else.
    pub fn is_of_sentinels(&self) -> bool {
        match self {
            Target::Node(name) => name.is_sentinel(),
            Target::Sentinels
            | Target::MinorityOfSentinels
            | Target::MajorityOfSentinels
            | Target::RandomSentinel => true,
            _ => false,
        }
    }
}

impl fmt::Display for Target {
    /// As it is written in a scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Node(name) => write!(f, "{name}"),
            Target::PrimaryOf(shard) => write!(f, "primary of shard {shard}"),
            Target::ReplicaOf(shard) => write!(f, "a replica of shard {shard}"),
            Target::All => f.write_str("all nodes"),
            Target::Region(region) => write!(f, "region {region}"),
            Target::Primaries => f.write_str("all primaries"),
            Target::Replicas => f.write_str("all replicas"),
            Target::MinorityOfPrimaries => f.write_str("a minority of primaries"),
            Target::MajorityOfPrimaries => f.write_str("a majority of primaries"),
            Target::RandomPrimary => f.write_str("random primary"),
            Target::RandomReplica => f.write_str("random replica"),
            Target::Sentinels => f.write_str("all sentinels"),
            Target::MinorityOfSentinels => f.write_str("a minority of sentinels"),
            Target::MajorityOfSentinels => f.write_str("a majority of sentinels"),
            Target::RandomSentinel => f.write_str("random sentinel"),
        }
    }
}

impl Scalar for Target {
    fn read(text: &str) -> Result<Target, Misread> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let shard = |number: &str| number.parse().ok();
        let target = match words[..] {
            ["all", "nodes"] => Some(Target::All),
            ["region", region] => Some(Target::Region(region.to_owned())),
            ["all", "primaries"] => Some(Target::Primaries),
            ["all", "replicas"] => Some(Target::Replicas),
            ["a", "minority", "of", "primaries"] => Some(Target::MinorityOfPrimaries),
            ["a", "majority", "of", "primaries"] => Some(Target::MajorityOfPrimaries),
            ["random", "primary"] => Some(Target::RandomPrimary),
            ["random", "replica"] => Some(Target::RandomReplica),
            ["all", "sentinels"] => Some(Target::Sentinels),
            ["a", "minority", "of", "sentinels"] => Some(Target::MinorityOfSentinels),
            ["a", "majority", "of", "sentinels"] => Some(Target::MajorityOfSentinels),
            ["random", "sentinel"] => Some(Target::RandomSentinel),
            ["primary", "of", "shard", n] => shard(n).map(Target::PrimaryOf),
            ["a", "replica", "of", "shard", n] => shard(n).map(Target::ReplicaOf),
            [name] => name.parse::<NodeName>().ok().map(Target::Node),
            _ => None,
        };
        target.ok_or_else(|| Misread::new(format!("`{text}` names no node"), FORMS))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "examples": [
                "cache/1/0", "primary of shard 1", "a replica of shard 1", "all nodes", "region eu-west", "all primaries",
                "all replicas", "a minority of primaries", "a majority of primaries",
                "random primary", "random replica", "cache/sentinel/0", "all sentinels",
                "a minority of sentinels", "a majority of sentinels", "random sentinel",
            ],
        })
    }
}

impl Yaml for Target {
    fn yaml(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

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
