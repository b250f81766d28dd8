//! What a writer does with the copies of what it wrote, and how processes hear of that.
//!
//! - `publish`, `confirmed`: <https://redis.io/docs/latest/develop/pubsub/>
//! - `tracking`, `tracking-broadcast`: <https://redis.io/docs/latest/develop/reference/client-side-caching/>
//! - `keyspace`: <https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/>

use std::rc::Rc;
use std::time::Duration;

use redis::{PushInfo, PushKind, Value};

use super::change::change;
use super::family::Family;
use super::{pattern, tags};
use crate::load::Targets;
use crate::load::cache::copy::entity::{Copy, Entity};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::client::{ClientOptions, Commands, Ear, Listener, Topic, done};
use crate::model::op::{Cause, FoundIn, key_name, key_prefix};
use crate::model::slot::slot_of;
use crate::spec::cache::{FoundBy, Invalidate, Write};

/// Where servers tell of deleted keys.
const DELETED: &str = "__keyevent@0__:del";
/// Between two looks for confirmations.
const LOOK: Duration = Duration::from_millis(1);
/// So many looks later it is said again: whoever did not hear it may hear it then.
const AGAIN: u32 = 50;

/// After the origin has it; by `behind`, after the group has it.
///
/// Errors: the copy was to be replaced, and it is not known whether it was.
pub(in crate::load::cache) async fn tell(
    process: &Process,
    entity: &Entity,
    copy: Copy,
    trace: &Trace,
) -> Result<(), Cause> {
    let (write, invalidate) = (process.cache.write, process.cache.invalidate);
    if invalidate == Invalidate::Ttl && matches!(write, Write::Aside | Write::Ahead) {
        return Ok(());
    }
    process.changes_with(entity.id).for_each(|id| process.forget(id));
    let changed_there = match write {
        // The group has it already.
        Write::Behind => Ok(()),
        Write::Through | Write::Aside | Write::Ahead => change(process, entity, copy, trace).await,
    };
    match invalidate {
        // What is not heard of stays until its time is over: a drill shows that.
        Invalidate::Ttl
        | Invalidate::Delete
        | Invalidate::Tracking
        | Invalidate::TrackingBroadcast
        | Invalidate::Keyspace
        | Invalidate::Versioned => {}
        Invalidate::Publish | Invalidate::Tags | Invalidate::Pattern => {
            publish_change(process, entity.slot, process.name_of(entity.id), trace).await;
        }
        Invalidate::Confirmed => {
            confirm(process, entity, (copy, changed_there.is_ok()), trace).await;
        }
    }
    match write {
        Write::Through | Write::Behind => changed_there,
        // A copy that was not deleted is a late one, which the drill shows.
        Write::Aside | Write::Ahead => Ok(()),
    }
}

/// Tells all processes of what is named so, by the server of that slot.
pub(in crate::load::cache) async fn publish_change(
    process: &Process,
    slot: u16,
    name: String,
    trace: &Trace,
) {
    let publish = publish(changed(&process.name), name);
    let _ = process.send_for(trace, slot, publish, done).await;
}

fn publish(channel: String, text: String) -> Commands {
    redis::cmd("PUBLISH").arg(channel).arg(text).take().into()
}

/// Goes on until all processes have said that they dropped their copies.
async fn confirm(
    process: &Process,
    entity: &Entity,
    (copy, is_changed): (Copy, bool),
    trace: &Trace,
) {
    let mut is_changed = is_changed;
    while !is_changed {
        process.timer.until(process.clock.now() + LOOK).await;
        is_changed = change(process, entity, copy, trace).await.is_ok();
    }
    if process.copies.is_empty() {
        return;
    }
    // Its end is told however the write ends.
    let write = Confirming { process, number: process.confirmations.begin() };
    let text = format!("{} {} {}", process.name_of(entity.id), process.number, write.number);
    let others = usize::from(process.of) - 1;
    for look in 0u32.. {
        if process.confirmations.count(write.number) >= others {
            // Each has said so by a command.
            trace.commands.set(trace.commands.get() + others as u32);
            return;
        }
        if look.is_multiple_of(AGAIN) {
            publish_change(process, entity.slot, text.clone(), trace).await;
        }
        process.timer.until(process.clock.now() + LOOK).await;
    }
}

struct Confirming<'p> {
    process: &'p Process,
    number: u64,
}

impl Drop for Confirming<'_> {
    fn drop(&mut self) {
        self.process.confirmations.end(self.number);
    }
}

fn changed(load: &str) -> String {
    format!("{load}:changed")
}

/// Where a writer hears who has dropped its copies.
fn dropped(load: &str, writer: u16) -> String {
    format!("{load}:dropped:{writer}")
}

