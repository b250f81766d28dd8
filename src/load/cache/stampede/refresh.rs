//! When a copy's time is over, it is served for a while longer, and one reader of all asks the origin
//! meanwhile; or one does before its time is over (`write: ahead`). Nobody waits for that.
//!
//! RFC 5861, section 3 (stale-while-revalidate): <https://www.rfc-editor.org/rfc/rfc5861#section-3>

use std::rc::Rc;
use std::time::Duration;

use super::lock::Held;
use crate::load::cache::copy::entity::{Copy, Entity};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::cache::writing::ahead;
use crate::load::client::Noted;
use crate::model::op::{Action, CacheOp, FoundIn};
use crate::spec::cache::{Stampede, Write};

pub(in crate::load::cache) fn begin(process: &Rc<Process>, entity: &Entity) {
    if !process.refreshed.borrow_mut().insert(entity.id) {
        return;
    }
    let (process, entity) = (process.clone(), entity.clone());
    let of = process.clone();
    let task = tokio::task::spawn_local(async move {
        if let Ok(Some(held)) = Held::take(&process, &entity).await {
            if is_due_still(&process, &entity).await {
                refresh(&process, &entity).await;
            }
            held.give_back(&process, &entity).await;
        }
        process.refreshed.borrow_mut().remove(&entity.id);
    });
    of.goes_on_with(task.abort_handle());
}

/// Whether somebody is to ask the origin anew for what was found.
pub(in crate::load::cache) fn is_due(process: &Process, copy: &Copy) -> bool {
    let ahead = match (process.cache.stampede, process.cache.write) {
        (_, Write::Ahead) => ahead::before_its_end(process),
        (Stampede::StaleWhileRevalidate, _) => Duration::ZERO,
        _ => return false,
    };
    copy.until <= process.clock.now() + ahead
}

/// Somebody may have left a new one since this one looked.
async fn is_due_still(process: &Process, entity: &Entity) -> bool {
    let found = process.in_group(entity).await;
    found.is_none_or(|found| is_due(process, &found.copy))
}

async fn refresh(process: &Process, entity: &Entity) {
    let trace = Trace::default();
    let found = process.ask_origin(entity, &trace).await;
    note(process, entity, found.ok(), &trace);
}

/// What came of a question to the origin that nobody waits for, if it was asked.
pub(in crate::load::cache) fn note(
    process: &Process,
    entity: &Entity,
    found: Option<Found>,
    trace: &Trace,
) {
    let Some((from, to)) = trace.asked.get() else { return };
    let nothing = CacheOp::Read {
        version: None,
        from: FoundIn::Origin,
        asked: trace.asked.get(),
        kept: None,
        met: None,
    };
    let told = found.map_or(nothing, |found| found.told(entity, trace.asked.get()));
    process.beside.borrow_mut().push(Noted::new(entity.id, Action::Cache(told), (from, to)));
}
