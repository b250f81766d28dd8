//! Deadlocks of a load's sessions, found from what its own clients know: who has which lock, and
//! who waits for which. A lock that somebody else has is not known.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use crate::load::WaitsFor;
use crate::model::Nanos;

/// What all instances of a load know together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlocks(Rc<RefCell<Known>>);

#[derive(Debug, Default)]
struct Known {
    graph: WaitsFor,
    /// When the sessions that wait began.
    since: HashMap<u64, Nanos>,
    /// The youngest session of each deadlock, until it hears of it, and when that was found.
    found: HashMap<u64, Nanos>,
}

impl Deadlocks {
    pub(super) fn has(&self, session: u64, lock: u64, until: Nanos) {
        self.0.borrow_mut().graph.has(session, lock, until);
    }

    /// Who gives back a lock waits for no other one any more.
    pub(super) fn gives_back(&self, session: u64, lock: u64) {
        let graph = &mut self.0.borrow_mut().graph;
        graph.waits_no_more(session);
        graph.gives_back(session, lock);
    }

    /// A session that began `since` was told at `now` that somebody has the lock.
    pub(super) fn waits(&self, session: u64, lock: u64, (since, now): (Nanos, Nanos)) {
        let (known, begun) = (&mut *self.0.borrow_mut(), Instant::now());
        if known.found.contains_key(&session) {
            return;
        }
        known.since.insert(session, since);
        while let Some(cycle) = known.graph.waits(session, lock, now) {
            let began = |one: &u64| (known.since.get(one).copied().unwrap_or_default(), *one);
            let Some(youngest) = cycle.into_iter().max_by_key(began) else { return };
            // It is as good as gone.
            known.graph.leaves(youngest);
            known.found.insert(youngest, now + begun.elapsed());
            if youngest == session {
                return;
            }
        }
    }

    /// When it was found that the session is in a deadlock, and to end it.
    pub(super) fn found(&self, session: u64) -> Option<Nanos> {
        self.0.borrow().found.get(&session).copied()
    }

    /// The session has ended, or begins anew.
    pub(super) fn leaves(&self, session: u64) {
        let mut known = self.0.borrow_mut();
        known.graph.leaves(session);
        known.since.remove(&session);
        known.found.remove(&session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Nanos = Nanos(1_000_000);

    #[test]
    fn the_youngest_of_a_cycle_is_to_give_way_and_nobody_else() {
        let deadlocks = Deadlocks::default();
        for session in 1..=3 {
            deadlocks.has(session, session * 10, LONG);
        }
        // The second one is the youngest, whoever closes the cycle.
        deadlocks.waits(1, 20, (Nanos(5), Nanos(100)));
        deadlocks.waits(2, 30, (Nanos(7), Nanos(101)));
        assert!((1..=3).all(|session| deadlocks.found(session).is_none()));
        deadlocks.waits(3, 10, (Nanos(6), Nanos(102)));
        assert!(deadlocks.found(2).is_some_and(|at| at >= Nanos(102)));
        assert_eq!((deadlocks.found(1), deadlocks.found(3)), (None, None));
        // It tries once more before it hears of that: no other one is to give way for it.
        deadlocks.waits(2, 30, (Nanos(7), Nanos(103)));
        deadlocks.waits(3, 10, (Nanos(6), Nanos(104)));
        assert_eq!((deadlocks.found(1), deadlocks.found(3)), (None, None));
        deadlocks.leaves(2);
        assert_eq!(deadlocks.found(2), None);
    }

    #[test]
    fn who_has_given_up_waiting_and_still_has_a_lock_is_in_no_deadlock() {
        let deadlocks = Deadlocks::default();
        deadlocks.has(1, 10, LONG);
        deadlocks.has(1, 11, LONG);
        deadlocks.has(2, 20, LONG);
        deadlocks.waits(1, 20, (Nanos(5), Nanos(100)));
        deadlocks.gives_back(1, 11);
        deadlocks.waits(2, 10, (Nanos(6), Nanos(101)));
        assert_eq!((deadlocks.found(1), deadlocks.found(2)), (None, None));
    }
}
