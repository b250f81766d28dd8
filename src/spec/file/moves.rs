//! The maps of steps that move slots.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::step::{Drain, Rebalance, Reshard};
use crate::spec::decode::{At, Decode, Misread, Scalar, object, schema_of, words};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::{Percent, Time};
use crate::spec::scenario::{Method, Pace};
use crate::spec::tree::{Node, Value};

object! {
    /// Moves slots from one shard to another.
    ReshardMap "a reshard step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `reshard`
        required "do" kind: Reshard,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// The shard that gives, counted from 0.
        required "from" from: u32,
        /// The shard that takes.
        required "to" to: u32,
        /// How many slots, or what share of those that `from` owns by then.
        required "slots" slots: SlotCount,
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it (Valkey 9.0, Redis
        /// 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

object! {
    /// Moves all slots of a shard to the others, evenly.
    DrainMap "a drain step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `drain`
        required "do" kind: Drain,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// The shard that gives up its slots, counted from 0.
        required "shard" shard: u32,
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it (Valkey 9.0, Redis
        /// 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

object! {
    /// Moves slots until each shard has its share by weight.
    RebalanceMap "a rebalance step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `rebalance`
        required "do" kind: Rebalance,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// One weight for each shard. Default: all the same.
        optional "weights" weights: Vec<At<f64>>,
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it (Valkey 9.0, Redis
        /// 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

words!(Method as "method" {
    "auto" => Method::Auto,
    "migrate" => Method::Migrate,
    "atomic" => Method::Atomic,
});

/// How many slots a step moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlotCount {
    Slots(u32),
    /// Of what the shard owns, in percent.
    Share(f64),
}

impl Scalar for SlotCount {
    fn read(text: &str) -> Result<SlotCount, Misread> {
        let share = || Percent::read(text).map(|Percent(share)| SlotCount::Share(share));
        u32::read(text).map(SlotCount::Slots).or_else(|_| share()).map_err(|_| {
            Misread::new(
                format!("`{text}` is not a number of slots"),
                "write a number, like 1820, or a share of the shard's slots, like 33%",
            )
        })
    }

    fn schema() -> Schema {
        json_schema!({ "anyOf": [<u32 as Scalar>::schema(), <Percent as Scalar>::schema()] })
    }
}

object! {
    /// Slots move slowly enough that a shard still answers in time.
    P99Map "a pace" {
        /// The 99th percentile of a shard's own latency that is still good.
        required "p99" p99: Time,
    }
}

impl Decode for Pace {
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Pace> {
        match &node.value {
            Value::Scalar(scalar) if scalar.text == "fast" => Some(Pace::Fast),
            Value::Map(_) => {
                let pace = P99Map::decode(node, diagnostics)?;
                pace.p99.given().map(|p99| Pace::P99(p99.value.0))
            }
            _ => {
                let diagnostic = Diagnostic::new(&node.span, "this is not a pace");
                diagnostics.push(diagnostic.advise("write `fast`, or `{ p99: 5ms }`"));
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "fast" }, schema_of::<P99Map>(generator)] })
    }
}
