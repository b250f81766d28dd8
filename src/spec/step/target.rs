//! Which nodes a step is done to: how they are named, and whether they are there.

use std::fmt;

use schemars::{Schema, json_schema};

use super::owned::Owned;
use crate::model::{NodeKind, NodeName};
use crate::spec::decode::{Misread, Scalar};
use crate::spec::nearest;
use crate::spec::rules::count;
use crate::spec::topology::{Group, Placement};
use crate::spec::tree::{Node, Value};
use crate::spec::yaml::{Yaml, quoted};

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
    /// All programs that carry out loads, whatever their groups.
    Actors,
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
            _ if self.is_of_actors() => false,
            _ => self.is_of_sentinels() == node.is_sentinel(),
        }
    }

    /// Whether it names sentinels only.
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

    /// Whether it names actors.
    pub fn is_of_actors(&self) -> bool {
        match self {
            Target::Node(name) => name.kind == NodeKind::Actor,
            target => *target == Target::Actors,
        }
    }
}

/// Targets that are written in fixed words.
const WORDS: [(&str, Target); 12] = [
    ("all nodes", Target::All),
    ("all primaries", Target::Primaries),
    ("all replicas", Target::Replicas),
    ("a minority of primaries", Target::MinorityOfPrimaries),
    ("a majority of primaries", Target::MajorityOfPrimaries),
    ("random primary", Target::RandomPrimary),
    ("random replica", Target::RandomReplica),
    ("all sentinels", Target::Sentinels),
    ("a minority of sentinels", Target::MinorityOfSentinels),
    ("a majority of sentinels", Target::MajorityOfSentinels),
    ("random sentinel", Target::RandomSentinel),
    ("all actors", Target::Actors),
];

/// One of each of the others.
const EXAMPLES: [&str; 6] = [
    "cache/1/0",
    "cache/sentinel/0",
    "app/actor/0",
    "primary of shard 1",
    "a replica of shard 1",
    "region eu-west",
];

impl fmt::Display for Target {
    /// As it is written in a scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Node(name) => write!(f, "{name}"),
            Target::PrimaryOf(shard) => write!(f, "primary of shard {shard}"),
            Target::ReplicaOf(shard) => write!(f, "a replica of shard {shard}"),
            Target::Region(region) => write!(f, "region {region}"),
            fixed => {
                let words = WORDS.iter().find(|(_, target)| target == fixed);
                f.write_str(words.map_or("", |(words, _)| words))
            }
        }
    }
}

impl Scalar for Target {
    fn read(text: &str) -> Result<Target, Misread> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let fixed = words.join(" ");
        if let Some((_, target)) = WORDS.into_iter().find(|(words, _)| *words == fixed) {
            return Ok(target);
        }
        let target = match words[..] {
            ["region", region] => Some(Target::Region(region.to_owned())),
            ["primary", "of", "shard", n] => n.parse().ok().map(Target::PrimaryOf),
            ["a", "replica", "of", "shard", n] => n.parse().ok().map(Target::ReplicaOf),
            [name] => name.parse::<NodeName>().ok().map(Target::Node),
            _ => None,
        };
        target.ok_or_else(|| Misread::new(format!("`{text}` names no node"), advice(&fixed)))
    }

    fn as_one(node: &Node) -> Option<String> {
        let advice = "a step has one target: write a step for each node, or a target that means \
                      several, like `all primaries`";
        matches!(node.value, Value::List(_)).then(|| advice.to_owned())
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "examples": examples().collect::<Vec<_>>() })
    }
}

