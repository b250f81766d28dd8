//! How slots are moved: which, by whom, and how eagerly.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::spec::decode::{At, Decode, Field, object, schema_of, word_enum};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Time;
use crate::spec::rules::check_range;
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

/// Who moves the keys of slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Atomic, where the servers offer it.
    #[default]
    Auto,
    /// redrill, by MIGRATE.
    Migrate,
    /// The servers, by jobs of their own.
    Atomic,
}

/// How eagerly slots move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the servers can.
    Fast,
    /// Slowly enough that a shard still answers within this, 99 times of 100.
    P99(Duration),
}

word_enum!(Method as "method" {
    "auto" => Method::Auto,
    "migrate" => Method::Migrate,
    "atomic" => Method::Atomic,
});

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
                let fault = Diagnostic::new(&node.span, "this is not a pace");
                diagnostics.push(fault.advise("write `fast`, or `{ p99: 5ms }`"));
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

/// How slots are to be moved. A pace is redrill's own; servers that move slots by themselves
/// take none.
pub fn check(
    method: &Field<Method>,
    pace: &Field<Pace>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Method, Pace) {
    let method = method.or(Method::Auto);
    if let (Method::Atomic, Some(pace)) = (method, pace.given()) {
        let told = Diagnostic::new(&pace.span, "a `pace` is of no use with `method: atomic`");
        diagnostics.push(told.advise("leave it out, or write `method: migrate`"));
    }
    if let Some(At { value: Pace::P99(p99), span }) = pace.given() {
        let range = (Time(Duration::from_micros(100)), Time(Duration::from_secs(10)));
        let why = "5ms is usual; `fast` moves as fast as the servers can";
        check_range("p99", &Time(*p99), span, range, why, diagnostics);
    }
    (method, pace.or(Pace::P99(Duration::from_millis(5))))
}
