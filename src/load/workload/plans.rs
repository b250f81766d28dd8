//! Which operations a load begins: the same load with the same seed begins the same ones.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::keys::Keys;
use super::session::{Draw, Plan, Sessions, Stage};
use crate::spec::scenario::Load;

/// How a load's sessions begin, without an end.
#[derive(Debug)]
pub(crate) struct Plans {
    sessions: Box<dyn Sessions>,
    reads: f64,
    draw: Draw,
}

impl Plans {
    pub(crate) fn new(load: &Load, seed: u64) -> Plans {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let keys = Keys::new(load.keys, &load.distribution, &mut rng);
        let (keyspace, filled) = (load.keyspace.clone(), load.keys);
        let draw = Draw { rng, keys, size: load.value, keyspace, filled, drawn: 0 };
        Plans { sessions: super::of(load), reads: load.reads, draw }
    }

    /// What is done on key `key` before the load, if something is.
    pub(crate) fn fill(&mut self, key: u64) -> Option<Plan> {
        let size = self.draw.size();
        let action = self.sessions.fill(key + 1)?;
        Some(Plan { size, ..Plan::bare(key, action) })
    }
}

impl Iterator for Plans {
    type Item = Stage;

    fn next(&mut self) -> Option<Stage> {
        let key = self.draw.key();
        let reads = self.draw.rng.random_bool(self.reads.clamp(0.0, 1.0));
        Some(self.sessions.begin(key, reads, &mut self.draw))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::spec::scenario::{Distribution, Keyspace};

    fn load(keys: u64, distribution: Distribution) -> Load {
        let value = (100, 1000);
        Load { keys, distribution, reads: 0.25, value, ..Load::new("app", "cache", 1000.0) }
    }

    #[test]
    fn the_same_seed_gives_the_same_operations_and_another_does_not() {
        let load = load(5000, Distribution::Zipf(0.99));
        let take = |seed| Plans::new(&load, seed).take(2000).collect::<Vec<_>>();
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }

    #[test]
    fn every_write_has_a_value_of_its_own() {
        let load = load(100, Distribution::Uniform);
        let mut operations = Plans::new(&load, 1);
        let filled = (0..100).map(|key| operations.fill(key).unwrap()).collect::<Vec<_>>();
        let writes = filled.into_iter().chain(operations.take(10_000).flatten());
        let writes = writes.filter_map(|plan| plan.action.written());
        let mut seen = HashSet::new();
        let mut count = 0;
        for value in writes {
            assert!(seen.insert(value), "{value} was written twice");
            count += 1;
        }
        assert!((7_000..8_200).contains(&count), "{count} writes at a read share of 25 %");
    }

    #[test]
    fn loads_that_share_keys_have_no_value_in_common() {
        let values = |turn| {
            let keyspace = Keyspace { turn, turns: 3, ..Keyspace::own("app") };
            let load = Load { keyspace, ..load(100, Distribution::Uniform) };
            let plans = Plans::new(&load, turn).take(2000).flatten();
            plans.filter_map(|plan| plan.action.written()).collect::<Vec<_>>()
        };
        let all = [values(0), values(1), values(2)].concat();
        assert!(all.len() > 4000 && all.iter().all(|value| *value > 100));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn sizes_lie_in_their_range_and_reach_both_ends() {
        let load = Load { value: (100, 110), reads: 0.0, ..load(10, Distribution::Uniform) };
        let sizes: HashSet<usize> = Plans::new(&load, 1).take(2000).map(|p| p[0].size).collect();
        assert_eq!(sizes, (100..=110).collect());
    }

    #[test]
    fn zipf_has_its_shape_and_its_hot_keys_are_apart() {
        let load = load(10_000, Distribution::Zipf(1.0));
        let mut counts = vec![0u32; 10_000];
        for plan in Plans::new(&load, 3).take(200_000).flatten() {
            counts[plan.key as usize] += 1;
        }
        let mut hot: Vec<usize> = (0..10_000).collect();
        hot.sort_by_key(|&key| std::cmp::Reverse(counts[key]));
        // The share of rank r is 1 / (r H), H being the 10,000th harmonic number, 9.788.
        for rank in [1, 2, 4, 8] {
            let expected = 200_000.0 / (rank as f64 * 9.788);
            let found = f64::from(counts[hot[rank - 1]]);
            assert!((found / expected - 1.0).abs() < 0.1, "rank {rank}: {found}, not {expected}");
        }
        for pair in hot[..10].windows(2) {
            assert!(pair[0].abs_diff(pair[1]) > 100, "{pair:?} are neighbours");
        }
    }
}
