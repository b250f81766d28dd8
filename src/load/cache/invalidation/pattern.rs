//! The names of copies begin with the user whose things they are. Who writes looks through the names of
//! all keys of every primary for those that match a pattern, and deletes these.
//!
//! <https://redis.io/docs/latest/commands/scan/>: whatever is there from the beginning to the end of the
//! iteration is found. What moves to another node meanwhile may not be.

use std::rc::Rc;

use async_trait::async_trait;
use futures::future::join_all;
use glob::Pattern;
use redis::{Value, cmd};

use super::family::Family;
use super::publish::{changes, publish_change};
use super::way::{At, Way, Written};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::client::{ReplyValue, Topic, done, of};
use crate::model::op::{Cause, key_prefix};
use crate::model::slot::slot_of;
use crate::spec::cache::THINGS;

pub(super) struct ByPattern;

#[async_trait(?Send)]
impl Way for ByPattern {
    fn may_keep(&self, process: &Process, _found: &Found) -> bool {
        process.is_told_by_any()
    }

    fn listens(&self, process: &Process) -> Option<(At, Topic)> {
        Some((At::OneNode, changes(process)))
    }

    async fn tell(&self, process: &Process, written: &Written<'_>, trace: &Trace) {
        let pattern = of_family(&process.name, Family::of(written.entity.id));
        publish_change(process, written.entity.slot, pattern, trace).await;
    }

    /// A pattern: the copies whose names match go.
    fn told(&self, process: &Rc<Process>, text: &str) {
        let all = matches(&process.name, text, process.keys);
        all.into_iter().for_each(|id| process.forget(id));
    }
}

/// Keys that a server looks at between two other commands.
const COUNT: u32 = 1_000;

/// `app:3:*`, all copies of a family.
pub(in crate::load::cache) fn of_family(load: &str, Family(user): Family) -> String {
    format!("{load}:{user}:*")
}

/// `app:*`, all copies of a load.
pub(in crate::load::cache) fn of_all(load: &str) -> String {
    format!("{}*", key_prefix(load))
}

/// Where the copy of an entity is: `app:3:5`.
pub(in crate::load::cache) fn key(load: &str, id: u64) -> String {
    let Family(user) = Family::of(id);
    format!("{load}:{user}:{}", id % THINGS)
}

/// Those of so many entities whose copies' names match a pattern.
pub(in crate::load::cache) fn matches(load: &str, pattern: &str, entities: u64) -> Vec<u64> {
    let family = || pattern.strip_prefix(&key_prefix(load))?.strip_suffix(":*")?.parse().ok();
    match family().map(Family) {
        Some(family) => family.members(entities).collect(),
        None => matching(pattern, entities, |id| key(load, id)),
    }
}

/// Those of so many entities whose names match a pattern.
pub(in crate::load::cache) fn matching(
    pattern: &str,
    entities: u64,
    name: impl Fn(u64) -> String,
) -> Vec<u64> {
    match Pattern::new(pattern) {
        Ok(pattern) => (0..entities).filter(|id| pattern.matches(&name(*id))).collect(),
        Err(_) => Vec::new(),
    }
}

/// Deletes what matches, on all primaries. Errors: the first one; the others have done it.
pub(in crate::load::cache) async fn empty(
    process: &Process,
    trace: &Trace,
    pattern: &str,
) -> Result<(), Cause> {
    let each = process.servers.front.slot_of_each();
    let scans = join_all(each.into_iter().map(|slot| scan(process, trace, slot, pattern))).await;
    let failed = scans.iter().find_map(|scan| scan.as_ref().err().copied());
    let unlink = async |key: String| {
        let slot = slot_of(key.as_bytes());
        process.send_for(trace, slot, of("UNLINK", &key).into(), done).await
    };
    let deleted = join_all(scans.into_iter().flatten().flatten().map(unlink)).await;
    let failed = failed.or(deleted.into_iter().find_map(Result::err));
    failed.map_or(Ok(()), Err)
}

/// The names that match, of the keys of one primary.
async fn scan(
    process: &Process,
    trace: &Trace,
    slot: u16,
    pattern: &str,
) -> Result<Vec<String>, Cause> {
    let (mut cursor, mut found) = (0, Vec::new());
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(COUNT);
        let answer = process.send_for(trace, slot, scan.into(), scanned).await?;
        let ReplyValue::Scanned(next, names) = answer.told else { return Err(Cause::Other) };
        found.extend(names);
        if next == 0 {
            return Ok(found);
        }
        cursor = next;
    }
}

fn scanned(value: &Value) -> Option<ReplyValue> {
    let (next, names) = redis::from_redis_value_ref(value).ok()?;
    Some(ReplyValue::Scanned(next, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_names_of_copies() {
        let matched = |pattern: &str| matches("app", pattern, 36);
        assert_eq!(matched(&of_family("app", Family(1))), (12..24).collect::<Vec<u64>>());
        assert_eq!(matched(&of_all("app")).len(), 36);
        assert_eq!(matched("app:?:1*"), [1, 10, 11, 13, 22, 23, 25, 34, 35]);
        assert_eq!(matched("apple:*"), [0; 0]);
        assert_eq!(key("app", 41), "app:3:5");
    }
}
