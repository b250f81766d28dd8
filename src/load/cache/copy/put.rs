//! How a copy is left in the group.

use super::entity::{Copy, Entity};
use crate::load::cache::invalidation::{tags, versioned};
use crate::load::cache::process::Process;
use crate::load::client::{Commands, ReplyValue, script};
use crate::spec::cache::{FoundBy, Write};

/// The copy ARGV[1] of version ARGV[2] for ARGV[3] milliseconds, unless a newer one is there.
const PUT: &str = "\
local found = redis.call('GET', KEYS[1])
if found then
  local version = tonumber(string.match(found, '^%d+'))
  if version and version > tonumber(ARGV[2]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1";

/// The copy, for as long as it may be served; none if nobody knows under which name. Where writers
/// replace copies, not in the place of a newer one.
pub(in crate::load::cache) fn put(
    process: &Process,
    entity: &Entity,
    copy: Copy,
) -> Option<Commands> {
    let (text, millis) = (process.bytes_of(copy), process.millis_of(copy));
    match (process.cache.write, process.cache.invalidate.found_by()) {
        (Write::Through | Write::Behind, _) => {
            let [version, millis] = [copy.version, millis].map(|n| n.to_string().into_bytes());
            Some(script(PUT, &[&entity.key], &[&text, &version, &millis]).into())
        }
        (Write::Aside | Write::Ahead, FoundBy::Generation) => {
            versioned::put(entity, (&text, millis))
        }
        (Write::Aside | Write::Ahead, FoundBy::Tag) => {
            let keys = [&*entity.key, &tags::set(&process.name, entity.id)];
            Some(tags::put(keys, (&text, millis, process.longest_millis())))
        }
        (Write::Aside | Write::Ahead, FoundBy::Name | FoundBy::Pattern) => {
            let key = &entity.key;
            Some(redis::cmd("SET").arg(key).arg(&text).arg("PX").arg(millis).take().into())
        }
    }
}

/// Whether it was left there.
pub(in crate::load::cache) fn took(told: &ReplyValue) -> bool {
    !matches!(told, ReplyValue::Number(Some(0)))
}
