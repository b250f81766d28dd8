//! A layer of copies in the memory of a process.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::entity::Copy;
use crate::load::client::Asked;
use crate::model::Clock;
use crate::spec::cache::Policy;

/// Where nobody hears of changes, it has nothing.
pub(super) struct Copies {
    kept: Cache<u64, (Copy, u32)>,
    asked: RefCell<Asked<u64>>,
    clock: Clock,
    ttl: Duration,
}

/// Each copy has an end of its own.
struct Ends(Clock);

impl Expiry<u64, (Copy, u32)> for Ends {
    fn expire_after_create(
        &self,
        _: &u64,
        (copy, _): &(Copy, u32),
        _: Instant,
    ) -> Option<Duration> {
        Some(copy.until.since(self.0.now()))
    }

    fn expire_after_update(
        &self,
        key: &u64,
        value: &(Copy, u32),
        at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, value, at)
    }
}

impl Copies {
    /// With room for so many bytes of copies, each of which is kept for `ttl` at most.
    pub(super) fn new((capacity, policy): (u64, Policy), ttl: Duration, clock: Clock) -> Copies {
        let policy = match policy {
            Policy::Lru => EvictionPolicy::lru(),
            Policy::TinyLfu => EvictionPolicy::tiny_lfu(),
        };
        let kept = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, (_, size)| *size)
            .eviction_policy(policy)
            .expire_after(Ends(clock))
            .build();
        Copies { kept, asked: RefCell::default(), clock, ttl }
    }

    pub(super) fn get(&self, id: u64) -> Option<Copy> {
        self.kept.get(&id).map(|(copy, _)| copy).filter(|copy| copy.until > self.clock.now())
    }

    /// Somebody behind is about to be asked.
    pub(super) fn ask(&self, id: u64) -> u64 {
        self.asked.borrow_mut().ask(id)
    }

    /// The answer to a question, of so many bytes. It is kept unless it may be older than a change
    /// that was heard of, and for no longer than where it came from.
    pub(super) fn keep(&self, question: u64, copy: Copy, size: usize) {
        if self.asked.borrow_mut().answered(&copy.id, question) {
            let until = copy.until.min(self.clock.now() + self.ttl);
            self.kept.insert(copy.id, (Copy { until, ..copy }, size as u32));
        }
    }

    /// The entity has changed.
    pub(super) fn forget(&self, id: u64) {
        self.asked.borrow_mut().changed(&id);
        self.kept.invalidate(&id);
    }

    /// Anything may have changed.
    pub(super) fn forget_all(&self) {
        self.asked.borrow_mut().all_changed();
        self.kept.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;

    fn copy(id: u64, until: Nanos) -> Copy {
        Copy { id, version: 1, until, took: 0 }
    }

    #[test]
    fn a_copy_is_kept_for_no_longer_than_where_it_came_from() {
        let clock = Clock::start();
        let copies = Copies::new((1_000, Policy::Lru), Duration::from_secs(60), clock);
        let soon = clock.now() + Duration::from_millis(20);
        copies.keep(copies.ask(1), copy(1, soon), 10);
        assert_eq!(copies.get(1), Some(copy(1, soon)));
        std::thread::sleep(Duration::from_millis(25));
        assert_eq!(copies.get(1), None);
    }

    #[test]
    fn what_changed_while_it_was_asked_for_is_not_kept() {
        let clock = Clock::start();
        let late = clock.now() + Duration::from_secs(60);
        let copies = Copies::new((1_000, Policy::TinyLfu), Duration::from_secs(60), clock);
        let question = copies.ask(1);
        copies.forget(1);
        copies.keep(question, copy(1, late), 10);
        assert_eq!(copies.get(1), None);
        copies.keep(copies.ask(1), copy(1, late), 10);
        assert!(copies.get(1).is_some());
        copies.forget_all();
        assert_eq!(copies.get(1), None);
    }
}
