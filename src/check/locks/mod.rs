//! Locks: nobody has one while as many others have it as may have it (one, but for semaphores), and
//! no update of the account that it guards is lost.
//!
//! A session has a lock from the instant at which its client knew so, until the client's own last
//! use: it sent the last operation on the account then. Both are instants of redrill's clock,
//! whatever the servers say. So where two such times meet, the lock was broken for certain. Between
//! its last use and giving back a client might have used it: what meets that is only possible.
//!
//! Each update of an account is a read, and a write of one more. If none is lost, an account ends
//! with as many as were acknowledged, and those whose outcome is unknown at most.

mod fencing;
mod figures;
mod lacked;
mod leases;
mod overlap;
mod session;
mod tally;
mod told;
mod waits;

use std::collections::BTreeMap;

use crate::model::measure::count;
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context, OverTime};
use super::finding::{Example, Examples};
use super::parts::{self, HELD, History, Keys, ReadError};

pub use figures::{LockFigures, LocksOfStep, LocksWrong};

use fencing::{Late, overtaken_writes};
use overlap::{Overlap, overlaps};
use session::{Held, Lock};
use tally::Tally;

/// Judges every lock and its account.
pub struct Locks;

/// What was found on all locks so far.
struct Found<'c> {
    context: &'c Context,
    /// By load.
    of: BTreeMap<u8, Tally>,
    examples: Examples,
    of_lost: Examples,
    of_unfenced: Examples,
    over_time: OverTime,
}

impl Checker for Locks {
    fn name(&self) -> &'static str {
        "locks"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let mut found = Found {
            context,
            of: BTreeMap::new(),
            examples: Examples::counted_from(context.zero),
            of_lost: Examples::counted_from(context.zero),
            of_unfenced: Examples::counted_from(context.zero),
            over_time: OverTime::new(&context.windows),
        };
        parts::in_parts(history, HELD, |locks: Keys<Lock>, _| {
            locks.into_iter().for_each(|(at, lock)| found.judge(at, lock));
            Ok(())
        })?;
        Ok(found.told())
    }
}

