//! What sessions that take several locks did, from their operations in any order.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::model::Nanos;
use crate::model::op::{Action, LockOp, Op, Outcome, Purpose};

/// The sessions of one set of keys, by their tokens.
pub(super) type Takers = HashMap<u64, Taker>;

/// One session, until it ends or begins anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Taker {
    pub load: u8,
    pub process: u32,
    /// By the lock's number.
    pub wishes: BTreeMap<u64, Wish>,
    /// When the load found it in a deadlock that it was to end.
    pub found: Option<Nanos>,
}

/// What it had to do with one lock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    /// The first try that somebody else's having the lock made vain was sent.
    refused: Option<Nanos>,
    /// The last try was over.
    tried: Nanos,
    /// Its client knew that it has the lock.
    got: Option<Nanos>,
    /// It sent the giving back.
    back: Option<Nanos>,
}

/// A span of time.
pub(super) type Span = (Nanos, Nanos);

impl Taker {
    pub(super) fn keep(takers: &mut Takers, op: &Op) {
        let Action::Lock(action) = op.action else { return };
        if op.purpose != Purpose::Load {
            return;
        }
        let taker = takers.entry(action.token()).or_default();
        (taker.load, taker.process) = (op.load, op.process);
        if let LockOp::Abort { found, .. } = action {
            taker.found = Some(found);
        }
        taker.wishes.entry(op.key).or_default().keep(op, action);
    }

    /// When it waited for which lock: from the first try that was in vain until it had the lock, or
    /// went away and gave back what it had. A session that the load's end cut off waits until its
    /// last try was over.
    pub(super) fn waits(&self) -> impl Iterator<Item = (u64, Span)> {
        self.wishes.iter().filter_map(|(lock, wish)| {
            let went = self.wishes.values().filter_map(Wish::gave_back);
            let went = went.filter(|back| *back >= wish.tried).min();
            Some((*lock, (wish.refused?, wish.got.or(went).unwrap_or(wish.tried))))
        })
    }

    /// When it had which lock: until it gave it back, or the lease was over.
    pub(super) fn had(&self, lease: Duration) -> impl Iterator<Item = (u64, Span)> {
        self.wishes.iter().filter_map(move |(lock, wish)| {
            let over = wish.got? + lease;
            let until = wish.gave_back().map_or(over, |back| back.min(over));
            Some((*lock, (wish.got?, until)))
        })
    }

    /// Whether it got the lock in the end, or gave back what it had.
    pub(super) fn went_on(&self, lock: u64) -> bool {
        let got = self.wishes.get(&lock).is_some_and(|wish| wish.got.is_some());
        got || self.wishes.values().any(|wish| wish.gave_back().is_some())
    }
}

impl Wish {
    fn keep(&mut self, op: &Op, action: LockOp) {
        let earlier =
            |known: Option<Nanos>, at: Nanos| Some(known.map_or(at, |known| known.min(at)));
        match action {
            LockOp::Acquire { got, .. } => {
                self.tried = self.tried.max(op.done);
                if op.outcome == Outcome::Ok && got.is_none() {
                    self.refused = earlier(self.refused, op.sent);
                }
            }
            LockOp::Read { .. } => self.got = earlier(self.got, op.intended),
            // What a try may have left is given back before the lock is had.
            LockOp::Release { .. } | LockOp::Abort { .. } => {
                self.back = self.back.max(Some(op.sent))
            }
            LockOp::Extend { .. } | LockOp::Write { .. } | LockOp::Wait { .. } => {}
        }
    }

    /// When it gave the lock back.
    fn gave_back(&self) -> Option<Nanos> {
        self.back.filter(|back| self.got.is_some_and(|got| got <= *back))
    }
}
