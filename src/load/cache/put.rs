//! How a copy is left in the group.

use super::entity::{Copy, Entity};
use crate::load::client::{Commands, ReplyValue, script};
use crate::spec::cache::Write;

/// The copy ARGV[1] of version ARGV[2] for ARGV[3] milliseconds, unless a newer one is there.
const PUT: &str = "\
local found = redis.call('GET', KEYS[1])
if found then
  local version = tonumber(string.match(found, '^%d+'))
  if version and version > tonumber(ARGV[2]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1";

/// These bytes for so long. Where writers replace copies, not in the place of a newer one.
pub(super) fn put(
    write: Write,
    (entity, copy): (&Entity, Copy),
    (text, millis): (Vec<u8>, u64),
) -> Commands {
    match write {
        Write::Aside | Write::Ahead => {
            redis::cmd("SET").arg(&entity.key).arg(text).arg("PX").arg(millis).take().into()
        }
        Write::Through | Write::Behind => {
            let [version, millis] = [copy.version, millis].map(|n| n.to_string().into_bytes());
            script(PUT, &entity.key, &[&text, &version, &millis]).into()
        }
    }
}

/// Whether it was left there.
pub(super) fn took(told: &ReplyValue) -> bool {
    !matches!(told, ReplyValue::Number(Some(0)))
}
