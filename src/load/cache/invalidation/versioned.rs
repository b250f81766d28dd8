//! The name of a copy has its entity's generation in it. A writer begins a new generation, so that
//! nobody finds the old copy any more, which stays until its time is over. A reader leaves its copy
//! under the generation that it saw before it asked the origin, or none if that is old by then.
//!
//! Namespaces of memcached: <https://github.com/memcached/memcached/wiki/ProgrammingTricks#namespacing>
//!
//! A generation that is not known is set to the time, as there: one that a server lost never comes back.
//! Generation and copies have a hash tag in common, so one script reads both.

use super::way::Way;
use crate::load::cache::copy::entity::Entity;
use crate::load::cache::found::Found;
use crate::load::cache::process::Process;
use crate::load::cache::replies::text;
use crate::load::client::{Answer, Commands, ReplyValue, script};
use crate::load::workload::beside;
use crate::model::op::Cause;

pub(super) struct Versioned;

impl Way for Versioned {
    /// Nobody tells: what a process has stays until its time is over.
    fn may_keep(&self, _process: &Process, _found: &Found) -> bool {
        true
    }
}

/// The generation, and after a space the copy whose name is ARGV[1] and the generation, if there is
/// one.
const LOOK: &str = "\
local generation = redis.call('GET', KEYS[1])
if not generation then
  local now = redis.call('TIME')
  generation = now[1] .. string.format('%06d', now[2])
  redis.call('SET', KEYS[1], generation)
end
return generation .. ' ' .. (redis.call('GET', ARGV[1] .. generation) or '')";

/// The copy ARGV[2] for ARGV[3] milliseconds, if the generation is still ARGV[1]: otherwise nobody would
/// find it.
const PUT: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1";

/// The next generation.
const NEXT: &str = "\
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('INCR', KEYS[1]) end
local now = redis.call('TIME')
redis.call('SET', KEYS[1], now[1] .. string.format('%06d', now[2]))
return 1";

/// What a server says of the entity's copy. The entity knows its generation then.
pub(in crate::load::cache) async fn look(
    process: &Process,
    entity: &Entity,
) -> Result<Answer, Cause> {
    let look = script(LOOK, &[generation(entity)], &[place(entity, "").as_bytes()]);
    let answer = process.send(entity.slot, look.into(), text).await?;
    let ReplyValue::Bytes(Some(told)) = &answer.told else { return Err(Cause::Other) };
    let (number, copy) = split(told).ok_or(Cause::Other)?;
    entity.generation.set(Some(number));
    let copy = Some(copy.to_vec()).filter(|copy| !copy.is_empty());
    Ok(Answer { told: ReplyValue::Bytes(copy), ..answer })
}

fn split(told: &[u8]) -> Option<(u64, &[u8])> {
    let space = told.iter().position(|byte| *byte == b' ')?;
    let (number, copy) = told.split_at(space);
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, &copy[1..]))
}

/// Where a copy is left, of an entity whose generation was seen.
pub(in crate::load::cache) fn key(entity: &Entity) -> Option<String> {
    seen(entity).map(|(_, number)| place(entity, &number))
}

/// Where the generation stands, and what it was when it was seen.
pub(in crate::load::cache) fn seen(entity: &Entity) -> Option<(String, String)> {
    entity.generation.get().map(|number| (generation(entity), number.to_string()))
}

/// The copy for so many milliseconds, if its generation has not ended.
pub(in crate::load::cache) fn put(
    entity: &Entity,
    (text, millis): (&[u8], u64),
) -> Option<Commands> {
    let (generation, number) = seen(entity)?;
    let keys = [&*generation, &place(entity, &number)];
    Some(script(PUT, &keys, &[number.as_bytes(), text, millis.to_string().as_bytes()]).into())
}

pub(in crate::load::cache) fn next(entity: &Entity) -> Commands {
    script(NEXT, &[generation(entity)], &[]).into()
}

/// `{app:5}:generation`
fn generation(entity: &Entity) -> String {
    beside(&entity.key, "generation")
}

/// `{app:5}:7` in generation 7.
fn place(entity: &Entity, number: &str) -> String {
    beside(&entity.key, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::slot::slot_of;

    #[test]
    fn a_copy_is_found_in_the_slot_of_its_generation() {
        let entity = Entity::new(5, "app:5".to_owned());
        assert_eq!(key(&entity), None, "nobody knows where");
        entity.generation.set(Some(7));
        assert_eq!(key(&entity).as_deref(), Some("{app:5}:7"));
        assert_eq!(slot_of(generation(&entity).as_bytes()), entity.slot);
        assert_eq!(split(b"7 {\"id\": 5}"), Some((7, &b"{\"id\": 5}"[..])));
        assert_eq!(split(b"7 "), Some((7, &b""[..])));
        assert_eq!((split(b"7"), split(b"x y")), (None, None));
    }
}
