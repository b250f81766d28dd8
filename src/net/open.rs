//! The open connections, so that some of them can be reset.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rand::{Rng, RngExt};
use tokio::sync::Notify;

use super::pairs::Pairs;
use super::wire::Wire;
use crate::model::traffic::Class;

#[derive(Debug, Default)]
pub(super) struct Open {
    /// In the order in which they were opened, so that the same seed picks the same ones.
    connections: Mutex<BTreeMap<u64, Arc<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    wire: Arc<Wire>,
    class: Class,
    asked: Notify,
}

/// A connection's entry among the open ones. Dropping it removes the entry.
#[derive(Debug)]
pub(super) struct Place<'a> {
    open: &'a Open,
    number: u64,
    entry: Arc<Entry>,
}

impl Open {
    pub(super) fn enter(&self, number: u64, wire: &Arc<Wire>, class: Class) -> Place<'_> {
        let entry = Arc::new(Entry { wire: wire.clone(), class, asked: Notify::new() });
        self.lock().insert(number, entry.clone());
        Place { open: self, number, entry }
    }

    /// Resets each connection that was opened along `pairs`, with the probability `part`, and
    /// returns how many.
    pub(super) fn reset(&self, pairs: &Pairs, part: f64, rng: &mut impl Rng) -> usize {
        let connections = self.lock();
        let along = |entry: &&Arc<Entry>| pairs.has(entry.wire.from(), entry.wire.to());
        let hit = connections.values().filter(along).filter(|_| rng.random::<f64>() < part);
        hit.map(|entry| {
            entry.wire.counts(entry.class).add_reset();
            entry.asked.notify_one();
        })
        .count()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Entry>>> {
        self.connections.lock()
    }
}

impl Place<'_> {
    /// Returns when the connection must be reset.
    pub(super) async fn reset(&self) {
        self.entry.asked.notified().await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.open.lock().remove(&self.number);
    }
}
