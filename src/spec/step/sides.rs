//! The two sides of the links that a step changes: how they are named, and whether they are there.

use std::fmt;

use schemars::{Schema, json_schema};

use super::target::{Now, Target};
use crate::model::NodeName;
use crate::spec::decode::{At, Field, Misread, Scalar, keys};
use crate::spec::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::rules::{count, links};
use crate::spec::yaml::quoted;

/// The forms in which a side of a link is written, besides a target's.
const FORMS: &str = "write nodes as a `target` names them, `shard 1`, `region NAME`, `clients`, \
                     `clients in REGION`, `subscribers`, several of these joined by ` + `, or `other nodes` or \
                     `others`: those that are not on the other side";

/// The links between two sides: from each end of one to each end of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    pub from: Side,
    pub to: Side,
    /// Not back.
    pub one_way: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    Spots(Vec<Spot>),
    /// All nodes that are not on the other side.
    OtherNodes,
    /// All that is not on the other side: nodes, clients, and whoever else connects.
    Others,
}

/// Nodes and clients that are together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    Nodes(Target),
    /// All nodes that were born in the shard.
    Shard(u32),
    /// Its nodes and its clients.
    Region(String),
    Clients,
    ClientsIn(String),
    /// The connections on which instances are told of changes.
    Subscribers,
}

impl Links {
    /// It names nothing that is a group's.
    pub fn is_of_no_group(&self) -> bool {
        self.from.is_of_no_group() && self.to.is_of_no_group()
    }

    /// As they are written in a scenario.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let (from, to) = (quoted(&self.from.to_string()), quoted(&self.to.to_string()));
        match self.one_way {
            true => vec![("from", from), ("to", to)],
            false => vec![("between", format!("[{from}, {to}]"))],
        }
    }
}

impl fmt::Display for Links {
    /// As a person would say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.one_way {
            true => write!(f, "from {} to {}", self.from, self.to),
            false => write!(f, "between {} and {}", self.from, self.to),
        }
    }
}

impl Side {
    pub fn spots(&self) -> &[Spot] {
        match self {
            Side::Spots(spots) => spots,
            Side::OtherNodes | Side::Others => &[],
        }
    }

    /// It names no nodes by their roles, shards or names.
    pub fn is_of_no_group(&self) -> bool {
        !self.spots().iter().any(|spot| match spot {
            Spot::Nodes(target) => !target.is_of_actors(),
            Spot::Shard(_) => true,
            Spot::Region(_) | Spot::Clients | Spot::ClientsIn(_) | Spot::Subscribers => false,
        })
    }
}

impl fmt::Display for Side {
    /// As it is written in a scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::OtherNodes => f.write_str("other nodes"),
            Side::Others => f.write_str("others"),
            Side::Spots(spots) => {
                let spots: Vec<String> = spots.iter().map(Spot::to_string).collect();
                f.write_str(&spots.join(" + "))
            }
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spot::Nodes(target) => target.fmt(f),
            Spot::Shard(shard) => write!(f, "shard {shard}"),
            Spot::Region(region) => write!(f, "region {region}"),
            Spot::Clients => f.write_str("clients"),
            Spot::ClientsIn(region) => write!(f, "clients in {region}"),
            Spot::Subscribers => f.write_str("subscribers"),
        }
    }
}

impl Scalar for Side {
    fn read(text: &str) -> Result<Side, Misread> {
        match text.trim() {
            "others" => return Ok(Side::Others),
            "other nodes" => return Ok(Side::OtherNodes),
            _ => {}
        }
        let spots = text.split('+').map(|part| {
            spot(part.trim()).ok_or_else(|| {
                let message = format!("`{}` names no nodes and no clients", part.trim());
                Misread::new(message, FORMS)
            })
        });
        spots.collect::<Result<_, _>>().map(Side::Spots)
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "examples": [
                "cache/1/0", "primary of shard 1", "a minority of primaries", "shard 1",
                "region us-east", "clients", "clients in us-east", "cache/1/0 + clients",
                "subscribers", "other nodes", "others",
            ],
        })
    }
}

