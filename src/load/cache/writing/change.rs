//! What a writer does with the copy in the group, and then with that in a nearer group.

use super::{aside, through};
use crate::load::cache::copy::entity::{Copy, Entity};
use crate::load::cache::found::Trace;
use crate::load::cache::layer::near_group;
use crate::load::cache::process::Process;
use crate::model::op::Cause;
use crate::spec::cache::Write;

/// The entity's copy in the farthest layer is gone, or is what was written; that in a nearer group is
/// gone.
///
/// Errors: why that is not known.
pub(in crate::load::cache) async fn change(
    process: &Process,
    entity: &Entity,
    copy: Copy,
    trace: &Trace,
) -> Result<(), Cause> {
    match process.cache.write {
        Write::Aside | Write::Ahead => aside::delete(process, entity, trace).await,
        Write::Through | Write::Behind => through::replace(process, entity, copy, trace).await,
    }?;
    match &process.near_group {
        Some(group) => near_group::forget(group, entity, trace).await,
        None => Ok(()),
    }
}
