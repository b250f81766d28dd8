//! When the sessions of a load begin.

use std::time::Duration;

use super::Rate;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// Open loop: when session `n` is due follows from the rate, whatever came of those before it.
    Open(Rate),
    /// Closed by clients: each begins its next session so long after it had its last answer.
    Closed { think: Duration },
}

impl Pacing {
    pub const fn steady(rate: f64) -> Pacing {
        Pacing::Open(Rate::steady(rate))
    }

    /// What is asked for; nothing is where clients wait for their answers.
    pub fn rate(&self) -> Option<Rate> {
        match self {
            Pacing::Open(rate) => Some(*rate),
            Pacing::Closed { .. } => None,
        }
    }

    pub fn rate_mut(&mut self) -> Option<&mut Rate> {
        match self {
            Pacing::Open(rate) => Some(rate),
            Pacing::Closed { .. } => None,
        }
    }
}
