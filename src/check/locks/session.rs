//! What the sessions on one lock did, from their operations in any order.

use rustc_hash::FxHashMap;

use crate::check::parts::Kept;
use crate::model::Nanos;
use crate::model::op::{Action, LockOp, Op, Outcome, Purpose};

/// One lock: all wishes for it, and what its account held at the end.
#[derive(Debug, Default)]
pub(super) struct Lock {
    wishes: FxHashMap<u64, Wish>,
    /// The last answered final read: when it was sent, and what it found. Of several groups, the
    /// last one has the account.
    pub last: Option<(Nanos, u64)>,
    last_group: u8,
}

/// The operations of one session on the lock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    load: u8,
    process: u32,
    /// When the client wished for it, and when its last try was over.
    pub wished: Option<Nanos>,
    pub tried: Nanos,
    pub tries: u64,
    /// Its last try was answered, and somebody else had the lock.
    is_taken: bool,
    /// It gave up for a deadlock.
    is_aborted: bool,
    /// Operations on the lock that were sent.
    pub commands: u64,
    got: Option<Nanos>,
    used: Nanos,
    shared: bool,
    fence: u64,
    /// The least and the most that it found on the account.
    found: Option<(u64, u64)>,
    written: Option<(Nanos, Nanos)>,
    updates: u64,
    refused: Option<Nanos>,
    /// What its last such write put.
    balance: u64,
    /// When the last lease that it got was asked for, and answered; and when that was due.
    leased: Option<(Nanos, Nanos)>,
    due: Nanos,
    /// When giving it back was sent, and answered.
    given_back: Option<(Nanos, Nanos)>,
    /// When the last release was sent of which a server answered that it had the lock, and that it
    /// did not have it.
    had: Option<Nanos>,
    had_not: Option<Nanos>,
}

/// The time in which a session had the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub load: u8,
    pub token: u64,
    pub process: u32,
    pub wished: Nanos,
    /// Its client knew that it has the lock.
    pub got: Nanos,
    /// It sent the last operation that used it.
    pub used: Nanos,
    /// It sent the giving back, or, if it never did, used it last.
    pub given_back: Nanos,
    /// When the giving back was answered.
    pub released: Option<Nanos>,
    pub shared: bool,
    /// The account changed while a reader had the lock.
    pub changed: bool,
    pub fence: u64,
    /// Its last write that the account took: when it was sent and answered.
    pub written: Option<(Nanos, Nanos)>,
    /// What that put.
    pub balance: u64,
    /// When its last lease was asked for, and answered.
    pub leased: Option<(Nanos, Nanos)>,
    /// Acknowledged updates.
    pub updates: u64,
    /// When the update was sent that the account refused.
    pub refused: Option<Nanos>,
    /// When the release was sent of which each server answered that it no longer had the lock.
    pub not_held: Option<Nanos>,
}

impl Held {
    pub(super) fn who(&self) -> String {
        format!("client {} (token {})", self.process, self.token)
    }
}

impl Lock {
    /// Those that had it, in the order in which they got it.
    pub(super) fn held(&self) -> Vec<Held> {
        // What is sorted is small.
        let had = self.wishes.iter().filter_map(|(token, wish)| Some((wish.got?, *token, wish)));
        let mut had: Vec<(Nanos, u64, &Wish)> = had.collect();
        had.sort_unstable_by_key(|(got, token, _)| (*got, *token));
        had.into_iter().filter_map(|(_, token, wish)| wish.held(token)).collect()
    }

    /// When those that did not get it began to wish for it, and tried for the last time.
    pub(super) fn in_vain(&self) -> impl Iterator<Item = (Nanos, Nanos)> {
        let vain = self.wishes.values().filter(|wish| !wish.has_it());
        vain.filter_map(|wish| Some((wish.wished?, wish.tried)))
    }

    /// When each session began to wish for it, and when its last try was over.
    pub(super) fn tries(&self) -> impl Iterator<Item = (Nanos, Nanos)> {
        self.wishes.values().filter_map(|wish| Some((wish.wished?, wish.tried)))
    }

    pub(super) fn wishes(&self) -> impl Iterator<Item = &Wish> {
        self.wishes.values()
    }
}

impl Wish {
    fn held(&self, token: u64) -> Option<Held> {
        let got = self.got?;
        let used = self.used.max(got);
        let given_back = self.given_back.filter(|(sent, _)| *sent >= used);
        Some(Held {
            load: self.load,
            token,
            process: self.process,
            wished: self.wished.unwrap_or(got),
            got,
            used,
            given_back: given_back.map_or(used, |(sent, _)| sent),
            released: given_back.map(|(_, done)| done),
            shared: self.shared,
            changed: self.found.is_some_and(|(least, most)| least < most),
            fence: self.fence,
            written: self.written,
            balance: self.balance,
            leased: self.leased,
            updates: self.updates,
            refused: self.refused,
            not_held: self
                .had_not
                .filter(|at| *at >= used && self.had.is_none_or(|had| had < used)),
        })
    }