fn spot(text: &str) -> Option<Spot> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["clients"] => Some(Spot::Clients),
        ["subscribers"] => Some(Spot::Subscribers),
        ["clients", "in", region] => Some(Spot::ClientsIn(region.to_owned())),
        ["region", region] => Some(Spot::Region(region.to_owned())),
        ["shard", number] => number.parse().ok().map(Spot::Shard),
        _ => Target::read(text).ok().map(Spot::Nodes),
    }
}

keys! {
    /// The keys that say which links.
    SidesKeys "a step" {
        /// Whose links to all others, both ways.
        optional "target" target: Side,
        /// Two sides whose links, both ways.
        optional "between" between: Vec<At<Side>>,
        /// The side where packets come from, or connections, one way.
        optional "from" from: Side,
        /// The side where they go.
        optional "to" to: Side,
    }
}

impl SidesKeys {
    /// All that are given, wherever they stand.
    pub fn given(&self) -> Vec<&At<Side>> {
        let single = [&self.target, &self.from, &self.to].into_iter().filter_map(Field::given);
        let pair = self.between.given().map_or(&[][..], |at| &at.value);
        single.chain(pair).collect()
    }

    /// The links that are meant.
    pub fn check(&self, now: Now<'_>, errors: &mut Diagnostics) -> Option<Links> {
        let links = self.links(errors)?;
        for side in self.given() {
            for spot in side.value.spots() {
                match spot {
                    Spot::Clients => {}
                    Spot::Subscribers => {
                        if now.subscribers.is_some_and(<[NodeName]>::is_empty) {
                            let message = "no load has connections on which it is told of changes";
                            let advice = "give one a layer `in: process`, and `invalidate: publish` or \
                                          another way by which it is told";
                            errors.add(&side.span, message, advice);
                        }
                    }
                    Spot::Region(name) | Spot::ClientsIn(name) => {
                        let name = At { value: name.clone(), span: side.span.clone() };
                        links::region(&name, now.regions, errors);
                    }
                    Spot::Shard(number) => {
                        errors.add_if(&side.span, now.no_shard(*number));
                    }
                    Spot::Nodes(target @ Target::Actors) => {
                        let advice =
                            "write `clients`, or `clients in REGION`: actors are among them";
                        let message = format!("a step on links does not name `{target}`");
                        errors.add(&side.span, message, advice);
                    }
                    // Whoever connects from an address of its own need not be a program.
                    Spot::Nodes(target) if target.is_of_actors() => {
                        let now = Now { actors: now.connected, ..now };
                        errors.add_if(&side.span, now.lacks(target));
                    }
                    Spot::Nodes(target) => {
                        errors.add_if(&side.span, now.lacks(target));
                    }
                }
            }
        }
        Some(links)
    }

    /// The two sides: `target` against all others, `between` two, or one way.
    fn links(&self, errors: &mut Diagnostics) -> Option<Links> {
        let SidesKeys { span, target, between, from, to } = self;
        let is_bad = |field: &Field<Side>| matches!(field, Field::Bad);
        if is_bad(target) || is_bad(from) || is_bad(to) || matches!(between, Field::Bad) {
            return None;
        }
        let (from, to, one_way) = match (target.given(), between.given(), from.given(), to.given())
        {
            (Some(target), None, None, None) => (&target.value, &Side::Others, false),
            (None, Some(pair), None, None) => match &pair.value[..] {
                [one, other] => (&one.value, &other.value, false),
                _ => {
                    let sides = count(pair.value.len() as u32, "side");
                    let message = format!("a link is between two sides, and this is {sides}");
                    errors.push(Diagnostic::new(&pair.span, message));
                    return None;
                }
            },
            (None, None, Some(from), Some(to)) => (&from.value, &to.value, true),
            _ => {
                let message =
                    "a step on links needs `target`, or `between`, or both `from` and `to`";
                let advice = "write `target: primary of shard 1` to part it from all others, or \
                              `between: [cache/0/0, clients]`";
                errors.add(span, message, advice);
                return None;
            }
        };
        if from.spots().is_empty() && to.spots().is_empty() {
            let message = "neither side says who is on it";
            errors.add(span, message, "name nodes, a region or clients on one side");
            return None;
        }
        Some(Links { from: from.clone(), to: to.clone(), one_way })
    }
}
