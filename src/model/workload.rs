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
    /// Amounts move between the accounts of a bank, and are summed up.
    Transfer,
}

impl Workload {
    pub const ALL: [Workload; 7] = [
        Workload::Register,
        Workload::Cas,
        Workload::Counter,
        Workload::Set,
        Workload::Queue,
        Workload::Stream,
        Workload::Transfer,
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
            Workload::Transfer => "transfer",
        }
    }

    /// Its keys are registers: they hold what the last write left.
    pub fn has_registers(self) -> bool {
        matches!(self, Workload::Register | Workload::Cas)
    }

    /// Whether what it writes has a size: numbers have none.
    pub fn has_sizes(self) -> bool {
        !matches!(self, Workload::Counter | Workload::Transfer)
    }

    /// Whether a load of this workload may use the keys of a load of the other.
    pub fn shares_keys_with(self, other: Workload) -> bool {
        self == other || (self.has_registers() && other.has_registers())
    }

    /// The orders by which an adapter carries it out; none if the protocol has none for it.
    pub fn orders(self) -> Option<&'static [&'static str]> {
        match self {
            Workload::Register => Some(&["get", "set"]),
            Workload::Cas => Some(&["get", "cas"]),
            Workload::Counter => Some(&["get", "incr"]),
            Workload::Set => Some(&["add"]),
            Workload::Queue => Some(&["push", "pop"]),
            Workload::Stream | Workload::Transfer => None,
        }
    }

    /// Whether what is done twice comes to the same as what is done once.
    pub fn may_be_repeated(self) -> bool {
        matches!(self, Workload::Register | Workload::Set)
    }
}
