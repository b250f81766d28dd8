//! An entity, and its copies as they stand in a cache.

use std::cell::Cell;

use redis::Value;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh64::xxh64;

use super::coder::Coder;
use super::data::Data;
use crate::load::cache::invalidation::{pattern, tags};
use crate::load::cache::origin::ABSENT;
use crate::load::client::{Commands, Read, ReplyValue, of};
use crate::model::Nanos;
use crate::model::event::CacheInfo;
use crate::model::op::{Action, CacheOp, FoundIn, key_name};
use crate::model::slot::slot_of;
use crate::spec::cache::{Cache, FoundBy, Naming, THINGS};

/// What is read or written.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(in crate::load::cache) id: u64,
    /// Where its copy is in the group.
    pub(in crate::load::cache) key: String,
    pub(in crate::load::cache) slot: u16,
    /// When it was seen that the copy there is another one's.
    pub(in crate::load::cache) met: Cell<Option<Nanos>>,
    /// Its generation, as it was seen last (`invalidate: versioned`).
    pub(in crate::load::cache) generation: Cell<Option<u64>>,
}

impl Entity {
    pub(in crate::load::cache) fn new(id: u64, key: String) -> Entity {
        let slot = slot_of(key.as_bytes());
        Entity { id, key, slot, met: Cell::new(None), generation: Cell::new(None) }
    }

    /// The entity of a load that bears this name, as its cache calls it.
    pub(in crate::load::cache) fn of(id: u64, load: &str, cache: &Cache) -> Entity {
        match cache.invalidate.found_by() {
            FoundBy::Tag => Entity::new(id, tags::key(load, id)),
            FoundBy::Pattern => Entity::new(id, pattern::key(load, id)),
            FoundBy::Name | FoundBy::Generation => Entity::named(id, load, cache.naming),
        }
    }

    /// The entity of a load that bears this name, so called.
    pub(in crate::load::cache) fn named(id: u64, load: &str, naming: Naming) -> Entity {
        let name = key_name(load, id);
        Entity::new(
            id,
            match naming {
                Naming::Plain => name,
                Naming::Hashed(bits) => {
                    format!("{load}:h{:x}", xxh64(name.as_bytes(), 0) >> (64 - bits))
                }
                Naming::Joined => format!("{load}:{}{}", id / THINGS, id % THINGS),
                Naming::Tagged => format!("{{{load}}}:{id}"),
            },
        )
    }
}

/// Of the copies of an entity, in bytes.
fn size_of((least, most): (usize, usize), id: u64) -> usize {
    CacheInfo::size_of((least as u64, most as u64), id) as usize
}

/// A copy of a version of an entity. What the entity holds follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load::cache) struct Copy {
    pub(in crate::load::cache) id: u64,
    pub(in crate::load::cache) version: u64,
    /// It may be served until then.
    pub(in crate::load::cache) until: Nanos,
    /// What the origin took for it, in nanoseconds.
    pub(in crate::load::cache) took: u64,
}

/// A copy as a library keeps it: JSON.
#[derive(Serialize, Deserialize)]
struct Text {
    until: Nanos,
    took: u64,
    entity: Data,
}

impl Copy {
    /// How large the entity is as JSON, of such `sizes`. What says that there is none is as small as
    /// it can be.
    pub(in crate::load::cache) fn size(self, sizes: (usize, usize)) -> usize {
        if self.version == ABSENT { 0 } else { size_of(sizes, self.id) }
    }

    fn data(self, sizes: (usize, usize)) -> Data {
        Data::of(self.id, self.version, self.size(sizes))
    }

    /// As it stands in the group: three numbers with a space after each, so that scripts can read
    /// them whatever the format is, and the entity. Entities have such `sizes` as JSON.
    pub(in crate::load::cache) fn bytes(self, coder: &Coder, sizes: (usize, usize)) -> Vec<u8> {
        let entity = coder.encode(&self.data(sizes));
        let mut bytes = Vec::with_capacity(entity.len() + 48);
        bytes.extend(format!("{} {} {} ", self.version, self.until.0, self.took).into_bytes());
        bytes.extend(entity);
        bytes
    }

