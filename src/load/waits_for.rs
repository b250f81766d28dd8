//! Who has which lock, and who waits for which: the wait-for graph of sessions that take several
//! locks, in which a deadlock is a cycle.
//!
//! A. Silberschatz, P. Galvin, G. Gagne, *Operating System Concepts*, "Deadlock Detection". A
//! session waits for one lock at a time, and so for all that have it. Nobody comes into a cycle but
//! by beginning to wait, so whoever does is asked whether it closes one.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::model::Nanos;

/// Sessions and locks are numbers.
#[derive(Debug, Default)]
pub struct WaitsFor {
    /// Who has a lock, each until its lease is over.
    holders: HashMap<u64, SmallVec<[(u64, Nanos); 1]>>,
    sessions: HashMap<u64, Session>,
}

#[derive(Debug, Default)]
struct Session {
    has: SmallVec<[u64; 2]>,
    waits: Option<u64>,
}

impl WaitsFor {
    /// The session has the lock, for which it waits no more.
    pub fn has(&mut self, session: u64, lock: u64, until: Nanos) {
        let known = self.sessions.entry(session).or_default();
        known.waits = None;
        known.has.push(lock);
        self.holders.entry(lock).or_default().push((session, until));
    }

    pub fn gives_back(&mut self, session: u64, lock: u64) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.has.retain(|other| *other != lock);
        }
        self.no_holder(session, lock);
    }

    /// The session waits for the lock. Those that wait for each other because of that, if some do:
    /// each of them for the next one, and the last one for `session`, which is the first.
    pub fn waits(&mut self, session: u64, lock: u64, now: Nanos) -> Option<Vec<u64>> {
        self.sessions.entry(session).or_default().waits = Some(lock);
        self.cycle(session, now)
    }

    /// The session waits for nothing any more.
    pub fn waits_no_more(&mut self, session: u64) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.waits = None;
        }
    }

    /// The session has nothing, and waits for nothing.
    pub fn leaves(&mut self, session: u64) {
        for lock in self.sessions.remove(&session).unwrap_or_default().has {
            self.no_holder(session, lock);
        }
    }

    fn no_holder(&mut self, session: u64, lock: u64) {
        let Some(holders) = self.holders.get_mut(&lock) else { return };
        holders.retain(|(holder, _)| *holder != session);
        if holders.is_empty() {
            self.holders.remove(&lock);
        }
    }

    /// A search in depth. It meets each session once.
    fn cycle(&self, session: u64, now: Nanos) -> Option<Vec<u64>> {
        let mut waits_for_it: HashMap<u64, u64> = HashMap::new();
        let mut found = vec![session];
        while let Some(one) = found.pop() {
            for holder in self.waits_for(one, now) {
                if holder == session {
                    let back = |one: &u64| waits_for_it.get(one).copied();
                    let mut cycle: Vec<u64> = std::iter::successors(Some(one), back).collect();
                    cycle.reverse();
                    return Some(cycle);
                }
                waits_for_it.entry(holder).or_insert_with(|| {
                    found.push(holder);
                    one
                });
            }
        }
        None
    }

    /// Those that have what the session waits for.
    fn waits_for(&self, session: u64, now: Nanos) -> impl Iterator<Item = u64> {
        let lock = self.sessions.get(&session).and_then(|known| known.waits);
        let holders = lock.and_then(|lock| self.holders.get(&lock)).into_iter().flatten();
        holders.filter(move |(_, until)| *until > now).map(|(holder, _)| *holder)
    }
}

#[cfg(test)]
mod tests;
