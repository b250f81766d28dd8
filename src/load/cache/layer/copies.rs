//! A layer of copies in the memory of a process, or in what the processes of a host have in common.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::Mutex;

use super::lives::Lives;
use crate::load::cache::copy::entity::Copy;
use crate::load::client::{Asked, Noted};
use crate::model::op::{Ended, FoundIn};
use crate::model::{Clock, Nanos};
use crate::spec::cache::Policy;

/// Where nobody hears of changes, it has nothing.
pub(crate) struct Copies {
    /// In the memory of a process, or on a host.
    pub(in crate::load::cache) place: FoundIn,
    kept: Cache<u64, Near>,
    asked: RefCell<Asked<u64>>,
    lives: RefCell<Lives>,
    /// Copies that had to go, with their versions.
    evicted: Arc<Mutex<Vec<(u64, u64)>>>,
    clock: Clock,
    ttl: Duration,
}

/// A copy as it is kept near.
#[derive(Clone, Copy)]
pub(in crate::load::cache) struct Near {
    pub(in crate::load::cache) copy: Copy,
    /// It is not served here after that.
    pub(in crate::load::cache) until: Nanos,
    /// When it ends where it came from.
    pub(in crate::load::cache) source: Nanos,
    size: u32,
}

/// Each copy has an end of its own.
struct Ends(Clock);

impl Expiry<u64, Near> for Ends {
    fn expire_after_create(&self, _: &u64, near: &Near, _: Instant) -> Option<Duration> {
        Some(near.until.since(self.0.now()))
    }

    fn expire_after_update(
        &self,
        id: &u64,
        near: &Near,
        at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(id, near, at)
    }
}

impl Copies {
    /// With room for so many bytes of copies, each of which is kept for `ttl` at most.
    pub(in crate::load::cache) fn new(
        place: FoundIn,
        (capacity, policy): (u64, Policy),
        ttl: Duration,
        clock: Clock,
    ) -> Copies {
        let policy = match policy {
            Policy::Lru => EvictionPolicy::lru(),
            Policy::TinyLfu => EvictionPolicy::tiny_lfu(),
        };
        let evicted = Arc::new(Mutex::default());
        let told: Arc<Mutex<Vec<(u64, u64)>>> = evicted.clone();
        let kept = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, near: &Near| near.size)
            .eviction_policy(policy)
            .expire_after(Ends(clock))
            .eviction_listener(move |id: Arc<u64>, near, cause| {
                if cause == RemovalCause::Size {
                    told.lock().push((*id, near.copy.version));
                }
            })
            .build();
        let (asked, lives) = (RefCell::default(), RefCell::new(Lives::new(place == FoundIn::Host)));
        Copies { place, kept, asked, lives, evicted, clock, ttl }
    }

    /// A copy that may be served now.
    pub(in crate::load::cache) fn get(&self, id: u64) -> Option<Near> {
        let found = self.kept.get(&id);
        self.note_evicted();
        found.filter(|near| near.until > self.clock.now())
    }

    /// Somebody behind is about to be asked.
    pub(in crate::load::cache) fn ask(&self, id: u64) -> u64 {
        self.asked.borrow_mut().ask(id)
    }

    /// The answer to a question, of so many bytes. It is kept unless it may be older than a change
    /// that was heard of, and for no longer than where it came from. Of two that asked at once the
    /// first is kept. If the second got a newer copy, none is kept: the newer one may be old by now, too.
    /// `source` is when it ends where it came from.
    pub(in crate::load::cache) fn keep(
        &self,
        question: u64,
        (copy, source): (Copy, Nanos),
        size: usize,
    ) {
        let now = self.clock.now();
        let until = source.min(now + self.ttl);
        let may_be_kept = self.asked.borrow_mut().answered(&copy.id, question);
        if may_be_kept && until > now {
            self.lives.borrow_mut().begin(copy.id, copy.version, now, until);
            self.kept.insert(copy.id, Near { copy, until, source, size: size as u32 });
            self.note_evicted();
        } else if !may_be_kept
            && self.get(copy.id).is_some_and(|had| had.copy.version < copy.version)
        {
            self.forget(copy.id);
        }
    }

    /// The entity has changed.
    pub(in crate::load::cache) fn forget(&self, id: u64) {
        self.asked.borrow_mut().changed(&id);
        self.kept.invalidate(&id);
        self.lives.borrow_mut().end(id, Ended::Invalidated, self.clock.now());
    }

    /// Anything may have changed, or the process has ended.
    pub(in crate::load::cache) fn forget_all(&self, ended: Ended) {
        self.asked.borrow_mut().all_changed();
        self.kept.invalidate_all();
        self.lives.borrow_mut().end_all(ended, self.clock.now());
    }

    /// The entities that it could answer for now, with their versions.
    pub(in crate::load::cache) fn could_serve(&self) -> Vec<(u64, u64)> {
        self.note_evicted();
        self.lives.borrow().now(self.clock.now())
    }

    /// Which copies it could answer with, from when until when: of those that have ended since the
    /// last call, and with `last` of those that it has.
    pub(in crate::load::cache) fn lives(&self, last: bool) -> Vec<Noted> {
        let (mut lives, now) = (self.lives.borrow_mut(), self.clock.now());
        if last {
            lives.end_all(Ended::Open, now);
        }
        lives.take(now)
    }

    fn note_evicted(&self) {
        let mut evicted = self.evicted.lock();
        if evicted.is_empty() {
            return;
        }
        let (mut lives, now) = (self.lives.borrow_mut(), self.clock.now());
        for (id, version) in evicted.drain(..) {
            lives.end_of(id, version, Ended::Evicted, now);
        }
    }
}

