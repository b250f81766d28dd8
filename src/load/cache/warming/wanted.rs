//! Which entities steps want to have copies before anybody asks for them. Which of them come first, is
//! the load's way to warm:
//!
//! - `none`, `priority`: the order of their numbers, as somebody wrote them down.
//! - `frequency`: how often each has been read since the load began.
//! - `predictive`: how often, where what was read two seconds ago counts half (the combined recency
//!   and frequency of LRFU, Lee et al. 2001: <https://doi.org/10.1109/TC.2001.970573>).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::log::OrUnheard;
use crate::model::Nanos;
use crate::spec::cache::Warm;

/// A read counts half after so many nanoseconds.
const HALF: f64 = 2e9;

/// What steps want of a load's cache.
#[derive(Clone, Debug, Default)]
pub(in crate::load::cache) struct Warming {
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
pub(in crate::load::cache) struct Order {
    pub(in crate::load::cache) number: u32,
    pub(in crate::load::cache) entities: Option<u64>,
    pub(in crate::load::cache) done: oneshot::Sender<()>,
}

impl Warming {
    /// Waits until it is done, or nobody will do it any more.
    pub(in crate::load::cache) async fn order(&self, entities: Option<u64>) {
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

    /// Where whoever warms hears of orders from now on.
    pub(in crate::load::cache) fn orders(&self) -> mpsc::UnboundedReceiver<Order> {
        let (tell, orders) = mpsc::unbounded_channel();
        self.state.lock().orders = Some(tell);
        orders
    }

    /// Somebody has read it. It is counted only where that decides what is wanted.
    pub(in crate::load::cache) fn saw(&self, by: Warm, id: u64, now: Nanos) {
        match by {
            Warm::None | Warm::Priority => {}
            Warm::Frequency | Warm::Predictive => {
                self.state.lock().reads.entry(id).or_default().count_one(now);
            }
        }
    }

    /// The first so many of `all` entities.
    pub(in crate::load::cache) fn wanted(
        &self,
        by: Warm,
        (all, entities): (u64, Option<u64>),
        now: Nanos,
    ) -> Vec<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_most_comes_first_and_what_was_read_lately_counts_more() {
        let (warming, second) = (Warming::default(), 1_000_000_000);
        (0..4).for_each(|_| warming.saw(Warm::Frequency, 3, Nanos(0)));
        (0..2).for_each(|_| warming.saw(Warm::Predictive, 1, Nanos(8 * second)));
        let wanted = |by, entities| warming.wanted(by, (5, entities), Nanos(8 * second));
        assert_eq!(wanted(Warm::Priority, None), [0, 1, 2, 3, 4]);
        assert_eq!(wanted(Warm::Frequency, Some(2)), [3, 1]);
        // Four reads of eight seconds ago are a quarter of one.
        assert_eq!(wanted(Warm::Predictive, Some(2)), [1, 3]);
    }
}
