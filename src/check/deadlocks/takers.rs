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
    /// The first try that somebody else's having the lock made vain was sent, and answered.
    refused: Option<(Nanos, Nanos)>,
    /// The last try was over.
    tried: Nanos,
    /// Its client knew that it has the lock.
    got: Option<Nanos>,
    /// It sent the giving back.
    back: Option<Nanos>,
}

/// A span of time.
pub(super) type Span = (Nanos, Nanos);

/// That a session waited for a lock.
pub(super) struct Waited {
    pub lock: u64,
    pub span: Span,
    /// Its client knew that it has to wait.
    pub known: Nanos,
    /// Until the load's end.
    pub cut_off: bool,
}

impl Taker {
    pub(super) fn keep(takers: &mut Takers, op: &Op) {
        let Action::Lock(action) = op.action else { return };
        if op.purpose != Purpose::Load {
            return;
        }
        let taker = takers.entry(action.session()).or_default();
        (taker.load, taker.process) = (op.load, op.process);
        if let LockOp::Abort { found, .. } = action {
            taker.found = Some(found);
        }
        taker.wishes.entry(op.key).or_default().keep(op, action);
    }

    /// When it waited for which lock: from the first try that was in vain until it had the lock, or
    /// went away and gave back what it had. Who had nothing to give back waits until its last try was
    /// over; whom the load's `end` cut off, until then.
    pub(super) fn waits(&self, end: Nanos) -> impl Iterator<Item = Waited> {
        self.wishes.iter().filter_map(move |(lock, wish)| {
            let went = self.wishes.values().filter_map(Wish::gave_back);
            let went = went.filter(|back| *back >= wish.tried).min();
            let had_nothing = self.wishes.values().all(|wish| wish.got.is_none());
            let ended = wish.got.or(went).or(had_nothing.then_some(wish.tried));
            let (from, known) = wish.refused?;
            let span = (from, ended.unwrap_or(end));
            Some(Waited { lock: *lock, span, known, cut_off: ended.is_none() })
        })
    }

    /// When its last try to get a lock was over.
    pub(super) fn tried(&self) -> Nanos {
        self.wishes.values().map(|wish| wish.tried).max().unwrap_or_default()
    }

    /// When it had which lock: until it gave it back, or the lease was over.
    pub(super) fn had(&self, lease: Duration) -> impl Iterator<Item = (u64, Span)> {
        self.wishes.iter().filter_map(move |(lock, wish)| {
            let over = wish.got? + lease;
            let until = wish.gave_back().map_or(over, |back| back.min(over));
            Some((*lock, (wish.got?, until)))
        })
    }
}

impl Wish {
    fn keep(&mut self, op: &Op, action: LockOp) {
        match action {
            LockOp::Acquire { got, .. } => {
                self.tried = self.tried.max(op.done);
                if op.outcome == Outcome::Ok && got.is_none() {
                    let (sent, done) = self.refused.unwrap_or((op.sent, op.done));
                    self.refused = Some((sent.min(op.sent), done.min(op.done)));
                }
            }
            LockOp::Read { .. } => {
                self.got = Some(self.got.map_or(op.intended, |got| got.min(op.intended)));
            }
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
