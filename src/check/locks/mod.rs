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

mod overlap;
mod session;
mod waits;

use crate::model::catalogue::known;
use crate::model::measure::count;
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context, OverTime};
use super::finding::{Example, Examples, Zero};
use super::parts::{self, HELD, History, Keys, ReadError};

use overlap::{Overlap, overlaps};
use session::{Held, Lock};
use waits::Waits;

/// Judges every lock and its account.
pub struct Locks;

/// What was found on all locks so far.
#[derive(Default)]
struct Found {
    waits: Waits,
    overlaps: u64,
    possible: u64,
    updates: u64,
    lost: u64,
    /// Writes of an older holder that the account took.
    unfenced: u64,
    /// Such writes that it refused.
    caught: u64,
    /// Readers that saw the account change.
    changed: u64,
    /// Accounts that could not be read at the end.
    unread: u64,
    examples: Examples,
    of_lost: Examples,
    over_time: OverTime,
}

impl Checker for Locks {
    fn name(&self) -> &'static str {
        "locks"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let mut found = Found {
            examples: Examples::counted_from(context.zero),
            of_lost: Examples::counted_from(context.zero),
            over_time: OverTime::new(&context.windows),
            ..Found::default()
        };
        parts::in_parts(history, HELD, |locks: Keys<Lock>, _| {
            locks.into_iter().for_each(|(at, lock)| found.judge(at, lock, context.holders(at.0)));
            Ok(())
        })?;
        Ok(found.told())
    }
}

impl Found {
    fn judge(&mut self, at: (u8, u64), lock: Lock, holders: usize) {
        let held = lock.held();
        self.waits.add(&lock, &held);
        self.caught += held.iter().map(|one| one.refused).sum::<u64>();
        self.unfenced += overtaken_writes(&held);
        self.changed += held.iter().filter(|one| one.changed).count() as u64;
        self.updates += held.iter().map(|one| one.updates).sum::<u64>();
        for overlap in overlaps(&held, holders) {
            self.overlap(at, &overlap);
        }
        self.account(at, &lock, &held);
    }

    fn overlap(&mut self, at: (u8, u64), overlap: &Overlap) {
        let then = overlap.then;
        match overlap.is_certain {
            true => self.overlaps += 1,
            false => self.possible += 1,
        }
        if overlap.is_certain {
            self.over_time.count(then.load, then.got);
        }
        let rank = (u64::from(!overlap.is_certain), then.got.0, at.0, at.1);
        self.examples
            .offer(rank, |zero| Example::new(at.0, at.1, then.got, told(at.1, overlap, zero)));
    }

    /// What its updates should have left, and what it held at the end.
    fn account(&mut self, at: (u8, u64), lock: &Lock, held: &[Held]) {
        let acknowledged: u64 = held.iter().map(|one| one.updates).sum();
        let Some((sent, balance)) = lock.last else {
            self.unread += u64::from(acknowledged > 0);
            return;
        };
        let lost = acknowledged.saturating_sub(balance);
        self.lost += lost;
        if lost > 0 {
            self.of_lost.offer((u64::MAX - lost, sent.0, at.0, at.1), |_| {
                let text = format!(
                    "the account of lock {} ended with {balance}, and {acknowledged} updates were \
                     acknowledged",
                    at.1
                );
                Example::new(at.0, at.1, sent, text)
            });
        }
    }

    fn told(self) -> Checked {
        let mut told = Checked::default();
        let verdict = |wrong: u64| if wrong > 0 { Verdict::Fail } else { Verdict::Pass };
        let text = format!(
            "{} of {} acquisitions certainly while somebody else had the lock, {} possibly",
            count(self.overlaps),
            count(self.waits.acquired()),
            count(self.possible)
        );
        let overlaps = (self.overlaps, text);
        told.find("lock.overlaps", verdict(self.overlaps), overlaps, &self.examples);
        let text = format!(
            "{} of {} acknowledged updates of the accounts that locks guard lost",
            count(self.lost),
            count(self.updates)
        );
        let lost = super::checker::verdict(self.lost, self.unread);
        told.find("lock.updates.lost", lost, (self.lost, text), &self.of_lost);
        let unread = format!("{} accounts could not be read at the end", count(self.unread));
        told.find_unread("lock.updates.lost", (self.lost, self.unread), unread);
        told.of_final_state(self.unread, "lock.updates.lost", self.lost as f64);
        for (name, value) in [
            ("lock.overlaps", self.overlaps),
            ("lock.overlaps.possible", self.possible),
            ("lock.updates", self.updates),
            ("lock.reads.changed", self.changed),
            ("lock.fencing.caught", self.caught),
            ("lock.fencing.missed", self.unfenced),
        ] {
            debug_assert!(known(name).is_some(), "{name} is not in the catalogue");
            told.measure(name, Some(value as f64));
        }
        self.waits.told(&mut told);
        told.over_time.insert("lock.overlaps", self.over_time);
        told
    }
}

/// Writes that an account took from a holder after it had taken one of a newer fencing token.
fn overtaken_writes(held: &[Held]) -> u64 {
    let fenced = held.iter().filter(|one| one.fence > 0);
    let mut writes: Vec<(u64, (Nanos, Nanos))> =
        fenced.filter_map(|one| Some((one.fence, one.written?))).collect();
    writes.sort_unstable_by_key(|(fence, _)| std::cmp::Reverse(*fence));
    // Of newer tokens, the first write that was done.
    let (mut earliest, mut found) = (None::<Nanos>, 0);
    for (_, (sent, done)) in writes {
        found += u64::from(earliest.is_some_and(|earliest| earliest < sent));
        earliest = Some(earliest.map_or(done, |earliest| earliest.min(done)));
    }
    found
}

fn told(key: u64, overlap: &Overlap, zero: Zero) -> String {
    let had = |one: &Held| {
        let end = match overlap.is_certain {
            true => format!("used it until {}", zero.tell_exactly(one.used)),
            false => format!("gave it back at {}", zero.tell_exactly(one.given_back)),
        };
        format!("{} got it at {} and {end}; ", one.who(), zero.tell_exactly(one.got))
    };
    let others: String =
        [overlap.first].iter().chain(&overlap.besides).map(|one| had(one)).collect();
    let then = overlap.then;
    format!("lock {key}: {others}{} got it at {}", then.who(), zero.tell_exactly(then.got))
}

#[cfg(test)]
mod tests;
