//! Which operations a load makes.
//!
//! Every value that a load writes, adds or puts in is one that it never wrote before, so
//! whoever meets a value knows which operation it came from. On the server a value
//! is its number in 20 digits, a colon, and padding up to its size.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution as _, Zipf};

use crate::model::Workload;
use crate::model::op::Action;
use crate::spec::scenario::{Distribution, Load};

/// The digits of a value's number and the colon after it.
const HEAD: usize = 21;

/// One operation, before it is known how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) action: Action,
    pub(crate) key: u64,
    /// What is written, added or put in.
    pub(crate) value: Option<u64>,
    /// The written value's size in bytes; 0 if none is.
    pub(crate) size: usize,
    /// Of a compare-and-set: what the key is to hold.
    pub(crate) expected: Option<u64>,
    /// Of an element that came out of a stream: its id there.
    pub(crate) entry: Option<String>,
}

impl Plan {
    /// Of an action that brings no value along.
    pub(crate) fn bare(action: Action, key: u64) -> Plan {
        Plan { action, key, value: None, size: 0, expected: None, entry: None }
    }
}

/// An endless sequence of operations. The same load with the same seed gives
/// the same sequence.
#[derive(Debug)]
pub(crate) struct Operations {
    workload: Workload,
    rng: Xoshiro256PlusPlus,
    keys: Keys,
    reads: f64,
    size: (usize, usize),
    next_value: u64,
}

impl Operations {
    pub(crate) fn new(load: &Load, seed: u64) -> Operations {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let keys = Keys::new(load.keys, load.distribution, &mut rng);
        // Filling writes 1 to `keys`.
        let next_value = load.keys + 1;
        let Load { workload, reads, value: size, .. } = *load;
        Operations { workload, rng, keys, reads, size, next_value }
    }

    /// What is written to key `key` before the load, if something is.
    pub(crate) fn fill(&mut self, key: u64) -> Option<Plan> {
        let size = self.size();
        let plan = Plan { value: Some(key + 1), size, ..Plan::bare(Action::Write, key) };
        self.workload.has_registers().then_some(plan)
    }

    fn size(&mut self) -> usize {
        self.rng.random_range(self.size.0..=self.size.1.max(self.size.0))
    }
}

/// What reads the final state of a key.
pub(crate) fn last(workload: Workload, key: u64) -> Plan {
    let action = match workload {
        Workload::Register | Workload::Cas | Workload::Counter => Action::Read,
        Workload::Set => Action::Members,
        Workload::Queue | Workload::Stream => Action::Pop,
    };
    Plan::bare(action, key)
}

impl Iterator for Operations {
    type Item = Plan;

    fn next(&mut self) -> Option<Plan> {
        let key = self.keys.draw(&mut self.rng);
        let (takes, gives) = match self.workload {
            Workload::Register => (Action::Read, Action::Write),
            Workload::Cas => (Action::Read, Action::Cas),
            Workload::Counter => (Action::Read, Action::Add),
            Workload::Set => (Action::Members, Action::Insert),
            Workload::Queue | Workload::Stream => (Action::Pop, Action::Push),
        };
        if self.rng.random_bool(self.reads.clamp(0.0, 1.0)) {
            return Some(Plan::bare(takes, key));
        }
        if gives == Action::Add {
            return Some(Plan::bare(gives, key));
        }
        let value = self.next_value;
        self.next_value += 1;
        Some(Plan { value: Some(value), size: self.size(), ..Plan::bare(gives, key) })
    }
}

/// Draws key numbers from 0 up to the number of keys.
#[derive(Debug)]
struct Keys {
    keys: u64,
    zipf: Option<Zipf<f64>>,
    /// Rank `r` is key `r * step + shift`, so that keys that are hot are not
    /// neighbours. `step` shares no divisor with `keys`, so every key has one rank.
    step: u64,
    shift: u64,
}

impl Keys {
    fn new(keys: u64, distribution: Distribution, rng: &mut Xoshiro256PlusPlus) -> Keys {
        let keys = keys.max(1);
        let zipf = match distribution {
            Distribution::Uniform => None,
            // A negative exponent, which a checked scenario does not have, is the one error.
            Distribution::Zipf(exponent) => Zipf::new(keys as f64, exponent).ok(),
        };
        // Steps of the golden section put successive ranks far from each other.
        let mut step = ((keys as f64 * 0.618_034) as u64).max(1);
        while gcd(step, keys) != 1 {
            step += 1;
        }
        Keys { keys, zipf, step, shift: rng.random_range(0..keys) }
    }

    fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> u64 {
        match &self.zipf {
            None => rng.random_range(0..self.keys),
            // Zipf's ranks begin at 1.
            Some(zipf) => self.key_of_rank((zipf.sample(rng) as u64).clamp(1, self.keys) - 1),
        }
    }

    fn key_of_rank(&self, rank: u64) -> u64 {
        let wide = u128::from(rank) * u128::from(self.step) + u128::from(self.shift);
        (wide % u128::from(self.keys)) as u64
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Writes values as they stand on the server.
#[derive(Debug)]
pub(crate) struct Values {
    padding: Vec<u8>,
    text: Vec<u8>,
}

impl Values {
    /// For values up to `largest` bytes.
    pub(crate) fn new(largest: usize) -> Values {
        // Random letters: a server that compresses its dumps should not gain from them.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
        let padding = (0..largest).map(|_| rng.random_range(b'a'..=b'z')).collect();
        Values { padding, text: Vec::new() }
    }

    /// Value number `number`, `size` bytes long, or 21 if `size` is less.
    pub(crate) fn text(&mut self, number: u64, size: usize) -> &[u8] {
        self.text.clear();
        let mut rest = number;
        let mut head = [b'0'; HEAD];
        head[HEAD - 1] = b':';
        for digit in head[..HEAD - 1].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.text.extend_from_slice(&head);
        let more = size.saturating_sub(HEAD).min(self.padding.len());
        self.text.extend_from_slice(&self.padding[..more]);
        &self.text
    }
}

/// The number of a value as the server gave it; `None` if this is not a value
/// that a load wrote.
pub(crate) fn number_of(text: &[u8]) -> Option<u64> {
    if text.get(HEAD - 1) != Some(&b':') {
        return None;
    }
    std::str::from_utf8(&text[..HEAD - 1]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;
    use crate::spec::scenario::ClientKind;

    fn load(keys: u64, distribution: Distribution) -> Load {
        Load {
            name: "app".into(),
            group: "cache".into(),
            region: None,
            workload: Workload::Register,
            wait: None,
            min_replicas: None,
            client: ClientKind::Redrill,
            rate: 1000.0,
            clients: 8,
            keys,
            distribution,
            reads: 0.25,
            value: (100, 1000),
            timeout: Duration::from_secs(1),
            max_in_flight: 1000,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_operations_and_another_does_not() {
        let load = load(5000, Distribution::Zipf(0.99));
        let take = |seed| Operations::new(&load, seed).take(2000).collect::<Vec<_>>();
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }

    #[test]
    fn every_write_has_a_value_of_its_own() {
        let load = load(100, Distribution::Uniform);
        let mut operations = Operations::new(&load, 1);
        let filled = (0..100).map(|key| operations.fill(key).unwrap()).collect::<Vec<_>>();
        let writes = filled.into_iter().chain(operations.take(10_000)).filter_map(|p| p.value);
        let mut seen = HashSet::new();
        let mut count = 0;
        for value in writes {
            assert!(seen.insert(value), "{value} was written twice");
            count += 1;
        }
        assert!((7_000..8_200).contains(&count), "{count} writes at a read share of 25 %");
    }

    #[test]
    fn sizes_lie_in_their_range_and_reach_both_ends() {
        let load = Load { value: (100, 110), reads: 0.0, ..load(10, Distribution::Uniform) };
        let sizes: HashSet<usize> = Operations::new(&load, 1).take(2000).map(|p| p.size).collect();
        assert_eq!(sizes, (100..=110).collect());
    }

    #[test]
    fn zipf_has_its_shape_and_its_hot_keys_are_apart() {
        let load = load(10_000, Distribution::Zipf(1.0));
        let mut counts = vec![0u32; 10_000];
        for plan in Operations::new(&load, 3).take(200_000) {
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

    #[test]
    fn every_key_has_one_rank() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        for keys in [1, 2, 3, 10, 4096, 9999] {
            let drawn = Keys::new(keys, Distribution::Zipf(0.9), &mut rng);
            let all: HashSet<u64> = (0..keys).map(|rank| drawn.key_of_rank(rank)).collect();
            assert_eq!(all.len() as u64, keys);
        }
    }

    #[test]
    fn a_value_tells_its_number_and_has_its_size() {
        let mut values = Values::new(1000);
        assert!(values.text(42, 30).starts_with(b"00000000000000000042:"));
        for (number, size) in [(0, 21), (u64::MAX, 100), (123_456, 1000)] {
            let text = values.text(number, size);
            assert_eq!(text.len(), size);
            assert_eq!(number_of(text), Some(number));
        }
        assert_eq!(values.text(5, 3).len(), HEAD);
        assert_eq!(number_of(b"something else that is long"), None);
        assert_eq!(number_of(b"12"), None);
    }
}
