//! A wish for a lock, or for several, from its first try to its end.
//!
//! A client that finds the lock taken tries again until its patience is over. One that has it works
//! for a while, and writes its account only as long as its lease lasts by its own clock. A reader
//! reads the account once more instead.
//!
//! Of several locks it takes one after the other, and waits for the next one while it has those
//! before. It gives them back in the opposite order.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use smallvec::{SmallVec, smallvec};

use super::deadlocks::Deadlocks;
use super::redlock::{count_got, fence, leased, on_all};
use crate::load::workload::{Next, Plan, Stage};
use crate::model::Nanos;
use crate::model::op::{Action, LockOp, Op, Outcome};
use crate::spec::lock::{Lock, LockKind};

/// The token of a session that begins anew is so much greater. No load draws so many numbers, and
/// after some thousands of beginnings it is still a number that any reader of JSON has exactly.
const ANEW: u64 = 1 << 40;

/// What one session wants, and has.
#[derive(Debug)]
pub(super) struct Wish {
    /// The session's name.
    token: u64,
    /// With which it tries to get the next lock.
    trying: u64,
    /// The locks that it takes, in this order.
    keys: SmallVec<[u64; 1]>,
    /// As many of them as it has.
    has: SmallVec<[Had; 1]>,
    /// The client wished for them then.
    since: Nanos,
    work_until: Nanos,
    /// As one of several readers.
    shared: bool,
    /// A reader has read the account for the last time.
    is_done: bool,
    /// How long the lock that a library got is valid, from the order on.
    told: Duration,
    /// Somebody else had the lock for so long at most, as the last try told.
    taken: Duration,
    /// The accounts that it has written.
    written: usize,
    /// It may have a part of the next lock that is of no use, and gives that back before it tries
    /// again.
    cleans: bool,
    /// Where deadlocks are looked for; and when this session was found to be in one, which it ends
    /// by giving back all that it has.
    deadlocks: Option<Deadlocks>,
    found: Option<Nanos>,
    chance: Xoshiro256PlusPlus,
}

/// A lock that the session has.
#[derive(Debug)]
struct Had {
    token: u64,
    fence: u64,
    /// By the client's own clock.
    valid_until: Nanos,
    balance: u64,
}

/// A try to get the lock, as one of several readers if it is `shared`, by one who has so much
/// patience.
pub(super) fn acquire(
    lock: &Lock,
    key: u64,
    (token, shared): (u64, bool),
    patience: Duration,
) -> Stage {
    let mut stage = on_all(lock, key, LockOp::Acquire { token, shared, got: None });
    stage.iter_mut().for_each(|plan| plan.patience = patience);
    stage
}

impl Wish {
    /// That begins with `first`, and takes the locks `others` after that.
    pub(super) fn new(
        token: u64,
        first: &Op,
        others: &[u64],
        deadlocks: Option<Deadlocks>,
    ) -> Wish {
        Wish {
            token,
            trying: token,
            keys: [&[first.key][..], others].concat().into(),
            has: SmallVec::new(),
            since: first.intended,
            work_until: Nanos::ZERO,
            shared: matches!(first.action, Action::Lock(LockOp::Acquire { shared: true, .. })),
            is_done: false,
            told: Duration::ZERO,
            taken: Duration::ZERO,
            written: 0,
            cleans: false,
            deadlocks,
            found: None,
            chance: Xoshiro256PlusPlus::seed_from_u64(token),
        }
    }

    /// The lock that a library has got is valid for so long after the order was sent.
    pub(super) fn is_told(&mut self, valid: Duration) {
        self.told = valid;
    }

    /// Somebody else has the lock for so long at most.
    pub(super) fn heard_of(&mut self, rest: Duration) {
        self.taken = rest;
    }

    /// How long it makes sense to wait in line: not for longer than the lease of who has the lock.
    pub(super) fn waits(&self) -> Duration {
        self.taken
    }

    /// The number that came with the lock that it got last; 0 if it has none.
    pub(super) fn fence(&self) -> u64 {
        self.has.last().map_or(0, |had| had.fence)
    }

    pub(super) fn token(&self) -> u64 {
        self.token
    }

    /// It waits for nothing any more.
    pub(super) fn ends(&self) {
        if let Some(deadlocks) = &self.deadlocks {
            deadlocks.leaves(self.token);
        }
    }

