//! What the clients of a load do.

use super::words::words;

words! {
    /// Which operations a load makes, which says what its keys are and who judges them.
    #[derive(Default)]
    pub enum Workload {
        /// Reads and writes of single keys.
        #[default]
        Register "register",
        /// Reads and compare-and-sets of single keys.
        Cas "cas",
        /// Increments (INCR) and reads of counters.
        Counter "counter",
        /// Unique elements are added to sets (SADD), which are read at the end.
        Set "set",
        /// Unique elements go into lists (LPUSH) and come out (RPOP).
        Queue "queue",
        /// The same with streams and a consumer group (XADD, XREADGROUP, XACK).
        Stream "stream",
        /// Amounts move between the accounts of a bank, and are summed up.
        Transfer "transfer",
        /// Each value is written to two groups, and read from the first.
        DualWrite "dual-write",
    }
}

impl Workload {
    /// Its keys are registers: they hold what the last write left.
    pub fn has_registers(self) -> bool {
        matches!(self, Workload::Register | Workload::Cas)
    }

    /// On how many groups it acts.
    pub fn groups(self) -> usize {
        match self {
            Workload::DualWrite => 2,
            Workload::Register
            | Workload::Cas
            | Workload::Counter
            | Workload::Set
            | Workload::Queue
            | Workload::Stream
            | Workload::Transfer => 1,
        }
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
            Workload::Stream | Workload::Transfer | Workload::DualWrite => None,
        }
    }

    /// Whether what is done twice comes to the same as what is done once.
    pub fn may_be_repeated(self) -> bool {
        matches!(self, Workload::Register | Workload::Set)
    }
}
