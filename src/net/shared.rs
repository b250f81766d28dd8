//! State that the threads of a relay and its owner share.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tracing::warn;

use super::open::Open;
use super::places::{Openers, Places};
use super::rulebook::Rulebook;
use super::strangers::Strangers;
use crate::model::Clock;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) rulebook: Arc<Rulebook>,
    pub(super) open: Open,
    pub(super) places: Places,
    pub(super) trouble: Trouble,
    pub(super) strangers: Strangers,
    seed: u64,
    connections: AtomicU64,
    resets: AtomicU64,
}

impl Shared {
    pub(super) fn new(seed: u64, openers: Option<Openers>) -> Shared {
        Shared {
            clock: Clock::start(),
            rulebook: Arc::default(),
            open: Open::default(),
            places: Places::new(openers),
            trouble: Trouble::default(),
            strangers: Strangers::new(),
            seed,
            connections: AtomicU64::new(0),
            resets: AtomicU64::new(0),
        }
    }

    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Random numbers that are the same for the same seed and number.
    pub(super) fn rng(&self, number: u64) -> Xoshiro256PlusPlus {
        // The factor is odd, so no two numbers give the same seed, and the generator spreads
        // the bits.
        let number = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Xoshiro256PlusPlus::seed_from_u64(self.seed ^ number)
    }

    /// Random numbers for the next reset of open connections.
    pub(super) fn rng_of_reset(&self) -> Xoshiro256PlusPlus {
        // Counted down from the top, while connections count up from 0.
        self.rng(u64::MAX - 1 - self.resets.fetch_add(1, Ordering::Relaxed))
    }
}

/// What the machine refused to the relay, so that nobody blames the servers.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    first: Mutex<Option<(String, u64)>>,
}

impl Trouble {
    pub(super) fn tell(&self, what: impl Display, why: impl Display) {
        warn!(%what, %why, "the machine refused the relay");
        let mut first = self.first.lock();
        match first.as_mut() {
            Some((_, times)) => *times += 1,
            None => *first = Some((format!("{what}: {why}"), 1)),
        }
    }

    /// The first problem, and how many there were.
    pub(super) fn told(&self) -> Option<String> {
        let first = self.first.lock();
        let (text, times) = first.as_ref()?;
        Some(match times {
            1 => format!("the relay failed once: {text}"),
            _ => format!("the relay failed {times} times, at first: {text}"),
        })
    }
}
