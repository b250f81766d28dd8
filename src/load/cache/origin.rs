//! The slow source of truth behind a cache.
//!
//! It begins with one request after the other, in the order in which they came, no more than its
//! capacity a second. What it begins with is true from that instant: a read finds the version that
//! there is then, and a write makes the next one. The answer comes after its latency. Whoever gives
//! up waiting takes nothing back: the origin works for nobody then, as a database does.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::model::Nanos;
use crate::spec::cache;

/// There from the beginning.
pub(super) const FIRST: u64 = 1;

#[derive(Debug)]
pub(crate) struct Origin {
    spec: cache::Origin,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// It begins with the next request then, at the earliest.
    free: Nanos,
    /// Of the entities that were written.
    versions: HashMap<u64, u64>,
    chance: Xoshiro256PlusPlus,
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) version: u64,
    /// True since then, of a write; true then, of a read.
    pub(super) at: Nanos,
    pub(super) answered: Nanos,
}

impl Origin {
    pub(crate) fn new(spec: cache::Origin, seed: u64) -> Origin {
        let chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let state = State { free: Nanos::ZERO, versions: HashMap::new(), chance };
        Origin { spec, state: Mutex::new(state) }
    }

    /// A request that comes at `now`; none if too many wait.
    pub(super) fn ask(&self, entity: u64, writes: bool, now: Nanos) -> Option<Served> {
        let mut state = self.state.lock();
        let at = match self.spec.capacity {
            None => now,
            Some(capacity) => {
                let at = state.free.max(now);
                let waiting = at.since(now).as_secs_f64() * capacity;
                if waiting > f64::from(self.spec.queue) {
                    return None;
                }
                state.free = at + Duration::from_secs_f64(1.0 / capacity);
                at
            }
        };
        let (least, most) = self.spec.latency;
        let latency = state.chance.random_range(least..=most);
        let version = state.versions.entry(entity).or_insert(FIRST);
        *version += u64::from(writes);
        Some(Served { version: *version, at, answered: at + latency })
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

    /// 300 requests a second for ten seconds, of which it does 100.
    #[test]
    fn what_is_too_much_waits_and_what_does_not_fit_is_refused() {
        let origin = origin(Some(100.0), 50);
        let asked = (0..3_000).map(|n| {
            let now = Nanos(n * 1_000_000_000 / 300);
            (now, origin.ask(n, false, now))
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
