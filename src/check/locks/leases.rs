//! Leases: that of a holder who never gives its lock back ends on time, and when all faults are over a
//! lock can be had again.

use std::time::Duration;

use super::session::{Held, Lock};
use crate::check::checker::Checked;
use crate::check::quantile::quantile;
use crate::model::Nanos;

/// A server counts leases in milliseconds, from a clock that it reads once for a command.
const COARSE: Duration = Duration::from_millis(2);

/// A wish that the load's end cuts off after a shorter time says nothing.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Of all locks.
#[derive(Default)]
pub(super) struct Leases {
    /// Locks that somebody got before such a lease was over.
    early: u64,
    /// How long after it somebody got the lock who was waiting, in nanoseconds.
    late: Vec<u64>,
    /// The longest time until a lock could be had again, in nanoseconds; and the longest in which
    /// nobody got one.
    again: Option<u64>,
    never: Option<u64>,
}

impl Leases {
    /// Of a lock that one client has at a time. `held` is in the order of getting it.
    pub(super) fn follow(&mut self, held: &[Held], ttl: Duration) {
        for pair in held.windows(2) {
            if pair.iter().all(|one| !one.shared) {
                self.follows(&pair[0], &pair[1], ttl);
            }
        }
    }

    fn follows(&mut self, left: &Held, next: &Held, ttl: Duration) {
        let (Some((sent, done)), None) = (left.leased, left.released) else { return };
        self.early += u64::from(next.got + COARSE < sent + ttl);
        let over = done + ttl;
        if next.wished <= over {
            self.late.push(next.got.since(over).as_nanos() as u64);
        }
    }

    /// Of the first one that gets the lock when faults, leases of before, and waiting for somebody
    /// who wants it are over. All faults were over at `healed`.
    pub(super) fn heal(&mut self, lock: &Lock, held: &[Held], ttl: Duration, healed: Nanos) {
        let next = held.iter().find(|one| one.got >= healed);
        let until = next.map_or(Nanos(u64::MAX), |next| next.got);
        // What was given back may have been lost.
        let lease = |one: &Held| one.leased.map_or(one.given_back, |(_, done)| done + ttl);
        let before = held.iter().filter(|one| one.got < until).map(lease).max();
        let free = before.unwrap_or_default().max(healed);
        let wished = match next {
            Some(next) => next.wished,
            None => {
                let waits = lock.wishes().filter(|wish| wish.tried >= free && wish.is_in_vain());
                let Some(first) = waits.filter_map(|wish| wish.wished).min() else { return };
                first
            }
        };
        let since = free.max(wished);
        let nanos = |time: Duration| Some(time.as_nanos() as u64);
        match next {
            Some(next) => self.again = self.again.max(nanos(next.got.since(since))),
            None => {
                let last = lock.wishes().map(|wish| wish.tried).max().unwrap_or_default();
                let tried = last.since(since);
                if tried >= CUT_OFF {
                    self.never = self.never.max(nanos(tried));
                }
            }
        }
    }

    pub(super) fn join(&mut self, other: Leases) {
        self.early += other.early;
        self.late.extend(other.late);
        self.again = self.again.max(other.again);
        self.never = self.never.max(other.never);
    }

    pub(super) fn told(&mut self, told: &mut Checked) {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        told.measure("lock.lease.early", Some(self.early as f64));
        self.late.sort_unstable();
        told.measure("lock.lease.late.p99", quantile(&self.late, 0.99).map(millis));
        told.measure("lock.lease.late.max", quantile(&self.late, 1.0).map(millis));
        match self.never {
            // Of some lock it is not known.
            Some(never) => _ = told.at_least.insert("lock.free_again", millis(never)),
            None => told.measure("lock.free_again", self.again.map(millis)),
        }
    }
}
