//! Servers tell all processes of changed copies, whoever has read them (CLIENT TRACKING in broadcast
//! mode): <https://redis.io/docs/latest/develop/reference/client-side-caching/#broadcasting-mode>

use super::way::{At, Way};
use crate::load::cache::found::Found;
use crate::load::cache::process::Process;
use crate::load::client::Topic;
use crate::model::op::key_prefix;

pub(super) struct TrackingBroadcast;

impl Way for TrackingBroadcast {
    fn may_keep(&self, process: &Process, found: &Found) -> bool {
        found.by.is_some_and(|node| process.is_told_by(node))
    }

    fn listens(&self, process: &Process) -> Option<(At, Topic)> {
        Some((At::EachNode, Topic::Keys(key_prefix(&process.name))))
    }
}
