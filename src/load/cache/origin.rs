//! The slow source of truth behind a cache.
//!
//! It begins with one request after the other, in the order in which they came, no more than its
//! capacity a second. What it begins with is true from that instant: a read finds the version that
//! there is then, and a write makes the next one. The answer comes after its latency. Whoever gives
//! up waiting takes nothing back: the origin works for nobody then, as a database does.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::model::op::Cause;
use crate::model::{Clock, Nanos};
use crate::spec::cache::{self, OriginChange};
use crate::wake::Timer;

/// There from the beginning.
pub(super) const FIRST: u64 = 1;
/// The version of what it does not have.
pub(super) const ABSENT: u64 = 0;

#[derive(Debug)]
pub struct Origin {
    spec: cache::Origin,
    /// It has those with lower numbers.
    entities: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// It begins with the next request then, at the earliest.
    free: Nanos,
    /// When it begins with those that wait. They keep their turns when steps change its capacity.
    waiting: VecDeque<Nanos>,
    /// Of the entities that were written.
    versions: HashMap<u64, Versions>,
    /// What steps have changed, the first one first, each with its number.
    changes: Vec<(u64, OriginChange)>,
    changed: u64,
    chance: Xoshiro256PlusPlus,
}

/// Of one entity.
#[derive(Clone, Copy, Debug)]
struct Versions {
    /// The one that there is.
    now: u64,
    /// The last one that was given to anybody.
    last: u64,
}

const NEW: Versions = Versions { now: FIRST, last: FIRST };

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Read,
    /// The next version.
    Write,
    /// This one, unless there is a newer one.
    Put(u64),
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) version: u64,
    /// True since then, of a write; true then, of a read.
    pub(super) at: Nanos,
    pub(super) answered: Nanos,
    /// It is an error: nothing was read or written.
    pub(super) is_failed: bool,
}

/// What it has taken of one request to write: since when, and the version of each entity.
#[derive(Debug, Default)]
pub(super) struct Wrote {
    at: Cell<Nanos>,
    versions: RefCell<Vec<(u64, u64)>>,
}

impl Wrote {
    pub(super) fn set(&self, at: Nanos, versions: Vec<(u64, u64)>) {
        self.at.set(at);
        self.versions.replace(versions);
    }

    /// The version of an entity, and since when; 0 if none was taken.
    pub(super) fn of(&self, entity: u64) -> (u64, Nanos) {
        let versions = self.versions.borrow();
        let own = versions.iter().find(|(id, _)| *id == entity);
        own.map_or((0, Nanos::ZERO), |(_, version)| (*version, self.at.get()))
    }

    /// Each entity with its version, and since when.
    pub(super) fn all(&self) -> (Vec<(u64, u64)>, Nanos) {
        (self.versions.borrow().clone(), self.at.get())
    }
}

impl Origin {
    /// It has so many entities.
    pub(crate) fn new(spec: cache::Origin, entities: u64, seed: u64) -> Origin {
        let chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let state = State {
            free: Nanos::ZERO,
            waiting: VecDeque::new(),
            versions: HashMap::new(),
            changes: Vec::new(),
            changed: 0,
            chance,
        };
        Origin { spec, entities, state: Mutex::new(state) }
    }

    /// It is so from now on, until that number is given to [`Origin::change_back`]. Of several
    /// changes the last one counts.
    pub fn change(&self, change: OriginChange) -> u64 {
        let mut state = self.state.lock();
        state.changed += 1;
        let number = state.changed;
        state.changes.push((number, change));
        number
    }

    pub fn change_back(&self, number: u64) {
        self.state.lock().changes.retain(|(known, _)| *known != number);
    }

    /// The number of a version that is written later.
    pub(super) fn reserve(&self, entity: u64) -> u64 {
        let mut state = self.state.lock();
        let versions = state.versions.entry(entity).or_insert(NEW);
        versions.last += 1;
        versions.last
    }

    /// Reads, and waits for the answer; the version, and how long that took in nanoseconds. `asked` is
    /// from when until when.
    ///
    /// Errors: too many wait, or the answer is an error.
    pub(super) async fn says(
        &self,
        (timer, clock): (&Timer, Clock),
        entity: u64,
        asked: &Cell<Option<(Nanos, Nanos)>>,
    ) -> Result<(u64, u64), Cause> {
        let begun = clock.now();
        let served = self.ask(entity, Wish::Read, begun)?;
        asked.set(Some((begun, served.answered)));
        timer.until(served.answered).await;
        let now = clock.now();
        asked.set(Some((begun, now)));
        served.after(now.since(begun))
    }

