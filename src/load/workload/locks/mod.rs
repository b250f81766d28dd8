//! Locks: a session acquires one, reads the account that it guards, works, writes the account, and
//! gives the lock back. Or it takes several, one after the other, before it works.
//!
//! A key is a lock. The account's update is not atomic without it: it is read, computed and
//! written. So where two had the lock at once, an update is lost. Keys of a lock bear its name as
//! their hash tag, so they are in one slot.
//!
//! A kind of lock is a file here, behind the seam [`Kind`]. What several servers make of one is in
//! `redlock.rs`.

mod compared;
mod deadlocks;
mod fair;
mod fenced;
mod kind;
mod leases;
mod mutex;
mod mutex_wait;
mod names;
mod read_write;
mod redlock;
mod semaphore;
mod wish;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use super::{Draw, Next, Plan, Sessions, Stage, Values};
use crate::load::client::{Commands, Read, ReplyValue, of};
use crate::model::op::{Action, LockOp, Op};
use crate::spec::lock::{Deadlock, Lock, LockKind};

pub(super) use deadlocks::Deadlocks;
pub(in crate::load) use kind::Kind;
pub(in crate::load) use mutex::Mutex;
pub(in crate::load) use names::beside;

use compared::Compared;
use fair::Fair;
use fenced::Fenced;
use kind::number;
use read_write::ReadWrite;
use semaphore::Semaphore;
use wish::Wish;

/// The sessions of one instance, each with its wish for locks, by its token.
#[derive(Debug)]
pub(super) struct Locks {
    lock: Lock,
    kind: Box<dyn Kind>,
    /// How long a client waits at most without asking. An answer is to come within the time-out.
    blocks: Duration,
    wishes: RefCell<HashMap<u64, Wish>>,
    /// The further locks of sessions that take several, by their tokens, until they have begun.
    others: RefCell<HashMap<u64, Box<[u64]>>>,
    /// Where all instances of the load look for deadlocks, if they do.
    deadlocks: Option<Deadlocks>,
}

impl Locks {
    /// Of a load whose operations take so long at most.
    pub(super) fn new(lock: Lock, timeout: Duration, deadlocks: Deadlocks) -> Locks {
        Locks {
            kind: of_kind(&lock, timeout),
            blocks: timeout / 2,
            wishes: RefCell::default(),
            others: RefCell::default(),
            deadlocks: (lock.deadlock == Deadlock::Detect).then_some(deadlocks),
            lock,
        }
    }

    fn wish(&self, token: u64, first: &Op) -> Wish {
        let others = self.others.borrow_mut().remove(&token).unwrap_or_default();
        Wish::new(token, first, &others, self.deadlocks.clone())
    }
}

/// The lock of a load whose operations take so long at most.
fn of_kind(lock: &Lock, timeout: Duration) -> Box<dyn Kind> {
    match lock.kind {
        // Waiting for replicas is the client's part, and the quorum that of a wish.
        LockKind::Mutex | LockKind::MutexWait | LockKind::Redlock => match lock.comparing {
            Some(comparing) => Box::new(Compared(comparing)),
            None => Box::new(Mutex),
        },
        // A library's lock may hand out numbers. The account takes 0 as long as it has seen none.
        LockKind::Fenced | LockKind::Library => Box::new(Fenced),
        LockKind::Semaphore => Box::new(Semaphore { holders: lock.holders }),
        LockKind::ReadWrite => Box::new(ReadWrite),
        LockKind::Fair => Box::new(Fair { ttl: lock.ttl, alive: 2 * timeout }),
    }
}

impl Sessions for Locks {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        let mut keys = draw.several_keys(key, self.lock.take);
        if self.lock.deadlock == Deadlock::Order {
            keys.sort_unstable();
        }
        let mut stage =
            wish::acquire(&self.lock, keys[0], (draw.number(), reads), self.lock.patience);
        stage[0].then = keys[1..].into();
        stage
    }

    fn last(&self) -> Action {
        Action::Lock(LockOp::Read { token: 0, balance: None })
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        let Action::Lock(action) = plan.action else { return (of("GET", key).into(), number) };
        let token = values.text(action.token(), 0);
        let (command, read) = match action {
            LockOp::Acquire { shared: true, .. } => self.kind.share(key, token, self.lock.ttl),
            LockOp::Acquire { .. } => self.kind.acquire(key, token, self.lock.ttl),
            LockOp::Wait { .. } => {
                let wishes = self.wishes.borrow();
                let taken = wishes.get(&action.session()).map_or(Duration::ZERO, Wish::waits);
                let (pop, read) = fair::wait(key, token, taken.min(self.blocks));
                return (Commands::Alone(pop), read);
            }
            LockOp::Extend { .. } => self.kind.extend(key, token, self.lock.ttl),
            LockOp::Release { .. } | LockOp::Abort { .. } => self.kind.release(key, token),
            LockOp::Read { token, .. } => {
                let fence = self.wishes.borrow().get(&token).map_or(0, Wish::fence);
                self.kind.read(key, fence)
            }
            LockOp::Write { balance, fence, .. } => self.kind.write(key, balance, fence),
        };
        (command.into(), read)
    }

    fn complete(&mut self, mut plan: Plan) -> Plan {
        if let (Action::Lock(action), false) = (&plan.action, plan.then.is_empty()) {
            self.others.get_mut().insert(action.session(), std::mem::take(&mut plan.then));
        }
        plan
    }

    fn waits(&self, plan: &Plan) -> bool {
        mutex_wait::must_reach_replicas(&plan.action)
    }

    /// A client goes on as soon as a quorum says that it has the lock, or as none can any more.
    fn enough(&self, ended: &[Op], of: usize) -> bool {
        redlock::is_decided(&self.lock, ended, of)
    }

    /// Nobody notices a server that is dead while a quorum lives.
    fn decisive(&self, ended: &[Op]) -> Option<usize> {
        redlock::decisive(&self.lock, ended)
    }

    /// Who has it may have told for how long. A library may have waited for its lock, and may say
    /// how long it is valid.
    fn learn(&mut self, op: &Op, told: &ReplyValue) {
        let Action::Lock(action) = op.action else { return };
        if !matches!(told, ReplyValue::Taken(_) | ReplyValue::Lease { got: Some(_), .. }) {
            return;
        }
        let token = action.session();
        let known = self.wishes.get_mut().remove(&token);
        let mut wish = known.unwrap_or_else(|| self.wish(token, op));
        match told {
            ReplyValue::Taken(rest) => wish.heard_of(*rest),
            ReplyValue::Lease { took, valid, .. } => {
                // What does not tell may have waited for the answer after its lease had begun.
                wish.is_told(valid.map_or(self.lock.ttl, |valid| *took + valid));
            }
            _ => {}
        }
        self.wishes.get_mut().insert(token, wish);
    }

    fn then(&self, ended: &[Op], _: u32) -> Option<Next> {
        let first = ended.first()?;
        let Action::Lock(action) = first.action else { return None };
        let token = action.session();
        let known = self.wishes.borrow_mut().remove(&token);
        let mut wish = known.unwrap_or_else(|| self.wish(token, first));
        let next = wish.then(&self.lock, action, ended);
        match next.is_some() {
            // It may have begun anew, with another token.
            true => _ = self.wishes.borrow_mut().insert(wish.token(), wish),
            false => wish.ends(),
        }
        next
    }
}

#[cfg(test)]
mod tests;
