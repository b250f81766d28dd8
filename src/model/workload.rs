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
        /// Locks are acquired, held and released, and each guards an account.
        Lock "lock",
        /// Entities of an origin are read and written through layers of copies.
        Cache "cache",
        /// Keys are set for a time, and looked at around their end.
        Expiry "expiry",
    }
}

/// What is so of a workload, whatever its parameters.
struct Facts {
    /// Its keys are registers: they hold what the last write left.
    registers: bool,
    /// On how many groups it acts.
    groups: usize,
    /// What it writes has a size: numbers have none.
    sizes: bool,
    /// What is done twice comes to the same as what is done once.
    repeatable: bool,
    /// Its keys are there for a time only.
    expires: bool,
    /// The share of reads that is usual, in percent; none if it has no reads.
    reads: Option<f64>,
    /// The orders by which an adapter carries it out; none if the protocol has none for it.
    orders: Option<&'static [&'static str]>,
}

impl Workload {
    const fn facts(self) -> Facts {
        const USUAL: Facts = Facts {
            registers: false,
            groups: 1,
            sizes: true,
            repeatable: false,
            expires: false,
            reads: Some(50.0),
            orders: None,
        };
        match self {
            Workload::Register => {
                Facts { registers: true, repeatable: true, orders: Some(&["get", "set"]), ..USUAL }
            }
            Workload::Cas => Facts { registers: true, orders: Some(&["get", "cas"]), ..USUAL },
            Workload::Counter => Facts { sizes: false, orders: Some(&["get", "incr"]), ..USUAL },
            Workload::Set => {
                Facts { repeatable: true, reads: None, orders: Some(&["add"]), ..USUAL }
            }
            Workload::Queue => Facts { orders: Some(&["push", "pop"]), ..USUAL },
            // Each element is taken and dealt with: two operations for the one that put it in.
            Workload::Stream => Facts { reads: Some(67.0), ..USUAL },
            Workload::Transfer => Facts { sizes: false, ..USUAL },
            Workload::DualWrite => Facts { groups: 2, ..USUAL },
            Workload::Lock => {
                let orders: &[&str] = &["acquire", "extend", "release"];
                Facts { sizes: false, orders: Some(orders), ..USUAL }
            }
            Workload::Cache => {
                let orders: &[&str] = &["read", "invalidate", "write"];
                Facts { reads: Some(95.0), expires: true, orders: Some(orders), ..USUAL }
            }
            Workload::Expiry => Facts { expires: true, reads: None, ..USUAL },
        }
    }

    /// Its keys are registers: they hold what the last write left.
    pub fn has_registers(self) -> bool {
        self.facts().registers
    }

    /// On how many groups it acts.
    pub fn groups(self) -> usize {
        self.facts().groups
    }

    /// Whether what it writes has a size: numbers have none.
    pub fn has_sizes(self) -> bool {
        self.facts().sizes
    }

    /// Whether its keys are there for a time only: how servers let keys go is measured then.
    pub fn expires(self) -> bool {
        self.facts().expires
    }

    /// The share of reads that is usual, in percent; `None` if it has no reads.
    pub fn usual_reads(self) -> Option<f64> {
        self.facts().reads
    }

    /// Whether a load of this workload may use the keys of a load of the other.
    pub fn shares_keys_with(self, other: Workload) -> bool {
        self == other || (self.has_registers() && other.has_registers())
    }

    /// The orders by which an adapter carries it out; none if the protocol has none for it.
    pub fn orders(self) -> Option<&'static [&'static str]> {
        self.facts().orders
    }

    /// Whether what is done twice comes to the same as what is done once.
    pub fn may_be_repeated(self) -> bool {
        self.facts().repeatable
    }
}