    /// What follows the operations of a stage, of which `action` is the first; none if that is all.
    pub(super) fn then(&mut self, lock: &Lock, action: LockOp, ended: &[Op]) -> Option<Next> {
        let at = ended.iter().map(|op| op.done).max()?;
        let ok = ended[0].outcome == Outcome::Ok;
        match action {
            LockOp::Acquire { .. } => self.tried(lock, ended, at),
            LockOp::Wait { .. } if ok => {
                let patience = (self.since + lock.patience).since(at);
                Some(now(self.acquire(lock, patience)))
            }
            LockOp::Wait { .. } => self.try_again(lock, at, false),
            LockOp::Read { balance, .. } if ok && !self.is_done => {
                self.read(lock, balance.unwrap_or(0), at)
            }
            LockOp::Extend { .. } if self.extended(lock, ended) => self.work(lock, at),
            LockOp::Write { .. } if ok => Some(self.wrote(lock, at)),
            LockOp::Read { .. } | LockOp::Extend { .. } | LockOp::Write { .. } => {
                Some(self.give_back(lock, Duration::ZERO))
            }
            LockOp::Release { .. } | LockOp::Abort { .. } => self.gave_back(lock, ended, at),
        }
    }

    fn tried(&mut self, lock: &Lock, ended: &[Op], at: Nanos) -> Option<Next> {
        if count_got(ended) >= lock.quorum {
            let valid_until = match lock.kind {
                // Whatever the lines to it and back took is no part of that.
                LockKind::Library => ended[0].sent + self.told,
                _ => leased(lock, ended),
            };
            if valid_until > at {
                return Some(self.got(lock, ended, valid_until));
            }
        }
        let maybe = |op: &Op| fence(op).is_some() || matches!(op.outcome, Outcome::Unknown(_));
        // Those that have not answered yet may say yes.
        if ended.len() < lock.asked() || ended.iter().any(maybe) {
            self.cleans = true;
            return Some(self.release(lock, self.has.len(), Duration::ZERO));
        }
        if let Some(deadlocks) = &self.deadlocks {
            deadlocks.waits(self.token, self.keys[self.has.len()], (self.since, at));
        }
        if lock.kind == LockKind::Fair && ended[0].outcome == Outcome::Ok {
            return Some(self.stand_in_line(lock, at));
        }
        self.try_again(lock, at, false)
    }

    /// Until it is woken up, or the lease of who has the lock is over, or its own patience.
    fn stand_in_line(&mut self, lock: &Lock, at: Nanos) -> Next {
        let patience = (self.since + lock.patience).since(at);
        if patience.is_zero() {
            return self.give_back(lock, Duration::ZERO);
        }
        self.taken = self.taken.min(patience);
        let wait = LockOp::Wait { token: self.trying, woken: false };
        now(on_all(lock, self.keys[self.has.len()], wait))
    }

    fn got(&mut self, lock: &Lock, ended: &[Op], valid_until: Nanos) -> Next {
        let fence = ended.iter().filter_map(fence).max().unwrap_or(0);
        let key = self.keys[self.has.len()];
        self.has.push(Had { token: self.trying, fence, valid_until, balance: 0 });
        if self.is_found() {
            return self.give_back(lock, Duration::ZERO);
        }
        if let Some(deadlocks) = &self.deadlocks {
            deadlocks.has(self.token, key, valid_until);
        }
        now(on_account(lock, key, LockOp::Read { token: self.token, balance: None }))
    }

    /// The account of the lock that it got last. It works with that for a while.
    fn read(&mut self, lock: &Lock, balance: u64, at: Nanos) -> Option<Next> {
        if let Some(had) = self.has.last_mut() {
            had.balance = balance;
        }
        self.work_until = at + lock.hold.mul_f64(self.chance.random_range(0.5..1.5));
        self.work(lock, at)
    }

    fn extended(&mut self, lock: &Lock, ended: &[Op]) -> bool {
        let held = |op: &&Op| matches!(op.action, Action::Lock(LockOp::Extend { held: true, .. }));
        let held = ended.iter().filter(|op| op.outcome == Outcome::Ok).filter(held).count();
        if let Some(had) = self.has.last_mut().filter(|_| held >= lock.quorum) {
            had.valid_until = leased(lock, ended);
        }
        held >= lock.quorum
    }

    /// When the first of its leases is over.
    fn valid_until(&self) -> Nanos {
        self.has.iter().map(|had| had.valid_until).min().unwrap_or(Nanos(u64::MAX))
    }

    /// Goes on with the work: until the lease is to be extended, or the work is done. Then it takes
    /// its next lock, or writes if it has all. What is not done when a lease is over stays undone.
    fn work(&mut self, lock: &Lock, at: Nanos) -> Option<Next> {
        if let Some(every) = lock.extend.filter(|every| at + *every < self.work_until) {
            let extend = LockOp::Extend { token: self.token_of(0), held: false };
            return Some(Next { stage: on_all(lock, self.keys[0], extend), after: every });
        }
        if self.work_until.max(at) >= self.valid_until() {
            return Some(self.give_back(lock, self.valid_until().since(at)));
        }
        if lock.abandon > 0.0 && self.chance.random_bool(lock.abandon) {
            return None;
        }
        let after = self.work_until.since(at);
        if self.keys.len() > self.has.len() {
            let patience = (self.since + lock.patience).since(at + after);
            return Some(Next { stage: self.acquire(lock, patience), after });
        }
        self.is_done = self.shared;
        Some(self.write(lock, after))
    }