    /// None if these are not the bytes of a copy, or not all of the entity is what was written.
    pub(in crate::load::cache) fn read(
        bytes: &[u8],
        coder: &Coder,
        sizes: (usize, usize),
    ) -> Option<Copy> {
        let ([version, until, took], entity) = head(bytes)?;
        let data = coder.decode(entity)?;
        Copy { id: data.id, version, until: Nanos(until), took }.of(&data, sizes)
    }

    /// For a library.
    pub(in crate::load::cache) fn text(self, sizes: (usize, usize)) -> String {
        let text = Text { until: self.until, took: self.took, entity: self.data(sizes) };
        serde_json::to_string(&text).expect("numbers and letters are JSON")
    }

    /// As [`Copy::read`], of what a library has.
    pub(in crate::load::cache) fn read_text(text: &str, sizes: (usize, usize)) -> Option<Copy> {
        let Text { until, took, entity } = serde_json::from_str(text).ok()?;
        Copy { id: entity.id, version: entity.version, until, took }.of(&entity, sizes)
    }

    /// If that is what it holds.
    fn of(self, data: &Data, sizes: (usize, usize)) -> Option<Copy> {
        data.is(self.id, self.version, self.size(sizes)).then_some(self)
    }
}

/// Its version, its end and what the origin took, and what follows.
fn head(bytes: &[u8]) -> Option<([u64; 3], &[u8])> {
    let mut parts = bytes.splitn(4, |byte| *byte == b' ');
    let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse().ok();
    Some(([number()?, number()?, number()?], parts.next()?))
}

/// What stands in the place of a copy while somebody with a lease asks the origin begins so, and no
/// copy does.
pub(in crate::load::cache) const TOKEN: &str = "lease ";

pub(in crate::load::cache) fn is_token(found: &[u8]) -> bool {
    found.starts_with(TOKEN.as_bytes())
}

/// What reads the final state of an entity's key: the version of the group's copy, or none.
pub(crate) fn last(key: &str) -> (Commands, Read) {
    let read: Read = |value| {
        let version = match value {
            Value::Nil => None,
            // What somebody else's library leaves there is written in its own way.
            Value::BulkString(bytes) => head(bytes).map(|([version, ..], _)| version),
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
    use crate::load::workload::beside;
    use crate::model::Clock;
    use crate::spec::cache::Format;

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
        let [one, other] = [1, 2].map(|id| Entity::named(id, "app", Naming::Tagged));
        assert_eq!((&*one.key, one.slot), ("{app}:1", other.slot));
        assert_eq!(slot_of(beside(&one.key, "lock").as_bytes()), one.slot);
    }

    const SIZES: (usize, usize) = (500, 900);
    const COPY: Copy = Copy { id: 3, version: 7, until: Nanos(1_000), took: 5_000_000 };

    #[test]
    fn a_copy_reads_as_itself_if_all_of_it_is_there() {
        let coder = Coder::new(Format::JSON, SIZES.1, Clock::start()).unwrap();
        let bytes = COPY.bytes(&coder, SIZES);
        assert_eq!(bytes.len(), "7 1000 5000000 ".len() + COPY.size(SIZES));
        let read = |bytes: &[u8]| Copy::read(bytes, &coder, SIZES);
        assert_eq!(read(&bytes), Some(COPY));
        for wrong in [&bytes[..300], &bytes[..14], b"", b"7", b"7 8 9 {\"id\":3}", b"{\"id\":3}"] {
            assert_eq!(read(wrong), None);
        }
        let other = Copy { version: 8, ..COPY }.bytes(&coder, SIZES);
        assert_eq!(read(&[&bytes[..15], &other[15..]].concat()), None, "the parts of two");
        assert_eq!(read(&COPY.bytes(&coder, (300, 310))), None, "of another size");
        let absent = Copy { version: ABSENT, ..COPY };
        let bytes = absent.bytes(&coder, SIZES);
        assert!(bytes.len() < 300, "there is none of it");
        assert_eq!(read(&bytes), Some(absent));
    }

    #[test]
    fn json_that_went_through_floats_is_not_what_was_written() {
        let text = COPY.text(SIZES);
        assert_eq!(Copy::read_text(&text, SIZES), Some(COPY));
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(Copy::read_text(&value.to_string(), SIZES), Some(COPY), "in any order");
        let serial = &mut value["entity"]["serial"];
        *serial = (serial.as_f64().unwrap() as u64).into();
        assert_eq!(Copy::read_text(&value.to_string(), SIZES), None);
    }
}