impl Found<'_> {
    fn judge(&mut self, at: (u8, u64), lock: Lock) {
        let (context, held) = (self.context, lock.held());
        let holders = context.holders(at.0);
        let tally = self.of.entry(at.0).or_default();
        tally.waits.add(&lock, &held, context.is_by_library(at.0));
        if let Some(ttl) = context.lease(at.0) {
            tally.lacked.is_untold |= context.is_by_library(at.0);
            tally.lacked.add(&lock, &held, ttl, context);
            if holders == 1 {
                tally.leases.follow(&held, ttl);
            }
            if let Some(healed) = context.healed() {
                tally.leases.heal(&lock, &held, ttl, healed);
            }
        }
        tally.changed += held.iter().filter(|one| one.changed).count() as u64;
        tally.updates += held.iter().map(|one| one.updates).sum::<u64>();
        for at in held.iter().filter_map(|one| one.refused) {
            tally.wrong(context, at, LocksWrong { caught: 1, ..LocksWrong::default() });
        }
        for overlap in overlaps(&held, holders) {
            self.overlap(at, &overlap);
        }
        for late in overtaken_writes(&held) {
            self.unfenced(at, &late);
        }
        self.account(at, &lock, &held);
    }

    fn overlap(&mut self, at: (u8, u64), overlap: &Overlap) {
        let (context, then) = (self.context, overlap.then);
        let (certain, possible) = match overlap.is_certain {
            true => (1, 0),
            false => (0, 1),
        };
        let wrong = LocksWrong { overlaps: certain, possible, ..LocksWrong::default() };
        self.of.entry(at.0).or_default().wrong(context, then.got, wrong);
        if overlap.is_certain {
            self.over_time.count(then.load, then.got);
        }
        let rank = (u64::from(!overlap.is_certain), then.got.0, at.0, at.1);
        self.examples.offer(rank, |zero| {
            let text = told::overlap(at.1, overlap, zero) + &told::during(context, then.got);
            let window = told::drawn(overlap);
            Example { window, ..Example::new(at.0, at.1, then.got, text) }
        });
    }

    /// The account took what it should have refused.
    fn unfenced(&mut self, at: (u8, u64), late: &Late) {
        self.of.entry(at.0).or_default().unfenced += 1;
        let (context, sent) = (self.context, late.sent);
        self.of_unfenced.offer((sent.0, late.older.token, at.0, at.1), |zero| {
            let text = told::unfenced(at.1, late, zero) + &told::during(context, sent);
            Example::new(at.0, at.1, sent, text)
        });
    }

    /// What its updates should have left, and what it held at the end.
    fn account(&mut self, at: (u8, u64), lock: &Lock, held: &[Held]) {
        let acknowledged: u64 = held.iter().map(|one| one.updates).sum();
        let Some((sent, balance)) = lock.last else {
            self.of.entry(at.0).or_default().unread += u64::from(acknowledged > 0);
            return;
        };
        let lost = acknowledged.saturating_sub(balance);
        if lost == 0 {
            return;
        }
        let tally = self.of.entry(at.0).or_default();
        let known: Vec<Nanos> = overwriting(held).into_iter().take(lost as usize).collect();
        for one in &known {
            let wrong = LocksWrong { lost: 1, ..LocksWrong::default() };
            tally.wrong(self.context, *one, wrong);
        }
        let more = lost - known.len() as u64;
        tally.wrong_anyhow(LocksWrong { lost: more, ..LocksWrong::default() });
        self.of_lost.offer((u64::MAX - lost, sent.0, at.0, at.1), |_| {
            let text = format!(
                "the account of lock {} ended with {balance}, and {acknowledged} updates were \
                 acknowledged",
                at.1
            );
            Example::new(at.0, at.1, sent, text)
        });
    }

    fn told(self) -> Checked {
        let mut told = Checked::default();
        let mut all = Tally::default();
        for (load, mut tally) in self.of {
            told.locks.insert(load, tally.figures());
            let mut own = Checked::default();
            tally.told(&mut own);
            told.of_load(load, own);
            all.join(tally);
        }
        all.told(&mut told);
        let Tally { ref waits, wrong, updates, unread, unfenced, .. } = all;
        let verdict = |wrong: u64| if wrong > 0 { Verdict::Fail } else { Verdict::Pass };
        let text = format!(
            "{} of {} acquisitions certainly while somebody else had the lock, {} possibly",
            count(wrong.overlaps),
            count(waits.acquired()),
            count(wrong.possible)
        );
        let overlaps = (wrong.overlaps, text);
        told.find("lock.overlaps", verdict(wrong.overlaps), overlaps, &self.examples);
        let text = format!(
            "{} of {} acknowledged updates of the accounts that locks guard lost",
            count(wrong.lost),
            count(updates)
        );
        let lost = super::checker::verdict(wrong.lost, unread);
        told.find("lock.updates.lost", lost, (wrong.lost, text), &self.of_lost);
        let text = format!(
            "{} updates of an older holder that an account took after one of a newer holder",
            count(unfenced)
        );
        let late = (unfenced, text);
        told.find("lock.fencing.missed", verdict(unfenced), late, &self.of_unfenced);
        let text = format!("{} accounts could not be read at the end", count(unread));
        told.find_unread("lock.updates.lost", (wrong.lost, unread), text);
        told.over_time.insert("lock.overlaps", self.over_time);
        told
    }
}

/// When acknowledged updates were sent that put an account to no more than another one had before:
/// one of the two is lost each time.
fn overwriting(held: &[Held]) -> Vec<Nanos> {
    let mut writes: Vec<(Nanos, Nanos, u64)> = held
        .iter()
        .filter_map(|one| one.written.map(|(sent, done)| (done, sent, one.balance)))
        .collect();
    writes.sort_unstable();
    let (mut most, mut found) = (0, Vec::new());
    for (_, sent, balance) in writes {
        if balance <= most {
            found.push(sent);
        }
        most = most.max(balance);
    }
    found
}

#[cfg(test)]
mod tests;