    pub(super) fn has_it(&self) -> bool {
        self.got.is_some()
    }

    /// It got no lease, let alone the lock.
    pub(super) fn is_in_vain(&self) -> bool {
        self.leased.is_none() && !self.has_it()
    }

    /// Its patience was over while somebody else had the lock.
    pub(super) fn is_timed_out(&self) -> bool {
        self.is_taken && !self.is_aborted && !self.has_it()
    }

    /// It got a lease. What is asked of several servers at once is due at the same instant.
    fn leases(&mut self, op: &Op) {
        let (sent, done) = (op.sent, op.done);
        match self.leased {
            Some(known) if op.intended == self.due => {
                self.leased = Some((known.0.min(sent), known.1.max(done)));
            }
            Some(_) if op.intended < self.due => {}
            _ => (self.leased, self.due) = (Some((sent, done)), op.intended),
        }
    }

    fn keep(&mut self, op: &Op, action: LockOp) {
        let ok = op.outcome == Outcome::Ok;
        self.load = op.load;
        self.commands += u64::from(!matches!(action, LockOp::Read { .. } | LockOp::Write { .. }));
        match action {
            LockOp::Acquire { shared, got, .. } => {
                let first = self.wished.map_or(op.intended, |wished| wished.min(op.intended));
                self.wished = Some(first);
                if op.done >= self.tried {
                    self.is_taken = ok && got.is_none();
                }
                self.tried = self.tried.max(op.done);
                // On several groups a try has an operation on each.
                self.tries += u64::from(op.group == 0);
                self.shared = shared;
                self.fence = self.fence.max(got.filter(|_| ok).unwrap_or(0));
                if ok && got.is_some() {
                    self.leases(op);
                }
            }
            LockOp::Extend { held: true, .. } if ok => self.leases(op),
            LockOp::Wait { .. } | LockOp::Extend { .. } => {}
            LockOp::Read { balance, .. } => {
                if ok {
                    let found = balance.unwrap_or(0);
                    let (least, most) = self.found.unwrap_or((found, found));
                    self.found = Some((least.min(found), most.max(found)));
                }
                self.got = Some(self.got.map_or(op.intended, |got| got.min(op.intended)));
                self.used = self.used.max(op.sent);
                self.process = op.process;
            }
            // What was refused had no effect, and what was not done is no use.
            LockOp::Write { taken: false, .. } if ok => self.refused = Some(op.sent),
            LockOp::Write { .. } if matches!(op.outcome, Outcome::Fail(_)) => {}
            LockOp::Write { fence, balance, .. } => {
                self.fence = self.fence.max(fence);
                self.used = self.used.max(op.sent);
                if ok {
                    self.updates += 1;
                    (self.written, self.balance) = (Some((op.sent, op.done)), balance);
                }
            }
            LockOp::Release { held, .. } | LockOp::Abort { held, .. } => {
                if ok {
                    let last = if held { &mut self.had } else { &mut self.had_not };
                    *last = (*last).max(Some(op.sent));
                }
                self.is_aborted |= matches!(action, LockOp::Abort { .. });
                let known = self.given_back.unwrap_or((op.sent, op.done));
                self.given_back = Some((known.0.max(op.sent), known.1.max(op.done)));
            }
        }
    }
}

impl Kept for Lock {
    fn wants(op: &Op) -> bool {
        matches!(op.action, Action::Lock(_))
    }

    fn keep(&mut self, op: &Op) {
        let Action::Lock(action) = op.action else { return };
        match (action, op.purpose) {
            (LockOp::Read { balance, .. }, Purpose::Final) => {
                let is_last = (self.last_group, self.last.map_or(Nanos::ZERO, |(sent, _)| sent))
                    <= (op.group, op.sent);
                if op.outcome == Outcome::Ok && is_last {
                    self.last = Some((op.sent, balance.unwrap_or(0)));
                    self.last_group = op.group;
                } else if op.outcome != Outcome::Ok && op.group > self.last_group {
                    // That of the accounts was not read.
                    (self.last, self.last_group) = (None, op.group);
                }
            }
            (_, Purpose::Load) => self.wishes.entry(action.session()).or_default().keep(op, action),
            (_, Purpose::Fill | Purpose::Final | Purpose::Beside) => {}
        }
    }
}