/// What to write for a target that is none: what its words mean, or else each form.
fn advice(text: &str) -> String {
    let text = text.to_lowercase().replace("leader", "primary").replace("master", "primary");
    let text = text.replace("slave", "replica");
    let shard = text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty());
    let shard = shard.unwrap_or("0");
    let (few, one) = (text.contains("all") || text.ends_with('s'), text.contains("random"));
    let forms: &[&str] = match () {
        () if text.contains("sentinel") && few => &["all sentinels", "a minority of sentinels"],
        () if text.contains("sentinel") => &["random sentinel", "cache/sentinel/0"],
        () if text.contains("primar") && few => &["all primaries", "a minority of primaries"],
        () if text.contains("primar") && one => &["random primary"],
        () if text.contains("primar") => &["primary of shard N", "random primary"],
        () if text.contains("replica") && few => &["all replicas"],
        () if text.contains("replica") && one => &["random replica"],
        () if text.contains("replica") => &["a replica of shard N", "random replica"],
        () if text.contains("node") || text == "all" || text == "*" => &["all nodes", "cache/N/0"],
        () => &[],
    };
    let or = |forms: &[String]| forms.join(" or ");
    let near: Vec<String> = forms
        .iter()
        .map(|form| {
            format!(
                "`{}`",
                form.replace(" N", &format!(" {shard}")).replace("/N/", &format!("/{shard}/"))
            )
        })
        .collect();
    if near.is_empty() {
        let forms = examples().map(|form| format!("`{form}`")).collect::<Vec<_>>().join(", ");
        return format!("write it like one of {forms}");
    }
    format!("did you mean {}?", or(&near))
}

/// Each form in which a target is written.
fn examples() -> impl Iterator<Item = &'static str> {
    EXAMPLES.into_iter().chain(WORDS.into_iter().map(|(words, _)| words))
}

impl Yaml for Target {
    fn yaml(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

/// A group when a step begins.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    pub group: &'a Group,
    pub owned: &'a Owned,
    /// All that the topology names.
    pub regions: &'a [String],
    /// All that the scenario has, if that is known.
    pub actors: Option<&'a [NodeName]>,
    /// The same, and those who are no programs of their own and connect as if they were.
    pub connected: Option<&'a [NodeName]>,
    /// Instances that are told of changes.
    pub subscribers: Option<&'a [NodeName]>,
}

impl Now<'_> {
    /// Why the group has no such node, and what to write.
    pub fn lacks(self, target: &Target) -> Option<(String, String)> {
        let Now { group, owned, regions, .. } = self;
        let (name, shards) = (&group.name, owned.shards());
        let no_replicas = || {
            let message = format!("`{name}` has no replicas");
            (message, "give it some, or take a primary".to_owned())
        };
        match target {
            Target::Node(_) | Target::Actors if target.is_of_actors() => self.no_actor(target),
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
                NodeKind::Actor => self.no_actor(target),
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
            | Target::MajorityOfPrimaries
            | Target::Actors => None,
            Target::MinorityOfSentinels => no_sentinel(3, target, group),
            Target::Sentinels | Target::MajorityOfSentinels | Target::RandomSentinel => {
                no_sentinel(1, target, group)
            }
        }
    }

    /// Why the scenario has no such actor, and what to write.
    fn no_actor(self, target: &Target) -> Option<(String, String)> {
        let actors = self.actors?;
        let is_there = match target {
            Target::Node(name) => actors.contains(name),
            _ => !actors.is_empty(),
        };
        let is_instance = |name| self.connected.is_some_and(|all| all.contains(name));
        if let Target::Node(name) = target
            && !is_there
            && is_instance(name)
        {
            let message = format!("{name} is an instance of redrill's own clients, and no program");
            return Some((message, "it can be paused, and its links can be cut".to_owned()));
        }
        let names: Vec<String> = actors.iter().map(NodeName::to_string).collect();
        let advice = match &names[..] {
            [] => "give a load an adapter: `client: { command: [...] }`".to_owned(),
            _ => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                nearest::advice("actors", &target.to_string(), &names)
            }
        };
        (!is_there).then(|| (format!("there is no `{target}`"), advice))
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
            [&primaries[..], replicas, sentinels].concat()
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
