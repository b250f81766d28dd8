//! What a link may be like.

use std::time::Duration;

use crate::spec::topology::Link;

/// The conditions that one rule puts on every pair it is for. Nothing is the default:
/// name what is wanted, and `..Rule::default()`.
///
/// Where several rules are for a pair, latencies add up, the lowest bandwidth and the
/// slowest trickle win, any cut cuts, and a connection is refused if one of them refuses it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// One way.
    pub latency: Duration,
    pub jitter: Jitter,
    /// Bits of payload a second, which all connections in one direction share.
    pub bandwidth: Option<u64>,
    pub trickle: Option<Trickle>,
    /// Nothing arrives, and nobody is told.
    pub cut: bool,
    /// The part of new connections that is reset at once: 0 to 1.
    pub refuse: f64,
}

/// How far the latency of a piece of data may be from the rule's; it is never negative. Order is
/// kept as TCP keeps it: a piece arrives no sooner than the one before it, so where pieces
/// follow closely, jitter makes them later on the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Jitter {
    #[default]
    None,
    /// So much more or less, all of it equally likely.
    Uniform(Duration),
    /// The standard deviation.
    Normal(Duration),
}

/// Every connection gives so few bytes at a time, and rests between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trickle {
    /// At least one.
    pub bytes: usize,
    pub every: Duration,
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

    pub fn refuse() -> Rule {
        Rule { refuse: 1.0, ..Rule::default() }
    }
}

impl From<&Link> for Rule {
    fn from(link: &Link) -> Rule {
        let jitter =
            if link.jitter.is_zero() { Jitter::None } else { Jitter::Uniform(link.jitter) };
        Rule { latency: link.latency, jitter, bandwidth: link.bandwidth, ..Rule::default() }
    }
}

impl Trickle {
    /// Bytes a second.
    pub(super) fn pace(&self) -> f64 {
        self.bytes as f64 / self.every.as_secs_f64()
    }
}
