//! The origin has what was written, and then the copy in the group is deleted; the next reader leaves a
//! new one.
//!
//! "Cache-Aside pattern": <https://learn.microsoft.com/azure/architecture/patterns/cache-aside>

use crate::load::cache::copy::entity::Entity;
use crate::load::cache::found::Trace;
use crate::load::cache::invalidation::family::Family;
use crate::load::cache::invalidation::{pattern, tags, versioned};
use crate::load::cache::process::Process;
use crate::load::cache::replies::any;
use crate::load::client::{Commands, of};
use crate::model::op::Cause;
use crate::spec::cache::FoundBy;

/// The copy that the write made old, however it is found; with it those of the same family.
///
/// Errors: nobody knows whether it is gone.
pub(super) async fn delete(process: &Process, entity: &Entity, trace: &Trace) -> Result<(), Cause> {
    let commands: Commands = match process.cache.invalidate.found_by() {
        FoundBy::Name => of("DEL", &entity.key).into(),
        FoundBy::Generation => versioned::next(entity),
        FoundBy::Tag => tags::empty(&tags::set(&process.name, entity.id)),
        FoundBy::Pattern => {
            let pattern = pattern::of_family(&process.name, Family::of(entity.id));
            return pattern::empty(process, trace, &pattern).await;
        }
    };
    process.send_for(trace, entity.slot, commands, any).await.map(drop)
}
