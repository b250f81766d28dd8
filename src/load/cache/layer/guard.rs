//! A circuit breaker before the group: a process that got no good answer several times asks the group
//! no more for a while, so that its readers do not wait for nothing. Then one of them tries.
//!
//! Michael Nygard, "Release It!", 2007, chapter 5; <https://martinfowler.com/bliki/CircuitBreaker.html>

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use crate::load::cache::copy::entity::Copy;
use crate::load::client::Noted;
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp};

/// So many failures, one after the other, open it.
const FAILURES: u32 = 5;
/// Between two tries while it is open.
const AGAIN: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(in crate::load::cache) struct Guard {
    /// A slower answer is none.
    pub(in crate::load::cache) slow: Duration,
    state: Cell<State>,
    /// Copies that the process saw, for the time without the group; none if it keeps none.
    seen: Option<RefCell<HashMap<u64, Copy>>>,
    over: RefCell<Vec<Noted>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// So many failed, one after the other.
    Closed(u32),
    /// Since when, and when somebody may try.
    Open(Nanos, Nanos),
}

impl Guard {
    pub(in crate::load::cache) fn new(slow: Duration, keeps: bool) -> Guard {
        let seen = keeps.then(RefCell::default);
        Guard { slow, state: Cell::new(State::Closed(0)), seen, over: RefCell::default() }
    }

    /// Whether the group may be asked. While it is open, one who asks may try.
    pub(in crate::load::cache) fn lets(&self, now: Nanos) -> bool {
        match self.state.get() {
            State::Closed(_) => true,
            State::Open(since, again) if again <= now => {
                self.state.set(State::Open(since, now + AGAIN + self.slow));
                true
            }
            State::Open(..) => false,
        }
    }

    pub(in crate::load::cache) fn is_open(&self) -> bool {
        matches!(self.state.get(), State::Open(..))
    }

    /// What came of asking.
    pub(in crate::load::cache) fn hears(&self, is_good: bool, now: Nanos) {
        self.state.set(match (self.state.get(), is_good) {
            (State::Open(since, _), true) => {
                self.note(since, now);
                State::Closed(0)
            }
            (State::Closed(_), true) => State::Closed(0),
            (State::Closed(failed), false) if failed + 1 < FAILURES => State::Closed(failed + 1),
            (State::Closed(_), false) => State::Open(now, now + AGAIN),
            // Others that had asked before are late; a try fixes the next one.
            (State::Open(since, again), false) => State::Open(since, again.max(now + AGAIN)),
        });
    }

    fn note(&self, from: Nanos, to: Nanos) {
        let action = Action::Cache(CacheOp::Guarded);
        self.over.borrow_mut().push(Noted::new(0, action, (from, to)));
    }

    /// From when until when it was open, since the last call. The `last` one is asked at the load's
    /// end.
    pub(in crate::load::cache) fn noted(&self, last: bool, now: Nanos) -> Vec<Noted> {
        if let (State::Open(since, _), true) = (self.state.get(), last) {
            self.note(since, now);
        }
        std::mem::take(&mut *self.over.borrow_mut())
    }

    /// Remembers what was read.
    pub(in crate::load::cache) fn saw(&self, copy: Copy) {
        if let Some(seen) = &self.seen {
            seen.borrow_mut().insert(copy.id, copy);
        }
    }

    /// What was read last of the entity.
    pub(in crate::load::cache) fn last_seen(&self, id: u64) -> Option<Copy> {
        self.seen.as_ref()?.borrow().get(&id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    #[test]
    fn five_failures_open_it_and_a_good_try_closes_it() {
        let guard = Guard::new(Duration::from_millis(50), false);
        (1..5).for_each(|at| guard.hears(false, ms(at)));
        guard.hears(true, ms(5));
        assert!(!guard.is_open(), "one of them was good");
        (11..16).for_each(|at| guard.hears(false, ms(at)));
        assert!(guard.is_open() && !guard.lets(ms(100)));
        assert!(guard.lets(ms(215)), "one may try after 200 ms");
        assert!(!guard.lets(ms(216)), "and no other one meanwhile");
        guard.hears(false, ms(265));
        assert!(!guard.lets(ms(464)) && guard.lets(ms(465)));
        guard.hears(true, ms(466));
        assert!(!guard.is_open() && guard.lets(ms(467)));
        let spans: Vec<(Nanos, Nanos)> =
            guard.noted(false, ms(900)).iter().map(|noted| (noted.from, noted.to)).collect();
        assert_eq!(spans, [(ms(15), ms(466))]);
        assert!(guard.noted(true, ms(901)).is_empty(), "it is told once");
    }

    #[test]
    fn a_try_that_is_never_answered_does_not_keep_it_open_for_ever() {
        let guard = Guard::new(Duration::from_millis(50), false);
        (0..5).for_each(|at| guard.hears(false, ms(at)));
        assert!(guard.lets(ms(204)) && !guard.lets(ms(453)) && guard.lets(ms(454)));
        assert_eq!(guard.noted(true, ms(500)).len(), 1, "it was open at the end");
    }
}
