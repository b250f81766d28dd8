//! How slots are moved: which, by whom, and how eagerly.

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
}

object! {
    /// Slots move slowly enough that a shard still answers in time.
    P99Map "a pace" {
        /// The 99th percentile of a shard's own latency that is still good.
        #[range(Time(Duration::from_micros(100)), Time::secs(10),
            "5ms is usual; `fast` moves as fast as the servers can")]
        required "p99" p99: Time,
    }
}

impl Decode for Pace {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<Pace> {
        match &node.value {
            Value::Scalar(scalar) if scalar.text == "fast" => Some(Pace::Fast),
            Value::Map(_) => {
                let pace = P99Map::decode(node, errors)?;
                pace.p99.given().map(|p99| Pace::P99(p99.value.0))
            }
            _ => {
                errors.add(&node.span, "this is not a pace", "write `fast`, or `{ p99: 5ms }`");
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "fast" }, schema_of::<P99Map>(generator)] })
    }
}

impl Yaml for Pace {
    fn yaml(&self) -> Option<String> {
        Some(match self {
            Pace::Fast => "fast".to_owned(),
            Pace::P99(p99) => format!("{{ p99: {} }}", Time(*p99)),
        })
    }
}

keys! {
    /// How slots are to be moved.
    MovesKeys "a step" {
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
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
        (method, self.pace.or(Pace::P99(Duration::from_millis(5))))
    }
}
