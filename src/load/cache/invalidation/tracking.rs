//! A server tells those who have read a copy, on the connection on which they did (CLIENT TRACKING):
//! <https://redis.io/docs/latest/develop/reference/client-side-caching/>

use super::way::Way;
use crate::load::cache::found::Found;
use crate::load::cache::process::Process;
use crate::model::op::FoundIn;

pub(super) struct Tracking;

impl Way for Tracking {
    /// The server tells of what was read from it, and not of what was left there.
    fn may_keep(&self, _process: &Process, found: &Found) -> bool {
        found.by.is_some() && found.from != FoundIn::Origin
    }
}
