//! What the clients of a load do.

use serde::{Deserialize, Serialize};

/// Which operations a load makes, which says what its keys are and who judges them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// Reads and writes of single keys.
    #[default]
    Register,
    /// Reads and compare-and-sets of single keys.
    Cas,
    /// Increments (INCR) and reads of counters.
    Counter,
    /// Unique elements are added to sets (SADD), which are read at the end.
    Set,
    /// Unique elements go into lists (LPUSH) and come out (RPOP).
    Queue,
    /// The same with streams and a consumer group (XADD, XREADGROUP, XACK).
    Stream,
}

impl Workload {
    pub const ALL: [Workload; 6] = [
        Workload::Register,
        Workload::Cas,
        Workload::Counter,
        Workload::Set,
        Workload::Queue,
        Workload::Stream,
    ];

    /// As it is written in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Workload::Register => "register",
            Workload::Cas => "cas",
            Workload::Counter => "counter",
            Workload::Set => "set",
            Workload::Queue => "queue",
            Workload::Stream => "stream",
        }
    }

    /// Its keys are registers: they hold what the last write left.
    pub fn has_registers(self) -> bool {
        matches!(self, Workload::Register | Workload::Cas)
    }

    /// The orders by which an adapter carries it out; none if the protocol has none for it.
    pub fn orders(self) -> Option<&'static [&'static str]> {
        match self {
            Workload::Register => Some(&["get", "set"]),
            Workload::Cas => Some(&["get", "cas"]),
            Workload::Counter => Some(&["get", "incr"]),
            Workload::Set => Some(&["add"]),
            Workload::Queue => Some(&["push", "pop"]),
            Workload::Stream => None,
        }
    }

    /// Whether what is done twice comes to the same as what is done once.
    pub fn may_be_repeated(self) -> bool {
        matches!(self, Workload::Register | Workload::Set)
    }
}
