//! Which keys the sessions of a load are on.

use std::cell::Cell;
use std::sync::Arc;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution as _, Zipf};

use crate::spec::scenario::Distribution;

/// How often one of several different keys is drawn again.
const REDRAWN: u32 = 32;

/// Draws key numbers from 0 up to the number of keys.
#[derive(Debug)]
pub(super) struct Keys {
    keys: u64,
    zipf: Option<Zipf<f64>>,
    trace: Option<Replay>,
    /// Rank `r` is key `r * step + shift`, so that keys that are hot are not
    /// neighbours. `step` shares no divisor with `keys`, so every key has one rank.
    step: u64,
    shift: u64,
}

/// A trace, and where it is.
#[derive(Debug)]
struct Replay {
    accesses: Arc<[u32]>,
    next: Cell<usize>,
}

impl Replay {
    fn next(&self) -> u64 {
        let at = self.next.get();
        self.next.set((at + 1) % self.accesses.len());
        u64::from(self.accesses[at])
    }
}

impl Keys {
    pub(super) fn new(
        keys: u64,
        distribution: &Distribution,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Keys {
        let keys = keys.max(1);
        let zipf = match distribution {
            Distribution::Uniform | Distribution::Trace(_) => None,
            // A negative exponent, which a checked scenario does not have, is the one error.
            Distribution::Zipf(exponent) => Zipf::new(keys as f64, *exponent).ok(),
        };
        let trace = match distribution {
            Distribution::Trace(trace) => {
                Some(Replay { accesses: trace.accesses.clone(), next: Cell::new(0) })
            }
            Distribution::Uniform | Distribution::Zipf(_) => None,
        };
        // Steps of the golden section put successive ranks far from each other.
        let mut step = ((keys as f64 * 0.618_034) as u64).max(1);
        while gcd(step, keys) != 1 {
            step += 1;
        }
        Keys { keys, zipf, trace, step, shift: rng.random_range(0..keys) }
    }

    pub(super) fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> u64 {
        match &self.zipf {
            None if let Some(trace) = &self.trace => trace.next(),
            None => rng.random_range(0..self.keys),
            // Zipf's ranks begin at 1.
            Some(zipf) => self.key_of_rank((zipf.sample(rng) as u64).clamp(1, self.keys) - 1),
        }
    }

    /// So many different keys, if there are so many, of which `first` is the first.
    pub(super) fn several(
        &self,
        first: u64,
        count: usize,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Vec<u64> {
        let mut drawn = vec![first];
        while drawn.len() < count.min(self.keys as usize) {
            let mut key = self.draw(rng);
            // Where one key is nearly all that is drawn, its neighbours stand for the others.
            let mut again = 0;
            while drawn.contains(&key) {
                key = if again < REDRAWN { self.draw(rng) } else { (key + 1) % self.keys };
                again += 1;
            }
            drawn.push(key);
        }
        drawn
    }

    fn key_of_rank(&self, rank: u64) -> u64 {
        let wide = u128::from(rank) * u128::from(self.step) + u128::from(self.shift);
        (wide % u128::from(self.keys)) as u64
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;

    use super::*;
    use crate::spec::trace::Trace;

    #[test]
    fn every_key_has_one_rank() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        for keys in [1, 2, 3, 10, 4096, 9999] {
            let drawn = Keys::new(keys, &Distribution::Zipf(0.9), &mut rng);
            let all: HashSet<u64> = (0..keys).map(|rank| drawn.key_of_rank(rank)).collect();
            assert_eq!(all.len() as u64, keys);
        }
    }

    #[test]
    fn a_trace_is_followed_and_begins_anew() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let accesses = [0, 1, 0, 2].into();
        let trace = Trace { file: "a".into(), accesses, keys: 3 };
        let keys = Keys::new(3, &Distribution::Trace(trace), &mut rng);
        let drawn: Vec<u64> = (0..9).map(|_| keys.draw(&mut rng)).collect();
        assert_eq!(drawn, [0, 1, 0, 2, 0, 1, 0, 2, 0]);
    }

    #[test]
    fn several_keys_are_different_ones() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        for (keys, distribution) in [
            (16, Distribution::Uniform),
            (20, Distribution::Zipf(10.0)),
            (9, Distribution::Uniform),
        ] {
            let drawn = Keys::new(keys, &distribution, &mut rng);
            for _ in 0..100 {
                let mut several = drawn.several(3, 16, &mut rng);
                assert_eq!(several[0], 3);
                several.sort_unstable();
                several.dedup();
                assert_eq!(several.len() as u64, keys.min(16));
                assert!(several.iter().all(|key| *key < keys));
            }
        }
    }
}
