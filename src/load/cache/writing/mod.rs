//! A write: when the origin has it, what becomes of the copy in the group, and who is told. One way to
//! write a file.
//!
//! - `aside`, `through`, `behind`, `ahead`: the ways.
//! - `change`: the copy in the group, by any of them.

pub(super) mod ahead;
mod aside;
pub(super) mod behind;
pub(super) mod change;
mod through;

use self::change::change;
use super::copy::entity::{Copy, Entity};
use super::found::Trace;
use super::invalidation::of;
use super::invalidation::way::Written;
use super::process::Process;
use crate::model::op::Cause;
use crate::spec::cache::Write;

pub(super) async fn write(process: &Process, entity: &Entity, trace: &Trace) -> Result<(), Cause> {
    let copy = match process.cache.write {
        Write::Behind => behind::write(process, entity, trace).await?,
        Write::Aside | Write::Through | Write::Ahead => {
            origin_takes(process, entity, trace).await?
        }
    };
    follow(process, entity, copy, trace).await
}

/// Writes to the origin, and waits for it.
async fn origin_takes(process: &Process, entity: &Entity, trace: &Trace) -> Result<Copy, Cause> {
    let by = (&process.timer, process.clock);
    let took = process.origin.takes(by, process.changes_with(entity.id), &trace.wrote).await?;
    let (version, _) = trace.wrote.of(entity.id);
    Ok(process.new_copy(entity, version, took))
}

/// What follows once the origin has it; by `behind`, once the group has it.
///
/// Errors: the copy was to be replaced, and it is not known whether it was.
pub(super) async fn follow(
    process: &Process,
    entity: &Entity,
    copy: Copy,
    trace: &Trace,
) -> Result<(), Cause> {
    let is_replaced = match process.cache.write {
        Write::Through | Write::Behind => true,
        Write::Aside | Write::Ahead => false,
    };
    // By `ttl` nothing is deleted, and nobody told.
    if !is_replaced && !process.cache.deletes() {
        return Ok(());
    }
    process.changes_with(entity.id).for_each(|id| process.forget(id));
    let changed = match process.cache.write {
        // The group has it already.
        Write::Behind => Ok(()),
        Write::Through | Write::Aside | Write::Ahead => change(process, entity, copy, trace).await,
    };
    let written = Written { entity, copy, is_changed: changed.is_ok() };
    of(process.cache.invalidate).tell(process, &written, trace).await;
    // A copy that was not deleted is a late one, which the drill shows.
    if is_replaced { changed } else { Ok(()) }
}
