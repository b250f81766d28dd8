//! What a writer does with the copy in the group, and when the origin has what it wrote.
//!
//! `through`, `behind` and `ahead` are those of Oracle Coherence:
//! <https://docs.oracle.com/cd/E15357_01/coh.360/e15723/cache_rtwtwbra.htm>

use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;

use super::entity::{Copy, Entity};
use super::origin::Wish;
use super::process::{Process, Trace, any};
use crate::load::client::of;
use crate::model::op::Cause;
use crate::spec::cache::Write;

/// How often a process writes to the origin what it has acknowledged before (`behind`).
const LATER: Duration = Duration::from_millis(100);

/// The entity's copy in the group is gone, or is what was written.
///
/// Errors: why that is not known.
pub(super) async fn change(process: &Process, entity: &Entity, copy: Copy) -> Result<(), Cause> {
    let commands = match process.cache.write {
        Write::Aside | Write::Ahead => of("DEL", &entity.key).into(),
        Write::Through | Write::Behind => process.put(entity, copy),
    };
    process.send(entity.slot, commands, any).await.map(drop)
}

/// The group has it at once, and the origin later. What the process has not written there when it
/// ends is lost.
pub(super) async fn behind(
    process: &Process,
    entity: &Entity,
    trace: &Trace,
) -> Result<Copy, Cause> {
    let now = process.clock.now();
    let version = process.origin.reserve(entity.id);
    trace.wrote.set(Some((version, now)));
    let copy = process.new_copy(entity, version, 0);
    change(process, entity, copy).await?;
    process.later.borrow_mut().push((entity.id, version));
    Ok(copy)
}

/// Writes to the origin what is to be written later, for as long as the thread lives.
pub(super) async fn write_later(process: Rc<Process>) {
    loop {
        process.timer.until(process.clock.now() + LATER).await;
        let all = process.later.borrow().clone();
        let written = join_all(all.iter().map(|&(id, version)| written(&process, id, version)));
        let written = written.await;
        let is_there = |one: &(u64, u64)| {
            let known = all.iter().position(|known| known == one);
            known.is_some_and(|at| written[at])
        };
        process.later.borrow_mut().retain(|one| !is_there(one));
    }
}

async fn written(process: &Process, id: u64, version: u64) -> bool {
    match process.origin.ask(id, Wish::Put(version), process.clock.now()) {
        Ok(served) => {
            process.timer.until(served.answered).await;
            !served.is_failed
        }
        Err(_) => false,
    }
}
