//! The origin has what was written, and then the copy in the group is it.
//!
//! Read-through and write-through of Oracle Coherence:
//! <https://docs.oracle.com/cd/E15357_01/coh.360/e15723/cache_rtwtwbra.htm>

use crate::load::cache::copy::entity::{Copy, Entity};
use crate::load::cache::copy::put::put;
use crate::load::cache::found::Trace;
use crate::load::cache::process::Process;
use crate::load::cache::replies::any;
use crate::model::op::Cause;

/// Not in the place of a newer copy.
///
/// Errors: nobody knows whether it was replaced.
pub(super) async fn replace(
    process: &Process,
    entity: &Entity,
    copy: Copy,
    trace: &Trace,
) -> Result<(), Cause> {
    let commands = put(process, entity, copy).ok_or(Cause::Other)?;
    process.send_for(trace, entity.slot, commands, any).await.map(drop)
}