    /// Writes all of `entities` in one transaction, and waits for the answer: how long that took in
    /// nanoseconds.
    ///
    /// Errors: as [`Origin::says`].
    pub(super) async fn takes(
        &self,
        (timer, clock): (&Timer, Clock),
        entities: impl IntoIterator<Item = u64>,
        wrote: &Wrote,
    ) -> Result<u64, Cause> {
        let begun = clock.now();
        let served = {
            let mut state = self.state.lock();
            let served = self.begin(&mut state, begun)?;
            if !served.is_failed {
                let write = |id| (id, state.serve(id, Wish::Write));
                wrote.set(served.at, entities.into_iter().map(write).collect());
            }
            served
        };
        timer.until(served.answered).await;
        Ok(served.after(clock.now().since(begun))?.1)
    }

    /// The version that there is, without asking as a reader does.
    pub(super) fn has(&self, entity: u64) -> u64 {
        let written = self.state.lock().versions.get(&entity).map(|versions| versions.now);
        written.unwrap_or(if entity < self.entities { FIRST } else { ABSENT })
    }

    /// A request that comes at `now`. Errors: too many wait.
    pub(super) fn ask(&self, entity: u64, wish: Wish, now: Nanos) -> Result<Served, Cause> {
        let mut state = self.state.lock();
        let served = self.begin(&mut state, now)?;
        let wish = if served.is_failed { Wish::Read } else { wish };
        let version = match entity < self.entities {
            true => state.serve(entity, wish),
            false => ABSENT,
        };
        Ok(Served { version, ..served })
    }

    /// When a request that comes at `now` is true and is answered, whatever it is for.
    fn begin(&self, state: &mut State, now: Nanos) -> Result<Served, Cause> {
        let OriginChange { latency, capacity, failing } = state.change();
        let at = match capacity.or(self.spec.capacity) {
            None => now,
            Some(capacity) => {
                let at = state.free.max(now);
                let begun = state.waiting.partition_point(|at| *at <= now);
                state.waiting.drain(..begun);
                if at > now {
                    if state.waiting.len() >= self.spec.queue as usize {
                        return Err(Cause::Overloaded);
                    }
                    state.waiting.push_back(at);
                }
                state.free = at + Duration::from_secs_f64(1.0 / capacity);
                at
            }
        };
        let (least, most) = latency.unwrap_or(self.spec.latency);
        let answered = at + state.chance.random_range(least..=most);
        let is_failed = failing.is_some_and(|share| state.chance.random_bool(share));
        Ok(Served { version: FIRST, at, answered, is_failed })
    }
}

impl Served {
    /// What comes of it, and how long it took.
    fn after(self, took: Duration) -> Result<(u64, u64), Cause> {
        match self.is_failed {
            true => Err(Cause::OriginFailed),
            false => Ok((self.version, took.as_nanos() as u64)),
        }
    }
}

impl State {
    /// The entity's version then.
    fn serve(&mut self, entity: u64, wish: Wish) -> u64 {
        let versions = self.versions.entry(entity).or_insert(NEW);
        match wish {
            Wish::Read => {}
            Wish::Write => {
                versions.last += 1;
                versions.now = versions.last;
            }
            Wish::Put(version) => versions.now = versions.now.max(version),
        }
        versions.now
    }

