//! What a load whose workload is `expiry` sets, and how its keys are looked at.

use std::time::Duration;

/// Keys that are there for a time only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expiry {
    /// The shortest and the longest time for which a key is there.
    pub lives: (Duration, Duration),
    /// Keys whose time would be over within such a span end at one instant; each at its own if it is
    /// nothing.
    pub together: Duration,
    /// The share of keys that are looked at around their end, of one.
    pub looked: f64,
    /// The share of those that are looked at on a replica, of one.
    pub replicas: f64,
    /// Between two looks around a key's end.
    pub every: Duration,
}

impl Expiry {
    /// With the defaults of everything.
    pub const USUAL: Expiry = Expiry {
        lives: (Duration::from_millis(500), Duration::from_secs(3)),
        together: Duration::ZERO,
        looked: 1.0,
        replicas: 0.0,
        every: Duration::from_millis(5),
    };

    /// How long a key is there at most.
    pub fn longest(&self) -> Duration {
        self.lives.1 + self.together
    }
}
