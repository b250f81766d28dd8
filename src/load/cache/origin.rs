//! The slow source of truth behind a cache.
//!
//! It begins with one request after the other, in the order in which they came, no more than its
//! capacity a second. What it begins with is true from that instant: a read finds the version that
//! there is then, and a write makes the next one. The answer comes after its latency. Whoever gives
//! up waiting takes nothing back: the origin works for nobody then, as a database does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::model::Nanos;
use crate::model::op::Cause;
use crate::spec::cache::{self, OriginChange};
use crate::spec::scenario::Load;

/// There from the beginning.
pub(super) const FIRST: u64 = 1;

/// Those of a drill, by the names of the loads that have them.
pub type Origins = BTreeMap<String, Arc<Origin>>;

#[derive(Debug)]
pub struct Origin {
    spec: cache::Origin,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// It begins with the next request then, at the earliest.
    free: Nanos,
    /// Of the entities that were written.
    versions: HashMap<u64, u64>,
    /// What steps have changed, the first one first, each with its number.
    changes: Vec<(u64, OriginChange)>,
    changed: u64,
    chance: Xoshiro256PlusPlus,
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

/// The origins of these loads. Loads that share their entities have one in common.
pub fn origins(loads: &[Load], seed: u64) -> Origins {
    let own = loads.iter().enumerate().filter(|(_, load)| load.keyspace.of.is_none());
    let origin = |(index, load): (usize, &Load)| {
        let seed = seed.wrapping_add((index as u64) << 32);
        let origin = Origin::new(load.cache.as_ref()?.origin, seed);
        Some((load.name.clone(), Arc::new(origin)))
    };
    own.filter_map(origin).collect()
}

impl Origin {
    pub(crate) fn new(spec: cache::Origin, seed: u64) -> Origin {
        let chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (free, versions, changes, changed) = (Nanos::ZERO, HashMap::new(), Vec::new(), 0);
        let state = State { free, versions, changes, changed, chance };
        Origin { spec, state: Mutex::new(state) }
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

    /// A request that comes at `now`. Errors: too many wait.
    pub(super) fn ask(&self, entity: u64, writes: bool, now: Nanos) -> Result<Served, Cause> {
        let mut state = self.state.lock();
        let OriginChange { latency, capacity, failing } = state.change();
        let at = match capacity.or(self.spec.capacity) {
            None => now,
            Some(capacity) => {
                let at = state.free.max(now);
                let waiting = at.since(now).as_secs_f64() * capacity;
                if waiting > f64::from(self.spec.queue) {
                    return Err(Cause::Overloaded);
                }
                state.free = at + Duration::from_secs_f64(1.0 / capacity);
                at
            }
        };
        let (least, most) = latency.unwrap_or(self.spec.latency);
        let answered = at + state.chance.random_range(least..=most);
        let is_failed = failing.is_some_and(|share| state.chance.random_bool(share));
        let version = state.versions.entry(entity).or_insert(FIRST);
        *version += u64::from(writes && !is_failed);
        Ok(Served { version: *version, at, answered, is_failed })
    }
}

impl State {
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
        Origin::new(cache::Origin { latency, capacity, queue }, 1)
    }

    #[test]
    fn a_write_makes_the_next_version_and_reads_find_it() {
        let origin = origin(None, 0);
        let ask = |entity, writes| origin.ask(entity, writes, Nanos(7)).unwrap();
        assert_eq!(ask(1, false).version, 1);
        let written = ask(1, true);
        assert_eq!((written.version, written.at), (2, Nanos(7)));
        assert_eq!([ask(1, false), ask(2, false)].map(|served| served.version), [2, 1]);
        for _ in 0..100 {
            let took = ask(1, false).answered.since(Nanos(7));
            assert!((Duration::from_millis(5)..=Duration::from_millis(10)).contains(&took));
        }
    }

    #[test]
    fn steps_make_it_slow_and_fail_and_it_is_as_before_when_they_are_undone() {
        let origin = origin(None, 0);
        let ask = || origin.ask(1, true, Nanos(7)).unwrap();
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

    /// 300 requests a second for ten seconds, of which it does 100.
    #[test]
    fn what_is_too_much_waits_and_what_does_not_fit_is_refused() {
        let origin = origin(Some(100.0), 50);
        let asked = (0..3_000).map(|n| {
            let now = Nanos(n * 1_000_000_000 / 300);
            (now, origin.ask(n, false, now).ok())
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
}