/// How long it takes to find so many copies in the memory of a process, of so many entities in turn:
/// for benchmarks.
pub fn time_near_hits(entities: u64, hits: u64) -> Duration {
    let (clock, ttl) = (Clock::start(), Duration::from_secs(600));
    let copies = Copies::new(FoundIn::Process, (entities * 100, Policy::Lru), ttl, clock);
    let until = clock.now() + ttl;
    for id in 0..entities {
        copies.keep(copies.ask(id), (Copy { id, version: 1, until, took: 0 }, until), 10);
    }
    let begun = Instant::now();
    let found = (0..hits).filter(|n| copies.get(n % entities).is_some()).count() as u64;
    let took = begun.elapsed();
    assert_eq!(found, hits, "there is room for all");
    took
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::{Action, CacheOp};

    fn copy(id: u64, until: Nanos) -> (Copy, Nanos) {
        (Copy { id, version: 1, until, took: 0 }, until)
    }

    #[test]
    fn a_copy_is_kept_for_no_longer_than_where_it_came_from() {
        let clock = Clock::start();
        let copies =
            Copies::new(FoundIn::Process, (1_000, Policy::Lru), Duration::from_secs(60), clock);
        let soon = clock.now() + Duration::from_millis(20);
        copies.keep(copies.ask(1), copy(1, soon), 10);
        assert_eq!(copies.get(1).map(|near| (near.until, near.source)), Some((soon, soon)));
        std::thread::sleep(Duration::from_millis(25));
        assert!(copies.get(1).is_none());
    }

    /// A copy of a host's copy ends with that, and not with the copy in the group.
    #[test]
    fn it_is_known_when_a_copy_ends_where_it_came_from() {
        let clock = Clock::start();
        let room = (1_000, Policy::Lru);
        let near = Copies::new(FoundIn::Process, room, Duration::from_secs(1), clock);
        let host = Copies::new(FoundIn::Host, room, Duration::from_secs(5), clock);
        let late = clock.now() + Duration::from_secs(60);
        host.keep(host.ask(1), copy(1, late), 10);
        let of_host = host.get(1).unwrap();
        assert_eq!(of_host.source, late);
        near.keep(near.ask(1), (of_host.copy, of_host.until), 10);
        let of_near = near.get(1).unwrap();
        assert_eq!(of_near.source, of_host.until);
        assert!(of_near.until < of_host.until && of_host.until < late);
    }

    /// Entities that are read often stay, when many others are read once.
    #[test]
    fn a_scan_drives_out_of_tinylfu_less_than_of_lru() {
        let clock = Clock::start();
        let (ttl, late) = (Duration::from_secs(60), clock.now() + Duration::from_secs(60));
        let stay = |policy| {
            let copies = Copies::new(FoundIn::Process, (1_000, policy), ttl, clock);
            let read = |id| {
                if copies.get(id).is_none() {
                    copies.keep(copies.ask(id), copy(id, late), 10);
                }
            };
            for _ in 0..50 {
                (0..50).for_each(read);
                copies.kept.run_pending_tasks();
            }
            for id in 1_000..3_000 {
                read(id);
                copies.kept.run_pending_tasks();
            }
            (0..50).filter(|id| copies.get(*id).is_some()).count()
        };
        assert_eq!(stay(Policy::Lru), 0);
        // It counts by a sketch, in which two may have one place.
        assert!(stay(Policy::TinyLfu) >= 45);
    }

    #[test]
    fn what_changed_while_it_was_asked_for_is_not_kept() {
        let clock = Clock::start();
        let late = clock.now() + Duration::from_secs(60);
        let copies =
            Copies::new(FoundIn::Process, (1_000, Policy::TinyLfu), Duration::from_secs(60), clock);
        let question = copies.ask(1);
        copies.forget(1);
        copies.keep(question, copy(1, late), 10);
        assert!(copies.get(1).is_none());
        copies.keep(copies.ask(1), copy(1, late), 10);
        assert!(copies.get(1).is_some());
        copies.forget_all(Ended::Invalidated);
        assert!(copies.get(1).is_none());
    }

    #[test]
    fn of_two_that_asked_at_once_an_older_answer_takes_no_newer_copy_away() {
        let clock = Clock::start();
        let late = clock.now() + Duration::from_secs(60);
        let copies =
            Copies::new(FoundIn::Process, (1_000, Policy::Lru), Duration::from_secs(60), clock);
        let (one, other) = (copies.ask(1), copies.ask(1));
        copies.keep(one, copy(1, late), 10);
        copies.keep(other, copy(1, late), 10);
        assert!(copies.get(1).is_some(), "they agree");
        copies.keep(other, (Copy { version: 2, ..copy(1, late).0 }, late), 10);
        assert!(copies.get(1).is_none(), "what was kept is older");
        let (one, other) = (copies.ask(1), copies.ask(1));
        copies.keep(one, (Copy { version: 2, ..copy(1, late).0 }, late), 10);
        copies.keep(other, copy(1, late), 10);
        assert_eq!(copies.get(1).map(|near| near.copy.version), Some(2));
    }

    #[test]
    fn how_long_each_copy_could_be_served_is_told() {
        let clock = Clock::start();
        let late = clock.now() + Duration::from_secs(60);
        let soon = clock.now() + Duration::from_millis(10);
        // Room for two of them.
        let copies =
            Copies::new(FoundIn::Process, (25, Policy::Lru), Duration::from_secs(60), clock);
        let keep = |id, until| copies.keep(copies.ask(id), copy(id, until), 10);
        keep(1, soon);
        keep(2, late);
        copies.forget(2);
        std::thread::sleep(Duration::from_millis(15));
        keep(3, late);
        keep(4, late);
        keep(5, late);
        copies.kept.run_pending_tasks();
        copies.note_evicted();
        let told = |last| {
            let mut told: Vec<(u64, Ended)> = copies
                .lives(last)
                .iter()
                .filter_map(|life| match life.action {
                    Action::Cache(CacheOp::Held { ended, .. }) => Some((life.key, ended)),
                    _ => None,
                })
                .collect();
            told.sort_by_key(|(id, _)| *id);
            told
        };
        let ended = told(false);
        assert_eq!(ended[..2], [(1, Ended::Expired), (2, Ended::Invalidated)]);
        assert_eq!(
            ended[2..].iter().map(|(_, ended)| *ended).collect::<Vec<_>>(),
            [Ended::Evicted]
        );
        assert_eq!(told(true).iter().filter(|(_, ended)| *ended == Ended::Open).count(), 2);
    }
}
