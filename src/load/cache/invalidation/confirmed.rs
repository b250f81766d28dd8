//! The writer tells all processes, and its write ends when each has said that it dropped its copy.
//!
//! Messages that say so go the way of the others: <https://redis.io/docs/latest/develop/pubsub/>. As
//! these may be lost, the writer says it again until it has heard all.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use super::publish::{channel, publish, publish_change};
use super::way::{At, Way, Written};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::cache::writing::change::change;
use crate::load::client::{Topic, done};
use crate::model::op::key_name;
use crate::model::slot::slot_of;

/// Between two looks for confirmations.
const LOOK: Duration = Duration::from_millis(1);
/// So many looks later it is said again: whoever did not hear it may hear it then.
const AGAIN: u32 = 50;

pub(super) struct Confirmed;

#[async_trait(?Send)]
impl Way for Confirmed {
    fn may_keep(&self, process: &Process, _found: &Found) -> bool {
        process.is_told_by_any()
    }

    fn listens(&self, process: &Process) -> Option<(At, Topic)> {
        let names = vec![channel(&process.name), dropped(&process.name, process.number)];
        Some((At::OneNode, Topic::Channels(names)))
    }

    async fn tell(&self, process: &Process, written: &Written<'_>, trace: &Trace) {
        let Written { entity, copy, mut is_changed } = *written;
        while !is_changed {
            process.timer.until(process.clock.now() + LOOK).await;
            is_changed = change(process, entity, copy, trace).await.is_ok();
        }
        if !process.copies.is_empty() {
            let name = key_name(&process.name, entity.id);
            wait_for_all(process, (entity.slot, name), trace).await;
        }
    }

    /// The name of an entity, and the writer and the number of its write; or such a number, and who
    /// confirms it.
    fn told(&self, process: &Rc<Process>, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            [name, writer, number] => {
                process.forget_named(name);
                if let Some(writer) = writer.parse().ok().filter(|writer| *writer != process.number)
                {
                    tokio::task::spawn_local(confirm(process.clone(), writer, number.to_owned()));
                }
            }
            [number, by] => {
                if let (Ok(number), Ok(by)) = (number.parse(), by.parse()) {
                    process.confirmations.confirmed(number, by);
                }
            }
            _ => {}
        }
    }
}

/// Goes on until all processes have said that they dropped their copies.
async fn wait_for_all(process: &Process, (slot, name): (u16, String), trace: &Trace) {
    // Its end is told however the write ends.
    let write = Confirming { process, number: process.confirmations.begin() };
    let text = format!("{name} {} {}", process.number, write.number);
    let others = usize::from(process.of) - 1;
    for look in 0u32.. {
        if process.confirmations.count(write.number) >= others {
            // Each has said so by a command.
            trace.commands.set(trace.commands.get() + others as u32);
            return;
        }
        if look.is_multiple_of(AGAIN) {
            publish_change(process, slot, text.clone(), trace).await;
        }
        process.timer.until(process.clock.now() + LOOK).await;
    }
}

/// Tells the writer that this process has dropped its copy.
async fn confirm(process: Rc<Process>, writer: u16, number: String) {
    let channel = dropped(&process.name, writer);
    let slot = slot_of(channel.as_bytes());
    let text = format!("{number} {}", process.number);
    let _ = process.send(slot, publish(channel, text), done).await;
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

/// Where a writer hears who has dropped its copies.
fn dropped(load: &str, writer: u16) -> String {
    format!("{load}:dropped:{writer}")
}
