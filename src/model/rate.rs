//! How many operations a second a load is to do: always the same, or evenly more or fewer from its
//! beginning on.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// At the beginning, a second.
    pub first: f64,
    pub ramp: Option<Ramp>,
}

/// The rate becomes another one, and stays so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ramp {
    /// Operations a second at its end.
    pub to: f64,
    /// How long it takes, from the load's beginning on.
    pub over_ms: f64,
}

impl Rate {
    pub const fn steady(first: f64) -> Rate {
        Rate { first, ramp: None }
    }

    /// The highest one.
    pub fn most(&self) -> f64 {
        self.ramp.map_or(self.first, |ramp| ramp.to.max(self.first))
    }

    /// How long after the beginning operation `n` is due, in nanoseconds. It depends only on `n`, so
    /// no rounding adds up from one operation to the next.
    pub fn due(&self, n: u64) -> u64 {
        let n = n as f64;
        let Some((ramp, over)) = self.ramp.map(|ramp| (ramp, ramp.over_ms / 1e3)) else {
            return (n * 1e9 / self.first) as u64;
        };
        let within = (self.first + ramp.to) / 2.0 * over;
        // Where `asked` is n. The root below the line is right however flat the ramp is.
        let seconds = match n <= within {
            true => {
                let slope = (ramp.to - self.first) / over;
                let root = (self.first * self.first + 2.0 * slope * n).max(0.0).sqrt();
                2.0 * n / (self.first + root)
            }
            false => over + (n - within) / ramp.to,
        };
        (seconds * 1e9) as u64
    }

    /// How many operations are due in that time from the beginning on.
    pub fn asked(&self, time: Duration) -> f64 {
        let time = time.as_secs_f64();
        let Some(Ramp { to, over_ms }) = self.ramp else { return time * self.first };
        let over = over_ms / 1e3;
        match time < over {
            true => time * (self.first + (to - self.first) * time / over / 2.0),
            false => (self.first + to) / 2.0 * over + (time - over) * to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn ramp(first: f64, to: f64, over_ms: f64) -> Rate {
        Rate { first, ramp: Some(Ramp { to, over_ms }) }
    }

    #[test]
    fn a_ramp_asks_for_what_is_under_its_line_and_goes_on_as_it_ends() {
        let asked = |rate: Rate, s| rate.asked(Duration::from_secs(s)).round();
        let up = ramp(100.0, 500.0, 10_000.0);
        assert_eq!([0, 5, 10, 12].map(|s| asked(up, s)), [0.0, 1_000.0, 3_000.0, 4_000.0]);
        let down = ramp(500.0, 100.0, 10_000.0);
        assert_eq!([5, 10, 12].map(|s| asked(down, s)), [2_000.0, 3_000.0, 3_200.0]);
        assert_eq!([1_000, 3_000, 4_000].map(|n| up.due(n)), [5, 10, 12].map(|s| s * SECOND));
        assert_eq!([2_000, 3_000, 3_200].map(|n| down.due(n)), [5, 10, 12].map(|s| s * SECOND));
        assert_eq!((up.most(), down.most()), (500.0, 500.0));
    }

    #[test]
    fn each_operation_is_due_when_so_many_are_asked_for_before_it() {
        for rate in [
            Rate::steady(999.9),
            ramp(1.0, 20_000.0, 60_000.0),
            ramp(20_000.0, 1.0, 60_000.0),
            ramp(300.0, 300.0, 5_000.0),
            ramp(5.0, 50.0, 0.0),
        ] {
            let mut before = 0;
            for n in (0..2_000).chain(590_000..600_100) {
                let due = rate.due(n);
                assert!(due >= before, "{rate:?}: {n}");
                before = due;
                let asked = rate.asked(Duration::from_nanos(due));
                assert!((asked - n as f64).abs() < 1e-3, "{rate:?}: {n} is due where {asked} are");
            }
        }
    }
}
