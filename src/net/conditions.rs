//! The conditions of a link: what one rule asks for, and the sum of all rules for one directed
//! pair of ends.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::bucket::Bucket;
use crate::model::Nanos;
use crate::spec::network::{Jitter, Trickle};
use crate::spec::topology::Link;

/// The most bytes that one direction of a connection delays: a link of 40 ms at 13 Gbit/s is
/// full of them. Then its sender waits.
const IN_FLIGHT: usize = 64 << 20;
/// Bytes read at once. As many wait for a slow receiver if nothing is delayed.
pub(super) const PIECE: usize = 64 << 10;

/// The conditions that one rule puts on every pair it applies to. The default is none: set what
/// you want, and `..Rule::default()`.
///
/// If several rules apply to a pair, latencies add up, the lowest bandwidth and the slowest
/// trickle win, any cut cuts, and a connection is refused if one of them refuses it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// One way.
    pub latency: Duration,
    pub jitter: Jitter,
    /// Bits of payload a second, which all connections in one direction share.
    pub bandwidth: Option<u64>,
    pub trickle: Option<Trickle>,
    /// Nothing arrives, and nobody gets an error.
    pub cut: bool,
    /// The share of new connections that is reset at once: 0 to 1.
    pub refuse: f64,
}

impl Rule {
    pub fn latency(latency: Duration) -> Rule {
        Rule { latency, ..Rule::default() }
    }

    pub fn bandwidth(bits: u64) -> Rule {
        Rule { bandwidth: Some(bits), ..Rule::default() }
    }

    pub fn cut() -> Rule {
        Rule { cut: true, ..Rule::default() }
    }

    /// The share of new connections that is reset at once.
    pub fn refuse(part: f64) -> Rule {
        Rule { refuse: part, ..Rule::default() }
    }
}

impl From<&Link> for Rule {
    fn from(link: &Link) -> Rule {
        let Link { latency, jitter, bandwidth, .. } = *link;
        Rule { latency, jitter, bandwidth, ..Rule::default() }
    }
}

impl Trickle {
    /// Bytes a second.
    pub(super) fn pace(&self) -> f64 {
        self.bytes as f64 / self.rest.as_secs_f64()
    }
}

#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub(super) cut: bool,
    pub(super) trickle: Option<Trickle>,
    /// The share of new connections that is accepted.
    admit: Option<f64>,
    delays: Vec<(Duration, Jitter)>,
    buckets: Vec<Arc<Bucket>>,
}

impl Conditions {
    /// Adds a rule, with its bucket for this pair.
    pub(super) fn add(&mut self, rule: &Rule, bucket: Option<&Arc<Bucket>>) {
        self.cut |= rule.cut;
        if rule.refuse > 0.0 {
            self.admit = Some(self.admit.unwrap_or(1.0) * (1.0 - rule.refuse).max(0.0));
        }
        if !rule.latency.is_zero() || rule.jitter != Jitter::None {
            self.delays.push((rule.latency, rule.jitter));
        }
        self.buckets.extend(bucket.cloned());
        let slowest = |a: Trickle, b: Trickle| if a.pace() <= b.pace() { a } else { b };
        self.trickle = match (self.trickle, rule.trickle) {
            (Some(one), Some(other)) => Some(slowest(one, other)),
            (one, other) => one.or(other),
        };
    }

    /// Whether data is passed on as it arrives.
    pub(super) fn are_none(&self) -> bool {
        self.delays.is_empty() && self.buckets.is_empty()
    }

    /// Without jitter.
    pub(super) fn latency(&self) -> Duration {
        self.delays.iter().map(|(latency, _)| *latency).sum()
    }

    /// When bytes that arrive now come out at the other end.
    pub(super) fn due(&self, bytes: usize, now: Nanos, rng: &mut Xoshiro256PlusPlus) -> Nanos {
        let sent = self.buckets.iter().map(|bucket| bucket.take(bytes, now)).max().unwrap_or(now);
        self.delays.iter().fold(sent, |due, (latency, jitter)| due + jitter.draw(*latency, rng))
    }

    /// How many bytes may be read at once.
    pub(super) fn piece(&self) -> usize {
        let buckets = self.buckets.iter().map(|bucket| bucket.piece());
        let trickle = self.trickle.map(|trickle| trickle.bytes.max(1));
        buckets.chain(trickle).fold(PIECE, usize::min)
    }

    /// How many bytes may be under way.
    pub(super) fn in_flight(&self) -> usize {
        if self.are_none() { PIECE } else { IN_FLIGHT }
    }

