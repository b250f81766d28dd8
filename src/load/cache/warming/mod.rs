//! Copies that are made before anybody asks for them, as steps want it.
//!
//! Whoever warms takes the lock of an entity before it asks the origin, as a reader by `lock` does.
//! So two who warm at once do not do the work twice. `wanted`: which entities come first.

pub(super) mod wanted;

use std::rc::Rc;

use futures::stream::{self, StreamExt as _};

use self::wanted::Order;
use crate::load::cache::copy::entity::Entity;
use crate::load::cache::found::Trace;
use crate::load::cache::process::Process;
use crate::load::cache::stampede::{lock, refresh};
use crate::load::client::Noted;
use crate::log::OrUnheard;
use crate::model::op::{Action, CacheOp, FoundIn};

/// Entities that are read at once: enough to keep the origin busy.
const AT_ONCE: usize = 64;

/// This process does what steps want, until its load ends.
pub(in crate::load::cache) fn obey(process: &Rc<Process>) {
    let (process, mut orders) = (process.clone(), process.warming.orders());
    tokio::task::spawn_local(async move {
        while let Some(order) = orders.recv().await {
            let doing = tokio::task::spawn_local(carry_out(process.clone(), order));
            process.goes_on_with(doing.abort_handle());
        }
    });
}

async fn carry_out(process: Rc<Process>, order: Order) {
    let entities = (process.keys, order.entities);
    let wanted = process.warming.wanted(process.cache.warm, entities, process.clock.now());
    let each = |id| warm(&process, id, order.number);
    stream::iter(wanted).for_each_concurrent(AT_ONCE, each).await;
    order.done.send(()).or_unheard();
}

async fn warm(process: &Rc<Process>, id: u64, step: u32) {
    let entity = Entity::named(id, &process.name, process.cache.naming);
    let (from, trace) = (process.clock.now(), Rc::new(Trace::default()));
    let making = async {
        match process.in_group(&entity).await {
            Some(found) => Ok(found),
            None => lock::miss(process, &entity, &trace).await,
        }
    };
    let found = tokio::time::timeout(process.timeout, making).await.ok().and_then(Result::ok);
    refresh::note(process, &entity, found, &trace);
    let has = found.is_some_and(|found| found.kept.is_some() || found.from == FoundIn::Other);
    let own = found.filter(|found| found.from == FoundIn::Origin);
    let left = own.and_then(|found| Some((found.copy.version, found.kept?)));
    let action = Action::Cache(CacheOp::Warmed { step, has, left });
    let noted = Noted::new(id, action, (from, process.clock.now()));
    process.beside.borrow_mut().push(noted);
}