/// Hears of writes, if anybody tells.
pub(in crate::load::cache) fn listen(
    process: &Rc<Process>,
    targets: &Targets,
    instance: u16,
    options: ClientOptions,
) {
    let count = targets.nodes.len();
    if process.copies.is_empty() || count == 0 {
        return;
    }
    let name = &process.name;
    let channels = |names: Vec<String>| Topic::Channels(names);
    // All nodes of a cluster pass on what is published at one of them.
    let one = usize::from(instance) % count..usize::from(instance) % count + 1;
    let (nodes, topic): (_, &dyn Fn() -> Topic) = match process.cache.invalidate {
        Invalidate::Ttl | Invalidate::Delete | Invalidate::Tracking | Invalidate::Versioned => {
            return;
        }
        Invalidate::Publish | Invalidate::Tags | Invalidate::Pattern => {
            (one, &|| channels(vec![changed(name)]))
        }
        Invalidate::Confirmed => {
            (one, &|| channels(vec![changed(name), dropped(name, process.number)]))
        }
        Invalidate::TrackingBroadcast => (0..count, &|| Topic::Keys(key_prefix(name))),
        Invalidate::Keyspace => (0..count, &|| channels(vec![DELETED.to_owned()])),
    };
    for node in nodes {
        let (address, from) = (targets.nodes[node], targets.told_at(instance));
        let ear = Ear { node: node as u16, address, from, topic: topic() };
        let password = targets.password.clone();
        tokio::task::spawn_local(ear.listen(process.clone(), password, options));
    }
}

/// Whether changes are told of what was found so.
pub(in crate::load::cache) fn is_heard(process: &Process, found: &Found) -> bool {
    let heard = process.heard.borrow();
    match process.cache.invalidate {
        Invalidate::Ttl | Invalidate::Delete | Invalidate::Versioned => true,
        // Of what was read from it, and not of what was left there.
        Invalidate::Tracking => found.by.is_some() && found.from != FoundIn::Origin,
        Invalidate::Publish | Invalidate::Confirmed | Invalidate::Tags | Invalidate::Pattern => {
            !heard.is_empty()
        }
        Invalidate::TrackingBroadcast | Invalidate::Keyspace => {
            found.by.is_some_and(|node| heard.contains(&node))
        }
    }
}

impl Process {
    /// By which processes tell each other of an entity that has changed, whatever it is called in the
    /// group; or of all that have changed with it.
    fn name_of(&self, id: u64) -> String {
        match self.cache.invalidate.found_by() {
            FoundBy::Name | FoundBy::Generation => key_name(&self.name, id),
            FoundBy::Tag => tags::name(&self.name, Family::of(id)),
            FoundBy::Pattern => pattern::of_family(&self.name, Family::of(id)),
        }
    }

    /// What is named so is dropped.
    fn forget_named(&self, name: &str) {
        match self.cache.invalidate.found_by() {
            FoundBy::Tag => {
                let family = tags::named(&self.name, name);
                let members = family.map_or(0..0, |family| family.members(self.keys));
                members.for_each(|id| self.forget(id));
            }
            FoundBy::Pattern => {
                let all = pattern::matches(&self.name, name, self.keys);
                all.into_iter().for_each(|id| self.forget(id));
            }
            FoundBy::Name | FoundBy::Generation => {
                let id = name.strip_prefix(&key_prefix(&self.name));
                if let Some(id) = id.and_then(|id| id.parse().ok()) {
                    self.forget(id);
                }
            }
        }
    }

    /// The text of a message: a key, and the writer and the number of its write if it waits for
    /// confirmation; or such a number, and who confirms it.
    fn message(self: &Rc<Process>, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            [name] => self.forget_named(name),
            [name, writer, number] => {
                self.forget_named(name);
                if let Some(writer) = writer.parse().ok().filter(|writer| *writer != self.number) {
                    let (process, number) = (self.clone(), number.to_owned());
                    tokio::task::spawn_local(async move {
                        let channel = dropped(&process.name, writer);
                        let slot = slot_of(channel.as_bytes());
                        let text = format!("{number} {}", process.number);
                        let _ = process.send(slot, publish(channel, text), done).await;
                    });
                }
            }
            [number, by] => {
                if let (Ok(number), Ok(by)) = (number.parse(), by.parse()) {
                    self.confirmations.confirmed(number, by);
                }
            }
            _ => {}
        }
    }
}

impl Listener for Process {
    fn hears(&self, node: u16) {
        self.heard.borrow_mut().insert(node);
    }

    fn told(self: &Rc<Process>, told: &PushInfo) {
        let name = |value: &Value| redis::from_redis_value_ref::<String>(value).ok();
        match (&told.kind, told.data.last()) {
            (PushKind::Message, text) => {
                if let Some(text) = text.and_then(name) {
                    self.message(&text);
                }
            }
            (PushKind::Invalidate, Some(Value::Array(keys))) => {
                keys.iter().filter_map(name).for_each(|key| self.message(&key));
            }
            // What was read on a connection is not heard of any more.
            (PushKind::Disconnection, _) => self.forget_all(),
            // All keys are gone.
            (PushKind::Invalidate, _) => self.forget_all(),
            _ => {}
        }
    }

    /// What was written meanwhile is not heard of.
    fn loses(&self, node: u16) {
        self.heard.borrow_mut().remove(&node);
        self.forget_all();
    }
}