    fn write(&self, lock: &Lock, after: Duration) -> Next {
        let Had { fence, balance, .. } = self.has[self.written];
        let (token, balance) = (self.token, balance + 1);
        let last = match self.shared {
            true => LockOp::Read { token, balance: None },
            false => LockOp::Write { token, balance, fence, taken: false },
        };
        Next { stage: on_account(lock, self.keys[self.written], last), after }
    }

    fn wrote(&mut self, lock: &Lock, at: Nanos) -> Next {
        self.written += 1;
        match self.written < self.has.len() && at < self.valid_until() {
            true => self.write(lock, Duration::ZERO),
            false => self.give_back(lock, Duration::ZERO),
        }
    }

    /// Gives back the lock that it got last; the others follow.
    fn give_back(&mut self, lock: &Lock, after: Duration) -> Next {
        let last = self.has.len().saturating_sub(1);
        if let Some(deadlocks) = &self.deadlocks {
            deadlocks.gives_back(self.token, self.keys[last]);
        }
        self.release(lock, last, after)
    }

    fn release(&self, lock: &Lock, which: usize, after: Duration) -> Next {
        let (token, held) = (self.token_of(which), false);
        let release = match self.found {
            Some(found) => LockOp::Abort { token, held, found },
            None => LockOp::Release { token, held },
        };
        Next { stage: on_all(lock, self.keys[which], release), after }
    }

    /// With which it has a lock, or tries to get it.
    fn token_of(&self, which: usize) -> u64 {
        self.has.get(which).map_or(self.trying, |had| had.token)
    }

    fn gave_back(&mut self, lock: &Lock, ended: &[Op], at: Nanos) -> Option<Next> {
        if self.cleans {
            self.cleans = false;
            if ended.iter().any(|op| op.outcome != Outcome::Ok) {
                return self.try_anew(lock, at);
            }
            return self.try_again(lock, at, true);
        }
        self.has.pop();
        if !self.has.is_empty() {
            return Some(self.give_back(lock, Duration::ZERO));
        }
        self.found.take()?;
        self.ends();
        self.token += ANEW;
        self.trying = self.token;
        self.try_again(lock, at, false)
    }

    /// What it gave back may arrive late, and would take a lock away that it had got with the same
    /// token meanwhile. In a line it would lose its place: there it wishes for nothing any more.
    fn try_anew(&mut self, lock: &Lock, at: Nanos) -> Option<Next> {
        if lock.kind == LockKind::Fair {
            return None;
        }
        match LockOp::next_token(self.trying) {
            Some(token) => self.trying = token,
            None => return (!self.has.is_empty()).then(|| self.give_back(lock, Duration::ZERO)),
        }
        self.try_again(lock, at, true)
    }

    /// Whether it is in a deadlock, and the one that is to end it.
    fn is_found(&mut self) -> bool {
        self.found = self.deadlocks.as_ref().and_then(|deadlocks| deadlocks.found(self.token));
        self.found.is_some()
    }

    /// Tries again to get the next lock. Who has no time for that, because patience or a lease will
    /// be over, gives back what it has; and so does who is to end a deadlock. `has_left` says that
    /// it stands in no line any more.
    fn try_again(&mut self, lock: &Lock, at: Nanos, has_left: bool) -> Option<Next> {
        let after = lock.retry.mul_f64(self.chance.random_range(0.5..1.0));
        let until = self.valid_until().min(self.since + lock.patience);
        if !self.is_found() && at + after < until {
            let patience = (self.since + lock.patience).since(at + after);
            return Some(Next { stage: self.acquire(lock, patience), after });
        }
        if !self.has.is_empty() {
            return Some(self.give_back(lock, Duration::ZERO));
        }
        // Nobody is to hand it the lock any more.
        let may_be_in_line = lock.kind == LockKind::Fair && !has_left;
        may_be_in_line.then(|| self.give_back(lock, Duration::ZERO))
    }

    fn acquire(&self, lock: &Lock, patience: Duration) -> Stage {
        acquire(lock, self.keys[self.has.len()], (self.trying, self.shared), patience)
    }
}

fn now(stage: Stage) -> Next {
    Next { stage, after: Duration::ZERO }
}

/// One operation on the account.
fn on_account(lock: &Lock, key: u64, action: LockOp) -> Stage {
    smallvec![Plan { group: lock.accounts(), ..Plan::bare(key, Action::Lock(action)) }]
}
