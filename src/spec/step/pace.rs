//! How slots are moved: which, by whom, and how eagerly.

use std::fmt;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::spec::decode::{Decode, keys, object, schema_of, word_enum};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::quantity::Time;
use crate::spec::tree::{Node, Value};
use crate::spec::yaml::Yaml;

/// Which slots go where.
#[derive(Clone, Debug, PartialEq)]
pub enum SlotMove {
    Reshard {
        from: u32,
        to: u32,
        slots: u32,
    },
    /// The shard gives all its slots to the others, evenly.
    Drain {
        shard: u32,
    },
    /// Every shard gets slots by its weight; one weight a shard.
    Rebalance {
        weights: Vec<f64>,
    },
}

word_enum! {
    /// Who moves the keys of slots.
    #[derive(Default)]
    Method "method" {
        /// Atomic, where the servers offer it.
        #[default]
        Auto "auto",
        /// redrill, by MIGRATE.
        Migrate "migrate",
        /// The servers, by jobs of their own.
        Atomic "atomic",
    }
}

/// How eagerly slots move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the servers can.
    Fast,
    /// Slowly enough that a shard still answers within this, 99 times of 100.
    P99(Duration),
    /// Slowly enough that moving adds no more than this to what a shard's answers take anyway.
    Adds(Duration),
}

/// Follows the machine: a goal that says nothing of it may lie below what it can do.
impl Default for Pace {
    fn default() -> Pace {
        Pace::Adds(Duration::from_millis(2))
    }
}

const LEAST: Time = Time(Duration::from_micros(100));
const MOST: Time = Time::secs(10);

object! {
    /// What slots that move may do to a shard's answers: one of the two.
    PaceMap "a pace" {
        /// What moving may add to the 99th percentile of a shard's own latency, as it was just
        /// before.
        #[range(LEAST, MOST, "2ms is usual; `fast` moves as fast as the servers can")]
        optional "adds" adds: Time,
        /// The 99th percentile of a shard's own latency that is still good, on any machine.
        #[range(LEAST, MOST, "5ms is usual; `fast` moves as fast as the servers can")]
        optional "p99" p99: Time,
    }
}

const ADVICE: &str = "write `fast`, `{ adds: 2ms }` or `{ p99: 5ms }`";

impl Decode for Pace {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<Pace> {
        match &node.value {
            Value::Scalar(scalar) if scalar.text == "fast" => Some(Pace::Fast),
            Value::Map(_) => {
                let PaceMap { adds, p99, .. } = PaceMap::decode(node, errors)?;
                match (adds.is_missing(), p99.is_missing()) {
                    (true, true) => {
                        errors.add(&node.span, "a pace needs `adds` or `p99`", ADVICE);
                        None
                    }
                    (false, false) => {
                        errors.add(&node.span, "a pace has either `adds` or `p99`", ADVICE);
                        None
                    }
                    (false, true) => adds.given().map(|adds| Pace::Adds(adds.value.0)),
                    (true, false) => p99.given().map(|p99| Pace::P99(p99.value.0)),
                }
            }
            _ => {
                errors.add(&node.span, "this is not a pace", ADVICE);
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let mut map = schema_of::<PaceMap>(generator);
        map.insert("minProperties".to_owned(), 1.into());
        map.insert("maxProperties".to_owned(), 1.into());
        json_schema!({ "anyOf": [{ "const": "fast" }, map] })
    }
}

impl Yaml for Pace {
    fn yaml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pace::Fast => f.write_str("fast"),
            Pace::P99(p99) => write!(f, "{{ p99: {} }}", Time(*p99)),
            Pace::Adds(adds) => write!(f, "{{ adds: {} }}", Time(*adds)),
        }
    }
}

keys! {
    /// How slots are to be moved.
    MovesKeys "a step" {
        /// How eagerly slots move. Default: `{ adds: 2ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it
        /// (Valkey 9.0, Redis 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

impl MovesKeys {
    /// A pace is redrill's own; servers that move slots by themselves take none.
    pub fn check(&self, errors: &mut Diagnostics) -> (Method, Pace) {
        let method = self.method.or(Method::Auto);
        if let (Method::Atomic, Some(pace)) = (method, self.pace.given()) {
            let message = "a `pace` is of no use with `method: atomic`";
            errors.add(&pace.span, message, "leave it out, or write `method: migrate`");
        }
        (method, self.pace.or(Pace::default()))
    }
}
