//! The group has what was written at once, and the origin later. What the process has not written there
//! when it ends is lost.
//!
//! Write-behind of Oracle Coherence:
//! <https://docs.oracle.com/cd/E15357_01/coh.360/e15723/cache_rtwtwbra.htm>

use std::rc::Rc;
use std::time::Duration;

use super::change::change;
use crate::load::cache::copy::entity::{Copy, Entity};
use crate::load::cache::found::Trace;
use crate::load::cache::origin::Wish;
use crate::load::cache::process::Process;
use crate::model::op::Cause;

/// How often a process writes to the origin what it has acknowledged before.
const LATER: Duration = Duration::from_millis(100);

/// Errors: nobody knows whether the group has it.
pub(super) async fn write(
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
