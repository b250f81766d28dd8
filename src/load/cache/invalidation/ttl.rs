//! Copies stay until their own time is over: <https://redis.io/docs/latest/commands/expire/>

use super::way::Way;
use crate::load::cache::found::Found;
use crate::load::cache::process::Process;

pub(super) struct Ttl;

impl Way for Ttl {
    fn may_keep(&self, _process: &Process, _found: &Found) -> bool {
        true
    }
}
