//! An entity, and its copies as they stand in a cache.

use redis::Value;
use serde::{Deserialize, Serialize};

use crate::load::client::{Commands, Read, ReplyValue, of};
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, FoundIn};
use crate::model::slot::slot_of;

/// What is read or written.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(super) id: u64,
    pub(super) key: String,
    pub(super) slot: u16,
}

impl Entity {
    pub(super) fn new(id: u64, key: String) -> Entity {
        let slot = slot_of(key.as_bytes());
        Entity { id, key, slot }
    }
}

/// A copy of a version of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Copy {
    pub(super) id: u64,
    pub(super) version: u64,
    /// It may be served until then.
    pub(super) until: Nanos,
    /// What the origin took for it, in nanoseconds.
    pub(super) took: u64,
}

/// A copy as JSON, with the data that makes it as large as it is to be.
#[derive(Serialize)]
struct Text<'a> {
    #[serde(flatten)]
    copy: Copy,
    data: &'a str,
}

impl Copy {
    /// In `size` bytes, or in what it takes without data if that is more.
    pub(super) fn text(self, size: usize) -> Vec<u8> {
        let text = |data: &str| {
            serde_json::to_vec(&Text { copy: self, data }).expect("numbers and letters are JSON")
        };
        let more = size.saturating_sub(text("").len());
        text(&"x".repeat(more))
    }

    /// None if these are not the bytes of a copy.
    pub(super) fn read(text: &[u8]) -> Option<Copy> {
        serde_json::from_slice(text).ok()
    }
}

/// What reads the final state of an entity's key: the version of the group's copy, or none.
pub(crate) fn last(key: &str) -> (Commands, Read) {
    let read: Read = |value| {
        let version = match value {
            Value::Nil => None,
            Value::BulkString(text) => Some(Copy::read(text)?.version),
            _ => return None,
        };
        let from = FoundIn::Group;
        let found = CacheOp::Read { version, from, asked: None, kept: None };
        Some(ReplyValue::Found(Action::Cache(found)))
    };
    (of("GET", key).into(), read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_as_large_as_it_is_to_be_and_reads_as_itself() {
        let copy = Copy { id: 3, version: 7, until: Nanos(1_000), took: 5_000_000 };
        for size in [100, 1_024, 10_240] {
            assert_eq!(copy.text(size).len(), size);
        }
        assert_eq!(Copy::read(&copy.text(500)), Some(copy));
        assert!(copy.text(3).len() > 3, "it is whole");
        let text = copy.text(500);
        for wrong in [&text[..300], b"", b"7", b"{\"id\":3}"] {
            assert_eq!(Copy::read(wrong), None);
        }
    }
}
