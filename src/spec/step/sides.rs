//! The two sides of the links that a step changes: how they are named, and whether they are there.

use std::fmt;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::target::{Now, Target};
use crate::spec::decode::{At, Field, Key, Misread, Scalar, field, schema_of};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::rules::{count, links};
use crate::spec::source::Span;
use crate::spec::tree::Entry;
use crate::spec::yaml::quoted;

/// The forms in which a side of a link is written, besides a target's.
const FORMS: &str = "write nodes as a `target` names them, `shard 1`, `region NAME`, `clients`, \
                     `clients in REGION`, several of these joined by ` + `, or `other nodes` or \
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
        !self.spots().iter().any(|spot| matches!(spot, Spot::Nodes(_) | Spot::Shard(_)))
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
                "other nodes", "others",
            ],
        })
    }
}

fn spot(text: &str) -> Option<Spot> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["clients"] => Some(Spot::Clients),
        ["clients", "in", region] => Some(Spot::ClientsIn(region.to_owned())),
        ["region", region] => Some(Spot::Region(region.to_owned())),
        ["shard", number] => number.parse().ok().map(Spot::Shard),
        _ => Target::read(text).ok().map(Spot::Nodes),
    }
}

/// The keys that say which links.
#[derive(Clone, Debug)]
pub struct SidesMap {
    pub target: Field<Side>,
    pub between: Field<Vec<At<Side>>>,
    pub from: Field<Side>,
    pub to: Field<Side>,
}

impl Default for SidesMap {
    fn default() -> SidesMap {
        let (target, from, to) = (Field::Missing, Field::Missing, Field::Missing);
        SidesMap { target, between: Field::Missing, from, to }
    }
}

impl SidesMap {
    pub const KEYS: &[&str] = &["target", "between", "from", "to"];

    pub fn read(entries: &[Entry], diagnostics: &mut Vec<Diagnostic>) -> SidesMap {
        SidesMap {
            target: field(entries, "target", diagnostics),
            between: field(entries, "between", diagnostics),
            from: field(entries, "from", diagnostics),
            to: field(entries, "to", diagnostics),
        }
    }

    pub fn schema_keys(generator: &mut SchemaGenerator) -> Vec<Key> {
        let mut key = |name, about| {
            let schema = match name {
                "between" => schema_of::<Vec<At<Side>>>(generator),
                _ => schema_of::<Side>(generator),
            };
            Key { name, required: false, about, schema }
        };
        vec![
            key("target", &["Whose links to all others, both ways."]),
            key("between", &["Two sides whose links, both ways."]),
            key("from", &["The side where packets come from, or connections, one way."]),
            key("to", &["The side where they go."]),
        ]
    }

    /// All that are given, wherever they stand.
    pub fn given(&self) -> Vec<&At<Side>> {
        let single = [&self.target, &self.from, &self.to].into_iter().filter_map(Field::given);
        let pair = self.between.given().map_or(&[][..], |at| &at.value);
        single.chain(pair).collect()
    }

    /// The links that are meant; `span` is the step's.
    pub fn check(
        &self,
        span: &Span,
        now: Now<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Links> {
        let links = self.links(span, diagnostics)?;
        for side in self.given() {
            missing_spots(side, now, diagnostics);
        }
        Some(links)
    }

    /// The two sides: `target` against all others, `between` two, or one way.
    fn links(&self, span: &Span, diagnostics: &mut Vec<Diagnostic>) -> Option<Links> {
        let SidesMap { target, between, from, to } = self;
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
                    diagnostics.push(Diagnostic::new(&pair.span, message));
                    return None;
                }
            },
            (None, None, Some(from), Some(to)) => (&from.value, &to.value, true),
            _ => {
                let message =
                    "a step on links needs `target`, or `between`, or both `from` and `to`";
                let advice = "write `target: primary of shard 1` to part it from all others, or \
                              `between: [cache/0/0, clients]`";
                diagnostics.push(Diagnostic::new(span, message).advise(advice));
                return None;
            }
        };
        if from.spots().is_empty() && to.spots().is_empty() {
            let fault = Diagnostic::new(span, "neither side says who is on it");
            diagnostics.push(fault.advise("name nodes, a region or clients on one side"));
            return None;
        }
        Some(Links { from: from.clone(), to: to.clone(), one_way })
    }
}

/// What of a side is not there.
fn missing_spots(side: &At<Side>, now: Now<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for spot in side.value.spots() {
        match spot {
            Spot::Clients => {}
            Spot::Region(name) | Spot::ClientsIn(name) => {
                let name = At { value: name.clone(), span: side.span.clone() };
                links::region(&name, now.regions, diagnostics);
            }
            Spot::Shard(number) => {
                told(now.no_shard(*number), &side.span, diagnostics);
            }
            Spot::Nodes(target) => {
                told(now.lacks(target), &side.span, diagnostics);
            }
        }
    }
}

fn told(missing: Option<(String, String)>, span: &Span, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics
        .extend(missing.map(|(message, advice)| Diagnostic::new(span, message).advise(advice)));
}
