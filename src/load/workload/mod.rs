//! What the clients of a load do, behind one seam.
//!
//! A workload begins here: its [`Sessions`] in a file (those of one command each are in
//! `simple`), a line in [`of`], and a variant of [`Workload`]. Its operations are a family in [`Action`](crate::model::op::Action), which a checker judges.

mod cache;
mod cas;
mod counter;
mod expiry;
mod keys;
mod locks;
mod plans;
mod session;
mod simple;
mod stream;
mod transfer;

use super::client::Request;
use crate::model::Workload;
use crate::model::op::{Purpose, key_name};
use crate::model::slot::slot_of;
use crate::spec::lock::{Lock, LockKind};
use crate::spec::scenario::{By, Load};

pub(in crate::load) use locks::{Kind, Mutex, beside};
pub(crate) use plans::Plans;
use session::badness;
pub(crate) use session::{Draw, Next, Plan, Sessions, Stage, Values};

/// The clients of a load, who remember nothing yet.
pub(crate) fn of(load: &Load) -> Box<dyn Sessions> {
    with(load, &locks::Deadlocks::default())
}

/// The same for each of its instances. Those of locks look for deadlocks together.
pub(crate) fn of_instances(load: &Load) -> impl Fn() -> Box<dyn Sessions> {
    let deadlocks = locks::Deadlocks::default();
    move || with(load, &deadlocks)
}

fn with(load: &Load, deadlocks: &locks::Deadlocks) -> Box<dyn Sessions> {
    let outbox = load.outbox;
    match load.workload {
        Workload::Register => Box::new(simple::Register { outbox }),
        Workload::Cas => Box::<cas::Cas>::default(),
        Workload::Counter => {
            let (by, lease) = (load.by.unwrap_or(By::Incr), 2 * load.timeout);
            Box::new(counter::Counter { by, lease, outbox })
        }
        Workload::Set => Box::new(simple::Set { outbox }),
        Workload::Queue => Box::new(simple::Queue),
        Workload::Stream => Box::<stream::Stream>::default(),
        Workload::DualWrite => Box::new(simple::DualWrite),
        Workload::Transfer => {
            let by = load.by.unwrap_or(By::Multi);
            Box::new(transfer::Transfer { by, what: load.transfers })
        }
        Workload::Lock => {
            let usual = || Lock::new(LockKind::Mutex);
            let lock = load.lock.clone().unwrap_or_else(usual);
            Box::new(locks::Locks::new(lock, load.timeout, deadlocks.clone()))
        }
        Workload::Cache => Box::new(cache::Cache::of(load)),
        Workload::Expiry => {
            let usual = crate::spec::expiry::Expiry::USUAL;
            Box::new(expiry::Expiry(load.expiry.unwrap_or(usual)))
        }
    }
}

/// An operation, and what it takes to put it into words.
pub(crate) struct Doing<'a> {
    pub(crate) load: &'a Load,
    pub(crate) sessions: &'a dyn Sessions,
    pub(crate) plan: &'a Plan,
    pub(crate) purpose: Purpose,
    pub(crate) values: &'a mut Values,
}

impl Doing<'_> {
    /// The key's name.
    pub(crate) fn key(&self) -> String {
        key_name(&self.load.keyspace.name, self.plan.key)
    }

    /// As it is sent. What clients change is to reach replicas, if the load waits for them.
    pub(crate) fn request(self) -> Request {
        let key = self.key();
        let (commands, read) = self.sessions.command(&key, self.plan, self.values);
        let waits = self.purpose == Purpose::Load && self.sessions.waits(self.plan);
        let wait = self.load.wait.filter(|_| waits);
        Request { slot: slot_of(key.as_bytes()), commands, read, wait }
    }
}
