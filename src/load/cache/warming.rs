//! Copies that are there before anybody asks for them: a step of the time line has them made while
//! the load runs. Which entities come first, is the load's way to warm:
//!
//! - `none`, `priority`: the order of their numbers, as somebody wrote them down.
//! - `frequency`: how often each has been read since the load began.
//! - `predictive`: how often, where what was read two seconds ago counts half (the combined recency
//!   and frequency of LRFU, Lee et al. 2001: <https://doi.org/10.1109/TC.2001.970573>).
//!
//! Whoever warms takes the lock of an entity before it asks the origin, as a reader by `lock` does.
//! So two who warm at once do not do the work twice.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::entity::Entity;
use super::found::Trace;
use super::process::Process;
use super::{lock, refresh};
use crate::load::client::Noted;
use crate::log::OrUnheard;
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, FoundIn};
use crate::spec::cache::Warm;

/// Entities that are read at once: enough to keep the origin busy.
const AT_ONCE: usize = 64;
/// A read counts half after so many nanoseconds.
const HALF: f64 = 2e9;

/// What steps want of a load's cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Warming {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Whoever warms hears here.
    orders: Option<mpsc::UnboundedSender<Order>>,
    given: u32,
    reads: HashMap<u64, Reads>,
}

/// Of one entity.
#[derive(Clone, Copy, Debug, Default)]
struct Reads {
    count: u64,
    /// Those that count, at the last of them.
    recent: f64,
    at: Nanos,
}

/// So many entities are to have copies; all of them if it says nothing.
#[derive(Debug)]
pub(super) struct Order {
    number: u32,
    entities: Option<u64>,
    done: oneshot::Sender<()>,
}

impl Warming {
    /// Waits until it is done, or nobody will do it any more.
    pub(super) async fn order(&self, entities: Option<u64>) {
        let (done, is_done) = oneshot::channel();
        {
            let mut state = self.state.lock();
            state.given += 1;
            let number = state.given;
            let Some(orders) = &state.orders else { return };
            orders.send(Order { number, entities, done }).or_unheard();
        }
        is_done.await.or_unheard();
    }

    /// Somebody has read it.
    pub(super) fn saw(&self, id: u64, now: Nanos) {
        self.state.lock().reads.entry(id).or_default().count_one(now);
    }

    /// The first so many of `all` entities.
    fn wanted(&self, by: Warm, (all, entities): (u64, Option<u64>), now: Nanos) -> Vec<u64> {
        let count = entities.unwrap_or(all).min(all) as usize;
        let mut wanted: Vec<u64> = (0..all).collect();
        let state = self.state.lock();
        let reads = |id: &u64| state.reads.get(id).copied().unwrap_or_default();
        match by {
            Warm::None | Warm::Priority => {}
            Warm::Frequency => wanted.sort_by_key(|id| std::cmp::Reverse(reads(id).count)),
            Warm::Predictive => {
                wanted.sort_by(|a, b| reads(b).recent(now).total_cmp(&reads(a).recent(now)));
            }
        }
        wanted.truncate(count);
        wanted
    }
}

impl Reads {
    fn count_one(&mut self, now: Nanos) {
        *self = Reads { count: self.count + 1, recent: self.recent(now) + 1.0, at: now };
    }

    fn recent(self, now: Nanos) -> f64 {
        self.recent * 0.5_f64.powf(now.since(self.at).as_nanos() as f64 / HALF)
    }
}

/// This process does what steps want, until its load ends.
pub(super) fn obey(process: &Rc<Process>) {
    let (tell, mut orders) = mpsc::unbounded_channel();
    process.warming.state.lock().orders = Some(tell);
    let process = process.clone();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_most_comes_first_and_what_was_read_lately_counts_more() {
        let (warming, second) = (Warming::default(), 1_000_000_000);
        (0..4).for_each(|_| warming.saw(3, Nanos(0)));
        (0..2).for_each(|_| warming.saw(1, Nanos(8 * second)));
        let wanted = |by, entities| warming.wanted(by, (5, entities), Nanos(8 * second));
        assert_eq!(wanted(Warm::Priority, None), [0, 1, 2, 3, 4]);
        assert_eq!(wanted(Warm::Frequency, Some(2)), [3, 1]);
        // Four reads of eight seconds ago are a quarter of one.
        assert_eq!(wanted(Warm::Predictive, Some(2)), [1, 3]);
    }
}
