//! What is measured between groups that have the same data, and how their keys are written.

use redis::Cmd;

use super::sample::Sampled;
use super::servers::Member;
use crate::model::event::SyncPair;
use crate::sync::functions;
use crate::sync::shard::Shard;

/// Who takes writes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// One group, whose writes the servers themselves bring to the others.
    One,
    /// All groups. Somebody else's replicator carries plain writes.
    Plain,
    /// All groups. redrill's own replicators carry writes, which they know of from an outbox.
    Outbox,
    /// The same, but one group at a time, and the others refuse.
    InTurn,
}

impl Writing {
    /// Whether several groups may write one key at once.
    pub(super) fn is_by_all(self) -> bool {
        match self {
            Writing::One | Writing::InTurn => false,
            Writing::Plain | Writing::Outbox => true,
        }
    }

    /// The way in which clients write.
    pub(super) fn set(self, key: &str, value: u64) -> Cmd {
        match self {
            Writing::One | Writing::Plain => Cmd::set(key, value),
            Writing::Outbox | Writing::InTurn => {
                functions::write("set", key, value.to_string().as_bytes())
            }
        }
    }

    /// A value of nothing deletes the key.
    pub(super) fn write(self, key: &str, value: Option<u64>) -> Cmd {
        match (value, self) {
            (Some(value), _) => self.set(key, value),
            (None, Writing::One | Writing::Plain) => Cmd::del(key),
            (None, Writing::Outbox | Writing::InTurn) => functions::write("del", key, b""),
        }
    }
}

/// Groups that have the same data.
pub struct Tied {
    /// By the names of the groups in `members`; of clusters, one for each shard.
    pub pairs: Vec<SyncPair>,
    /// The same in all members, and one at least.
    pub shards: Vec<Shard>,
    pub members: Vec<Member>,
    pub writing: Writing,
    /// Loads whose keys are compared.
    pub sampled: Vec<Sampled>,
}
