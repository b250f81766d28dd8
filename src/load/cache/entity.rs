//! An entity, and its copies as they stand in a cache.

use std::cell::Cell;

use redis::Value;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh64::xxh64;

use crate::load::client::{Commands, Read, ReplyValue, of};
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, FoundIn, key_name};
use crate::model::slot::slot_of;
use crate::spec::cache::Naming;

/// What is read or written.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(super) id: u64,
    /// Where its copy is in the group.
    pub(super) key: String,
    pub(super) slot: u16,
    /// When it was seen that the copy there is another one's.
    pub(super) met: Cell<Option<Nanos>>,
}

impl Entity {
    pub(super) fn new(id: u64, key: String) -> Entity {
        let slot = slot_of(key.as_bytes());
        Entity { id, key, slot, met: Cell::new(None) }
    }

    /// The entity of a load that bears this name, so called.
    pub(super) fn named(id: u64, load: &str, naming: Naming) -> Entity {
        let name = key_name(load, id);
        Entity::new(
            id,
            match naming {
                Naming::Plain => name,
                Naming::Hashed(bits) => {
                    format!("{load}:h{:x}", xxh64(name.as_bytes(), 0) >> (64 - bits))
                }
                Naming::Joined => format!("{load}:{}{}", id / THINGS, id % THINGS),
            },
        )
    }
}

/// Of each user, where names are joined.
const THINGS: u64 = 12;

/// Of the copies of an entity, in bytes: each entity has its own, which is always the same.
pub(super) fn size_of((least, most): (usize, usize), id: u64) -> usize {
    let spread = (most.max(least) - least + 1) as u64;
    least + (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16) as usize % spread as usize
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
    pub(super) fn text(self, size: usize) -> String {
        let text = |data: &str| {
            serde_json::to_string(&Text { copy: self, data }).expect("numbers and letters are JSON")
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
            // What somebody else's library leaves there is written in its own way.
            Value::BulkString(text) => Copy::read(text).map(|copy| copy.version),
            _ => return None,
        };
        let from = FoundIn::Group;
        let found = CacheOp::Read { version, from, asked: None, kept: None, met: None };
        Some(ReplyValue::Found(Action::Cache(found)))
    };
    (of("GET", key).into(), read)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that several of so many entities have, and how many have them.
    fn collisions(naming: Naming, entities: u64) -> usize {
        let mut all: Vec<String> =
            (0..entities).map(|id| Entity::named(id, "app", naming).key).collect();
        all.sort();
        all.chunk_by(|a, b| a == b).filter(|same| same.len() > 1).map(<[String]>::len).sum()
    }

    #[test]
    fn names_that_say_too_little_are_those_of_several() {
        assert_eq!(collisions(Naming::Plain, 10_000), 0);
        assert_eq!(collisions(Naming::Hashed(64), 10_000), 0);
        assert_eq!(collisions(Naming::Hashed(1), 10), 10);
        // Each of 10,000 meets one of the others in 65,536 places with a chance of 14 %.
        let met = collisions(Naming::Hashed(16), 10_000);
        assert!((1_200..1_640).contains(&met), "{met}");
        let [one, other] =
            [12 + 11, 12 * 11 + 1].map(|id| Entity::named(id, "app", Naming::Joined));
        assert_eq!((&*one.key, &*other.key), ("app:111", "app:111"));
    }

    #[test]
    fn a_copy_is_as_large_as_it_is_to_be_and_reads_as_itself() {
        let copy = Copy { id: 3, version: 7, until: Nanos(1_000), took: 5_000_000 };
        for size in [100, 1_024, 10_240] {
            assert_eq!(copy.text(size).len(), size);
        }
        assert_eq!(Copy::read(copy.text(500).as_bytes()), Some(copy));
        assert!(copy.text(3).len() > 3, "it is whole");
        let text = copy.text(500).into_bytes();
        for wrong in [&text[..300], b"", b"7", b"{\"id\":3}"] {
            assert_eq!(Copy::read(wrong), None);
        }
    }
}
