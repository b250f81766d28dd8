//! The conditions of a link.

use std::time::Duration;

use crate::spec::network::{Jitter, Trickle};
use crate::spec::topology::Link;

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
