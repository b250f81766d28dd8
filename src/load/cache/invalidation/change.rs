//! What a writer does with the copy in the group, and when the origin has what it wrote.
//!
//! `through`, `behind` and `ahead` are those of Oracle Coherence:
//! <https://docs.oracle.com/cd/E15357_01/coh.360/e15723/cache_rtwtwbra.htm>

use std::rc::Rc;
use std::time::Duration;

use super::family::Family;
use super::{pattern, tags, versioned};
use crate::load::cache::copy::entity::{Copy, Entity};
use crate::load::cache::copy::put::put;
use crate::load::cache::found::Trace;
use crate::load::cache::layer::near_group;
use crate::load::cache::origin::Wish;
use crate::load::cache::process::Process;
use crate::load::cache::replies::any;
use crate::load::client::of;
use crate::model::op::Cause;
use crate::spec::cache::{FoundBy, Write};

/// How often a process writes to the origin what it has acknowledged before (`behind`).
const LATER: Duration = Duration::from_millis(100);

/// The entity's copy in the farthest layer is gone, or is what was written; then that in a nearer group
/// is gone.
///
/// Errors: why that is not known.
pub(in crate::load::cache) async fn change(
    process: &Process,
    entity: &Entity,
    copy: Copy,
    trace: &Trace,
) -> Result<(), Cause> {
    let commands = match (process.cache.write, process.cache.invalidate.found_by()) {
        (Write::Through | Write::Behind, _) => put(process, entity, copy).ok_or(Cause::Other)?,
        (Write::Aside | Write::Ahead, FoundBy::Name) => of("DEL", &entity.key).into(),
        (Write::Aside | Write::Ahead, FoundBy::Generation) => versioned::next(entity),
        (Write::Aside | Write::Ahead, FoundBy::Tag) => {
            tags::empty(&tags::set(&process.name, entity.id))
        }
        (Write::Aside | Write::Ahead, FoundBy::Pattern) => {
            let pattern = pattern::of_family(&process.name, Family::of(entity.id));
            return pattern::empty(process, trace, &pattern).await;
        }
    };
    process.send_for(trace, entity.slot, commands, any).await?;
    match &process.near_group {
        Some(group) => near_group::forget(group, entity, trace).await,
        None => Ok(()),
    }
}

/// The group has it at once, and the origin later. What the process has not written there when it
/// ends is lost.
pub(in crate::load::cache) async fn behind(
    process: &Process,
    entity: &Entity,
    trace: &Trace,
) -> Result<Copy, Cause> {
    let now = process.clock.now();
    let version = process.origin.reserve(entity.id);
    trace.wrote.set(now, vec![(entity.id, version)]);
    let copy = process.new_copy(entity, version, 0);
    change(process, entity, copy, trace).await?;
    process.later.borrow_mut().push((entity.id, version));
    Ok(copy)
}

/// Writes to the origin what is to be written later, for as long as the thread lives. What it refuses
/// is written later still; what it has taken is not lost with the process.
pub(in crate::load::cache) async fn write_later(process: Rc<Process>) {
    loop {
        let now = process.clock.now();
        let is_refused = |&(id, version): &(u64, u64)| {
            let served = process.origin.ask(id, Wish::Put(version), now);
            served.is_err() || served.is_ok_and(|served| served.is_failed)
        };
        process.later.borrow_mut().retain(is_refused);
        process.timer.until(now + LATER).await;
    }
}
