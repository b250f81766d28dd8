//! The writer deletes the copy in the group, and its own. What other processes have stays until its
//! time is over: a drill shows that.
//!
//! "Cache-Aside pattern": <https://learn.microsoft.com/azure/architecture/patterns/cache-aside>

use super::way::Way;
use crate::load::cache::found::Found;
use crate::load::cache::process::Process;

pub(super) struct Delete;

impl Way for Delete {
    fn may_keep(&self, _process: &Process, _found: &Found) -> bool {
        true
    }
}
