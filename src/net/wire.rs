//! One directed pair of ends: its current conditions, and what has crossed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::conditions::Conditions;
use crate::model::traffic::{Class, End, Flow};

#[derive(Debug)]
pub(super) struct Wire {
    from: End,
    to: End,
    conditions: watch::Sender<Arc<Conditions>>,
    counts: [Counts; Class::ALL.len()],
}

/// Of one class of traffic.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) bytes: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) resets: AtomicU64,
}

impl Wire {
    pub(super) fn new(from: End, to: End, conditions: Conditions) -> Wire {
        let (conditions, _) = watch::channel(Arc::new(conditions));
        Wire { from, to, conditions, counts: Default::default() }
    }

    pub(super) fn from(&self) -> &End {
        &self.from
    }

    pub(super) fn to(&self) -> &End {
        &self.to
    }

    /// The current conditions.
    pub(super) fn conditions(&self) -> Arc<Conditions> {
        self.conditions.borrow().clone()
    }

    /// The current conditions and all later ones.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Conditions>> {
        self.conditions.subscribe()
    }

    pub(super) fn set(&self, conditions: Conditions) {
        self.conditions.send_replace(Arc::new(conditions));
    }

    pub(super) fn counts(&self, class: Class) -> &Counts {
        &self.counts[class as usize]
    }

    /// What has crossed, by class. Classes without traffic are left out.
    pub(super) fn flows(&self) -> impl Iterator<Item = Flow> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let flow = move |class| {
            let counts = self.counts(class);
            Flow {
                from: self.from.clone(),
                to: self.to.clone(),
                class,
                bytes: read(&counts.bytes),
                connections: read(&counts.connections),
                resets: read(&counts.resets),
            }
        };
        let any = |flow: &Flow| flow.bytes + flow.connections + flow.resets > 0;
        Class::ALL.into_iter().map(flow).filter(any)
    }
}

impl Counts {
    pub(super) fn add_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_reset(&self) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }
}
