//! What a session is given by chance, and the operations that come of it.
//!
//! Every value that a load writes, adds or puts in is one that it never wrote before, so
//! whoever meets a value knows which operation it came from.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::model::op::Action;
use crate::spec::scenario::Keyspace;

/// One operation, before it is known how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) key: u64,
    pub(crate) action: Action,
    /// The written value's size in bytes; 0 if none is.
    pub(crate) size: usize,
    /// Of an element that came out of a stream: its id there.
    pub(crate) entry: Option<String>,
}

impl Plan {
    /// Of an action that brings no value along.
    pub(crate) fn bare(key: u64, action: Action) -> Plan {
        Plan { key, action, size: 0, entry: None }
    }
}

/// What a session is given by chance.
#[derive(Debug)]
pub(crate) struct Draw {
    pub(super) rng: Xoshiro256PlusPlus,
    pub(super) size: (usize, usize),
    pub(super) keyspace: Keyspace,
    /// Filling writes 1 to this.
    pub(super) filled: u64,
    /// Values drawn so far.
    pub(super) drawn: u64,
}

impl Draw {
    /// An action on `key` that brings a new value along.
    pub(crate) fn plan(&mut self, key: u64, action: impl FnOnce(u64) -> Action) -> Plan {
        let value = self.filled + 1 + self.keyspace.number(self.drawn);
        self.drawn += 1;
        Plan { size: self.size(), ..Plan::bare(key, action(value)) }
    }

    /// A number below `most`.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.rng.random_range(0..most)
    }

    pub(super) fn size(&mut self) -> usize {
        self.rng.random_range(self.size.0..=self.size.1.max(self.size.0))
    }
}
