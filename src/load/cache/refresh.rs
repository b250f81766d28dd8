//! When a copy's time is over, it is served for a while longer, and one reader of all asks the origin
//! meanwhile. Nobody waits for that.
//!
//! RFC 5861, section 3 (stale-while-revalidate): <https://www.rfc-editor.org/rfc/rfc5861#section-3>

use std::rc::Rc;

use super::entity::Entity;
use super::lock::Held;
use super::process::{Process, Trace};
use crate::load::client::Noted;
use crate::model::op::{Action, CacheOp, FoundIn};

pub(super) fn begin(process: &Rc<Process>, entity: &Entity) {
    if !process.refreshed.borrow_mut().insert(entity.id) {
        return;
    }
    let (process, entity) = (process.clone(), entity.clone());
    tokio::task::spawn_local(async move {
        if let Ok(Some(held)) = Held::take(&process, &entity).await {
            if is_old(&process, &entity).await {
                refresh(&process, &entity).await;
            }
            held.give_back(&process, &entity).await;
        }
        process.refreshed.borrow_mut().remove(&entity.id);
    });
}

/// Somebody may have left a new one since this one looked.
async fn is_old(process: &Process, entity: &Entity) -> bool {
    let found = process.in_group(entity).await;
    found.is_none_or(|found| found.copy.until <= process.clock.now())
}

async fn refresh(process: &Process, entity: &Entity) {
    let trace = Trace::default();
    let found = process.ask_origin(entity, &trace).await;
    let Some((from, to)) = trace.asked.get() else { return };
    let nothing = CacheOp::Read {
        version: None,
        from: FoundIn::Origin,
        asked: trace.asked.get(),
        kept: None,
        met: None,
    };
    let told = found.map_or(nothing, |found| found.told(entity, trace.asked.get()));
    let beside = Noted { key: entity.id, action: Action::Cache(told), from, to };
    process.beside.borrow_mut().push(beside);
}
