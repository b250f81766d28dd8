//! The writer tells all processes: <https://redis.io/docs/latest/develop/pubsub/>

use async_trait::async_trait;

use super::way::{At, Way, Written};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::client::{Commands, Topic, done};
use crate::model::op::key_name;

pub(super) struct Publish;

#[async_trait(?Send)]
impl Way for Publish {
    fn may_keep(&self, process: &Process, _found: &Found) -> bool {
        process.is_told_by_any()
    }

    fn listens(&self, process: &Process) -> Option<(At, Topic)> {
        Some((At::OneNode, changes(process)))
    }

    async fn tell(&self, process: &Process, written: &Written<'_>, trace: &Trace) {
        let entity = written.entity;
        publish_change(process, entity.slot, key_name(&process.name, entity.id), trace).await;
    }
}

/// Tells all processes of what is named so, by the server of that slot.
pub(super) async fn publish_change(process: &Process, slot: u16, name: String, trace: &Trace) {
    let publish = publish(channel(&process.name), name);
    let _ = process.send_for(trace, slot, publish, done).await;
}

pub(super) fn publish(channel: String, text: String) -> Commands {
    redis::cmd("PUBLISH").arg(channel).arg(text).take().into()
}

/// Where processes hear of changes.
pub(super) fn changes(process: &Process) -> Topic {
    Topic::Channels(vec![channel(&process.name)])
}

pub(super) fn channel(load: &str) -> String {
    format!("{load}:changed")
}
