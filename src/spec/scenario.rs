//! A checked scenario: what a scenario file means, with every default filled in.

use std::time::Duration;

use crate::model::event::Expectation;

use super::topology::Topology;

#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub name: String,
    pub summary: String,
    pub topology: Topology,
    pub loads: Vec<Load>,
    /// By their instants.
    pub timeline: Vec<Step>,
    pub probe: Probe,
    pub settle: Duration,
    pub expect: Vec<Expectation>,
}

/// Open loop: operation `n` is intended `n / rate` seconds after the load's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub name: String,
    /// The group that it is put on.
    pub group: String,
    pub client: ClientKind,
    /// Operations a second.
    pub rate: f64,
    /// Logical clients.
    pub clients: u32,
    pub keys: u64,
    pub distribution: Distribution,
    /// From 0.0 (only writes) to 1.0 (only reads).
    pub reads: f64,
    /// Smallest and largest value, in bytes.
    pub value: (usize, usize),
    /// How long a client waits for an answer.
    pub timeout: Duration,
    /// Operations past this many in flight are shed, and recorded as such.
    pub max_in_flight: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// redrill's own routing: every redirect and error is seen.
    Redrill,
    /// The stock cluster client of the `redis` crate: what an application on it feels.
    RedisRs,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    Uniform,
    /// The exponent.
    Zipf(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    pub every: Duration,
    pub deadline: Duration,
    /// Canaries for each shard.
    pub canaries: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub at: Duration,
    pub group: String,
    pub action: StepAction,
    pub method: Method,
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

impl Method {
    /// As it is written in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Method::Auto => "auto",
            Method::Migrate => "migrate",
            Method::Atomic => "atomic",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepAction {
    Reshard {
        from: u32,
        to: u32,
        slots: u32,
        pace: Pace,
    },
    /// The shard gives all its slots to the others, evenly.
    Drain {
        shard: u32,
        pace: Pace,
    },
    /// Every shard gets slots by its weight; one weight a shard.
    Rebalance {
        weights: Vec<f64>,
        pace: Pace,
    },
}

/// How eagerly slots move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the servers can.
    Fast,
    /// Slowly enough that a shard still answers within this, 99 times of 100.
    P99(Duration),
}
