//! Servers tell all processes of deleted keys, each of its own:
//! <https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/>

use super::way::{At, Way};
use crate::load::cache::found::Found;
use crate::load::cache::process::Process;
use crate::load::client::Topic;

const DELETED: &str = "__keyevent@0__:del";

pub(super) struct Keyspace;

impl Way for Keyspace {
    fn may_keep(&self, process: &Process, found: &Found) -> bool {
        found.by.is_some_and(|node| process.is_told_by(node))
    }

    fn listens(&self, _process: &Process) -> Option<(At, Topic)> {
        Some((At::EachNode, Topic::Channels(vec![DELETED.to_owned()])))
    }
}
