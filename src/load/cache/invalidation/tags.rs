//! Copies bear the tag of the user whose things they are: a set in the group has the names of all
//! copies that bear it. Who leaves a copy puts its name into the set in the same step, and who writes
//! deletes whatever the set names.
//!
//! Cache tags: <https://symfony.com/doc/current/cache.html#using-cache-tags>; surrogate keys:
//! <https://www.fastly.com/documentation/guides/full-site-delivery/purging/working-with-surrogate-keys/>
//!
//! Copies and set have a hash tag in common, so one server has them. No name is taken out of the set,
//! because that of a copy that is left at this moment would go too; the set ends after all copies that
//! it names.

use std::rc::Rc;

use async_trait::async_trait;
use redis::{Value, cmd};

use super::family::Family;
use super::publish::{changes, publish_change};
use super::way::{At, Way, Written};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::client::{Commands, Topic, of, script};
use crate::spec::cache::THINGS;

pub(super) struct Tags;

#[async_trait(?Send)]
impl Way for Tags {
    fn may_keep(&self, process: &Process, _found: &Found) -> bool {
        process.is_told_by_any()
    }

    fn listens(&self, process: &Process) -> Option<(At, Topic)> {
        Some((At::OneNode, changes(process)))
    }

    async fn tell(&self, process: &Process, written: &Written<'_>, trace: &Trace) {
        let name = name(&process.name, Family::of(written.entity.id));
        publish_change(process, written.entity.slot, name, trace).await;
    }

    /// The tag of a family, all of whose copies go.
    fn told(&self, process: &Rc<Process>, text: &str) {
        let family = named(&process.name, text);
        let members = family.map_or(0..0, |family| family.members(process.keys));
        members.for_each(|id| process.forget(id));
    }
}

/// The copy ARGV[1] for ARGV[2] milliseconds; its name stands in the set for ARGV[3].
const PUT: &str = "\
redis.call('SADD', KEYS[2], KEYS[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// `{app:3}`, as processes tell each other of it.
pub(in crate::load::cache) fn name(load: &str, Family(user): Family) -> String {
    format!("{{{load}:{user}}}")
}

/// The family whose name that is.
pub(in crate::load::cache) fn named(load: &str, name: &str) -> Option<Family> {
    let user = name.strip_prefix('{')?.strip_prefix(load)?.strip_prefix(':')?.strip_suffix('}')?;
    user.parse().ok().map(Family)
}

/// Where the copy of an entity is: `{app:3}:5`.
pub(in crate::load::cache) fn key(load: &str, id: u64) -> String {
    format!("{}:{}", name(load, Family::of(id)), id % THINGS)
}

/// The set with the names of the copies of an entity's family.
pub(in crate::load::cache) fn set(load: &str, id: u64) -> String {
    format!("{}:tag", name(load, Family::of(id)))
}

pub(in crate::load::cache) fn put(
    keys: [&str; 2],
    (text, millis, longest): (&[u8], u64, u64),
) -> Commands {
    let [millis, longest] = [millis, longest].map(|millis| millis.to_string().into_bytes());
    script(PUT, &keys, &[text, &millis, &longest]).into()
}

/// All copies that the set names are deleted.
pub(in crate::load::cache) fn empty(set: &str) -> Commands {
    let then = |names: &Value| {
        let (Value::Array(names) | Value::Set(names)) = names else { return None };
        let names: Vec<&[u8]> = names
            .iter()
            .filter_map(|name| match name {
                Value::BulkString(name) => Some(&**name),
                _ => None,
            })
            .collect();
        let unlink = || cmd("UNLINK").arg(names.as_slice()).take();
        Some(if names.is_empty() { Vec::new() } else { vec![unlink()] })
    };
    Commands::Followed { read: of("SMEMBERS", set), then: Rc::new(then) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::workload::beside;
    use crate::model::slot::slot_of;

    #[test]
    fn a_family_is_in_one_slot_with_its_set_and_its_locks() {
        let (own, set) = (key("app", 41), set("app", 41));
        assert_eq!((&*own, &*set), ("{app:3}:5", "{app:3}:tag"));
        assert_eq!(named("app", &name("app", Family(3))), Some(Family(3)));
        assert_eq!((named("app", "app:3"), named("app", "{apple:3}")), (None, None));
        for key in [set, beside(&own, "lock"), key("app", 36)] {
            assert_eq!(slot_of(key.as_bytes()), slot_of(own.as_bytes()), "{key}");
        }
    }
}