    /// The instant from which there is room in the queues before the link.
    pub(super) fn room_at(&self) -> Nanos {
        self.buckets.iter().map(|bucket| bucket.room_at()).max().unwrap_or(Nanos::ZERO)
    }

    /// Whether a new connection is accepted.
    pub(super) fn admits(&self, rng: &mut Xoshiro256PlusPlus) -> bool {
        self.admit.is_none_or(|part| rng.random::<f64>() < part)
    }
}

impl Jitter {
    fn draw(self, latency: Duration, rng: &mut impl Rng) -> Duration {
        let (most, part) = match self {
            Jitter::None => return latency,
            Jitter::Uniform(most) => (most, rng.random_range(-1.0..=1.0)),
            Jitter::Normal(deviation) => (deviation, StandardNormal.sample(rng)),
        };
        let shift: f64 = part;
        let seconds = latency.as_secs_f64() + most.as_secs_f64() * shift;
        Duration::from_secs_f64(seconds.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn of(rules: &[Rule]) -> Conditions {
        let mut all = Conditions::default();
        for rule in rules {
            let bucket = rule.bandwidth.map(|bits| Arc::new(Bucket::new(bits)));
            all.add(rule, bucket.as_ref());
        }
        all
    }

    fn rng() -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(7)
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn latencies_add_up_the_lowest_bandwidth_wins_and_any_cut_cuts() {
        let both = of(&[Rule::latency(40 * MS), Rule::latency(2 * MS)]);
        assert_eq!(both.latency(), 42 * MS);
        assert_eq!(both.due(1, Nanos(0), &mut rng()), Nanos::ZERO + 42 * MS);
        // A thousand bytes take 1 ms on the slower and 0.1 ms on the faster.
        let two = [Rule::bandwidth(8_000_000), Rule::bandwidth(80_000_000)];
        for rules in [two.clone(), [two[1].clone(), two[0].clone()]] {
            assert_eq!(of(&rules).due(1000, Nanos(0), &mut rng()), Nanos::ZERO + MS);
        }
        assert!(of(&[Rule::cut(), Rule::default()]).cut && of(&[Rule::default(), Rule::cut()]).cut);
        assert!(of(&[Rule::default()]).are_none() && !of(&[Rule::latency(MS)]).are_none());
        let trickle = |bytes, rest| Rule {
            trickle: Some(Trickle { bytes, rest: rest * MS }),
            ..Rule::default()
        };
        let slowest = of(&[trickle(10, 1), trickle(100, 20), trickle(1000, 1)]);
        assert_eq!(slowest.piece(), 100);
    }

    #[test]
    fn a_connection_is_refused_if_one_rule_refuses_it() {
        let half = Rule::refuse(0.5);
        let admitted = |rules: &[Rule]| {
            let (conditions, mut rng) = (of(rules), rng());
            (0..10_000).filter(|_| conditions.admits(&mut rng)).count()
        };
        assert_eq!(admitted(&[Rule::default()]), 10_000);
        assert_eq!(admitted(&[half.clone(), Rule::refuse(1.0)]), 0);
        assert!((4800..5200).contains(&admitted(std::slice::from_ref(&half))));
        assert!((2300..2700).contains(&admitted(&[half.clone(), half])));
    }

    #[test]
    fn jitter_is_spread_as_it_says_and_the_same_for_a_seed() {
        let draws = |jitter: Jitter| -> Vec<f64> {
            let mut rng = rng();
            (0..10_000).map(|_| jitter.draw(40 * MS, &mut rng).as_secs_f64() * 1e3).collect()
        };
        let mean = |draws: &[f64]| draws.iter().sum::<f64>() / draws.len() as f64;
        let deviation = |draws: &[f64]| {
            let mean = mean(draws);
            (draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64).sqrt()
        };
        let uniform = draws(Jitter::Uniform(4 * MS));
        assert!(uniform.iter().all(|d| (36.0..=44.0).contains(d)));
        assert!((mean(&uniform) - 40.0).abs() < 0.1 && (deviation(&uniform) - 2.31).abs() < 0.1);
        let normal = draws(Jitter::Normal(4 * MS));
        assert!((mean(&normal) - 40.0).abs() < 0.2 && (deviation(&normal) - 4.0).abs() < 0.2);
        assert_eq!(normal, draws(Jitter::Normal(4 * MS)));
        assert!(draws(Jitter::Normal(400 * MS)).iter().all(|d| *d >= 0.0));
    }
}