    /// What steps have changed, all together.
    fn change(&self) -> OriginChange {
        self.changes.iter().fold(OriginChange::default(), |all, (_, one)| OriginChange {
            latency: one.latency.or(all.latency),
            capacity: one.capacity.or(all.capacity),
            failing: one.failing.or(all.failing),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(capacity: Option<f64>, queue: u32) -> Origin {
        let latency = (Duration::from_millis(5), Duration::from_millis(10));
        Origin::new(cache::Origin { latency, capacity, queue }, 10, 1)
    }

    #[test]
    fn a_write_makes_the_next_version_and_reads_find_it() {
        let origin = origin(None, 0);
        let ask = |entity, wish| origin.ask(entity, wish, Nanos(7)).unwrap();
        assert_eq!(ask(1, Wish::Read).version, 1);
        let written = ask(1, Wish::Write);
        assert_eq!((written.version, written.at), (2, Nanos(7)));
        assert_eq!([ask(1, Wish::Read), ask(2, Wish::Read)].map(|served| served.version), [2, 1]);
        for _ in 0..100 {
            let took = ask(1, Wish::Read).answered.since(Nanos(7));
            assert!((Duration::from_millis(5)..=Duration::from_millis(10)).contains(&took));
        }
    }

    #[test]
    fn steps_make_it_slow_and_fail_and_it_is_as_before_when_they_are_undone() {
        let origin = origin(None, 0);
        let ask = || origin.ask(1, Wish::Write, Nanos(7)).unwrap();
        let ms = Duration::from_millis;
        let slow = OriginChange { latency: Some((ms(80), ms(80))), ..OriginChange::default() };
        let fails = OriginChange { failing: Some(1.0), ..OriginChange::default() };
        let [slow, fails] = [slow, fails].map(|change| origin.change(change));
        let failed = ask();
        assert_eq!((failed.answered.since(Nanos(7)), failed.is_failed), (ms(80), true));
        origin.change_back(fails);
        let written = ask();
        assert_eq!((written.version, written.is_failed), (2, false), "the first one wrote nothing");
        origin.change_back(slow);
        assert!(ask().answered.since(Nanos(7)) <= ms(10));
    }

    #[test]
    fn what_is_written_later_is_there_later_and_takes_nothing_back() {
        let origin = origin(None, 0);
        let version = |wish| origin.ask(1, wish, Nanos(7)).unwrap().version;
        assert_eq!([origin.reserve(1), origin.reserve(1)], [2, 3]);
        assert_eq!(version(Wish::Read), 1);
        assert_eq!(version(Wish::Write), 4, "nobody else gets a number that was given away");
        assert_eq!(version(Wish::Put(3)), 4);
        assert_eq!(origin.reserve(1), 5);
        assert_eq!(version(Wish::Put(5)), 5);
    }

    /// 300 requests a second for ten seconds, of which it does 100.
    #[test]
    fn what_is_too_much_waits_and_what_does_not_fit_is_refused() {
        let origin = origin(Some(100.0), 50);
        let asked = (0..3_000).map(|n| {
            let now = Nanos(n * 1_000_000_000 / 300);
            (now, origin.ask(n, Wish::Read, now).ok())
        });
        let served: Vec<(Nanos, Served)> =
            asked.filter_map(|(now, served)| Some((now, served?))).collect();
        // 100 a second, and those that wait at the end.
        assert!((1_048..=1_053).contains(&served.len()), "{}", served.len());
        for pair in served.windows(2) {
            let between = pair[1].1.at.since(pair[0].1.at);
            assert!(between >= Duration::from_nanos(9_999_999), "{between:?}");
        }
        // When the queue is full, which it is after a quarter of a second, each waits half a second.
        for (now, served) in served.iter().filter(|(now, _)| now.0 > 500_000_000) {
            let waited = served.at.since(*now).as_secs_f64();
            assert!((0.48..=0.501).contains(&waited), "{waited}");
        }
    }
    /// What waits has come while it was narrow, and there is room for more.
    #[test]
    fn who_waits_is_counted_when_it_is_as_wide_as_before() {
        let origin = origin(Some(1_000.0), 100);
        let narrow = OriginChange { capacity: Some(100.0), ..OriginChange::default() };
        let narrow = origin.change(narrow);
        let at = |ms: u64| Nanos(ms * 1_000_000);
        // One begins at once, and the last of the others after half a second.
        assert!((0..51).all(|n| origin.ask(n, Wish::Read, at(0)).is_ok()));
        origin.change_back(narrow);
        let next = origin.ask(51, Wish::Read, at(10)).unwrap();
        assert_eq!(next.at, at(510));
        assert_eq!((0..100).filter(|n| origin.ask(*n, Wish::Read, at(10)).is_ok()).count(), 50);
        assert_eq!(origin.ask(1, Wish::Read, at(9_000)).unwrap().at, at(9_000));
    }

    #[test]
    fn it_says_so_of_what_it_does_not_have() {
        let origin = origin(None, 0);
        let says = |entity| origin.ask(entity, Wish::Read, Nanos(1)).unwrap().version;
        assert_eq!([9, 10, 11].map(says), [FIRST, ABSENT, ABSENT]);
    }
}
