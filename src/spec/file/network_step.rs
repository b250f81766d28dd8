//! The maps of steps that do something to links.

use std::time::Duration;

use schemars::{Schema, json_schema};

use super::step::{BandwidthStep, LatencyStep, Partition, Refuse, Reset, TrickleStep};
use crate::spec::decode::{At, Field, Misread, Scalar, object, words};
use crate::spec::network::{Jitter, Side, Spot, Via};
use crate::spec::quantity::{Bandwidth, Bytes, Percent, Time};
use crate::spec::scenario::Target;

/// The forms in which a side of a link is written, besides a target's.
const FORMS: &str = "write nodes as a `target` names them, `shard 1`, `region NAME`, `clients`, \
                     `clients in REGION`, several of these joined by ` + `, or `other nodes` or \
                     `others`: those that are not on the other side";

object! {
    /// Cuts links: nothing passes, and nobody is told.
    PartitionMap "a partition step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `partition`
        required "do" kind: Partition,
        /// The group whose nodes are meant. Default: the only group.
        optional "group" group: String,
        /// Who is cut off from all others, both ways.
        optional "target" target: Side,
        /// Two sides that are cut off from each other, both ways.
        optional "between" between: Vec<At<Side>>,
        /// Whose packets are lost, one way.
        optional "from" from: Side,
        /// To whom they are lost.
        optional "to" to: Side,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// Flapping: cut in the first half of each such time, whole in the second.
        optional "every" every: Time,
        /// Who cuts: redrill's relay, or the kernel, in containers and between nodes only.
        /// Default: `relay`.
        optional "via" via: Via,
    }
}

object! {
    /// Makes links slower.
    LatencyMap "a latency step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `latency`
        required "do" kind: LatencyStep,
        /// The group whose nodes are meant. Default: the only group.
        optional "group" group: String,
        /// Whose links to all others, both ways.
        optional "target" target: Side,
        /// Two sides whose links, both ways.
        optional "between" between: Vec<At<Side>>,
        /// Where packets come from that take longer, one way.
        optional "from" from: Side,
        /// Where they go.
        optional "to" to: Side,
        /// How much longer a packet takes one way.
        required "latency" latency: Time,
        /// How far a packet's own latency may be from that: `5ms` at most, all of it equally
        /// likely, or `normal(5ms)`, the standard deviation. Default: 0.
        optional "jitter" jitter: Jitter,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// Flapping: slow in the first half of each such time, as before in the second.
        optional "every" every: Time,
    }
}

object! {
    /// Makes links narrower.
    BandwidthMap "a bandwidth step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `bandwidth`
        required "do" kind: BandwidthStep,
        /// The group whose nodes are meant. Default: the only group.
        optional "group" group: String,
        /// Whose links to all others, both ways.
        optional "target" target: Side,
        /// Two sides whose links, both ways.
        optional "between" between: Vec<At<Side>>,
        /// Where packets come from, one way.
        optional "from" from: Side,
        /// Where they go.
        optional "to" to: Side,
        /// How much fits through in each direction, for all connections together.
        required "bandwidth" bandwidth: Bandwidth,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// Flapping: narrow in the first half of each such time, as before in the second.
        optional "every" every: Time,
    }
}

object! {
    /// Lets every connection give a few bytes at a time only.
    TrickleMap "a trickle step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `trickle`
        required "do" kind: TrickleStep,
        /// The group whose nodes are meant. Default: the only group.
        optional "group" group: String,
        /// Whose links to all others, both ways.
        optional "target" target: Side,
        /// Two sides whose links, both ways.
        optional "between" between: Vec<At<Side>>,
        /// Where bytes come from, one way.
        optional "from" from: Side,
        /// Where they go.
        optional "to" to: Side,
        /// How many of each connection at a time.
        required "bytes" bytes: Bytes,
        /// The time from then until the next ones.
        required "rest" rest: Time,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// Flapping: slow in the first half of each such time, as before in the second.
        optional "every" every: Time,
    }
}

object! {
    /// Refuses new connections: each is reset at once. Open ones go on.
    RefuseMap "a refuse step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `refuse`
        required "do" kind: Refuse,
        /// The group whose nodes are meant. Default: the only group.
        optional "group" group: String,
        /// Whose connections with all others, whoever opens them.
        optional "target" target: Side,
        /// Two sides whose connections, whoever opens them.
        optional "between" between: Vec<At<Side>>,
        /// Who opens them.
        optional "from" from: Side,
        /// Whom they are opened to.
        optional "to" to: Side,
        /// The share of them that is refused; the seed draws. Default: 100%.
        optional "share" share: Percent,
        /// How long. Default: until the load has ended.
        optional "for" lasts: Time,
        /// Flapping: refused in the first half of each such time, let in during the second.
        optional "every" every: Time,
    }
}

object! {
    /// Resets connections that are open.
    ResetMap "a reset step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `reset`
        required "do" kind: Reset,
        /// The group whose nodes are meant. Default: the only group.
        optional "group" group: String,
        /// Whose connections with all others, whoever opened them.
        optional "target" target: Side,
        /// Two sides whose connections, whoever opened them.
        optional "between" between: Vec<At<Side>>,
        /// Who opened them.
        optional "from" from: Side,
        /// Whom they were opened to.
        optional "to" to: Side,
        /// The share of them that is reset; the seed draws. Default: 100%.
        optional "share" share: Percent,
    }
}

words!(Via as "kind of cut" {
    "relay" => Via::Relay,
    "kernel" => Via::Kernel,
});

/// The keys that say which links.
pub struct Sides<'m> {
    pub target: &'m Field<Side>,
    pub between: &'m Field<Vec<At<Side>>>,
    pub from: &'m Field<Side>,
    pub to: &'m Field<Side>,
}

impl<'m> Sides<'m> {
    /// All that are given, wherever they stand.
    pub fn given(&self) -> Vec<&'m At<Side>> {
        let single = [self.target, self.from, self.to].into_iter().filter_map(Field::given);
        let pair = self.between.given().map_or(&[][..], |at| &at.value);
        single.chain(pair).collect()
    }
}

macro_rules! sides {
    ($($map:ident),*) => {
        $(impl $map {
            pub fn sides(&self) -> Sides<'_> {
                let $map { target, between, from, to, .. } = self;
                Sides { target, between, from, to }
            }
        })*
    };
}

sides!(PartitionMap, LatencyMap, BandwidthMap, TrickleMap, RefuseMap, ResetMap);

impl Scalar for Jitter {
    fn read(text: &str) -> Result<Jitter, Misread> {
        let normal = text.strip_prefix("normal(").and_then(|rest| rest.strip_suffix(')'));
        let jitter = if normal.is_some() { Jitter::Normal } else { Jitter::Uniform };
        match Time::read(normal.unwrap_or(text).trim()) {
            Ok(Time(Duration::ZERO)) => Ok(Jitter::None),
            Ok(Time(amount)) => Ok(jitter(amount)),
            Err(_) => Err(Misread::new(
                format!("`{text}` is no jitter"),
                "write 5ms for so much more or less at most, or normal(5ms) for a normal \
                 distribution of that standard deviation",
            )),
        }
    }

    fn schema() -> Schema {
        let time = r"[0-9]+(\.[0-9]+)? *(h|m|s|ms|us|ns)";
        json_schema!({
            "type": "string",
            "pattern": format!(r"^({time}|normal\( *{time} *\))$"),
            "examples": ["5ms", "normal(5ms)"],
        })
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
