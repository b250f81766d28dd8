//! When operations are intended.

use crate::model::Nanos;

/// Operation `n` is intended at `start + n / rate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    start: Nanos,
    /// Operations a second.
    rate: f64,
}

impl Schedule {
    pub(crate) fn new(start: Nanos, rate: f64) -> Schedule {
        Schedule { start, rate }
    }

    /// The instant of operation `n`. It depends only on `n`, so no rounding adds up from one
    /// operation to the next.
    pub(crate) fn intended(&self, n: u64) -> Nanos {
        Nanos(self.start.0.saturating_add((n as f64 * 1e9 / self.rate) as u64))
    }

    /// How many operations are intended before `at`.
    pub(crate) fn before(&self, at: Nanos) -> u64 {
        if at <= self.start {
            return 0;
        }
        // The estimate is off by one at most, where the division rounds.
        let mut n = (at.since(self.start).as_nanos() as f64 * self.rate / 1e9) as u64;
        while self.intended(n) < at {
            n += 1;
        }
        while n > 0 && self.intended(n - 1) >= at {
            n -= 1;
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_exact_and_do_not_drift() {
        let schedule = Schedule::new(Nanos(500), 3000.0);
        assert_eq!(schedule.intended(0), Nanos(500));
        assert_eq!(schedule.intended(1), Nanos(500 + 333_333));
        assert_eq!(schedule.intended(3), Nanos(500 + 1_000_000));
        // Still exact to the nanosecond after an hour.
        assert_eq!(schedule.intended(3000 * 3600), Nanos(500 + 3_600_000_000_000));
    }

    #[test]
    fn counting_agrees_with_the_instants() {
        for rate in [0.5, 1.0, 3.0, 999.9, 20_000.0] {
            let schedule = Schedule::new(Nanos(1_000), rate);
            assert_eq!(schedule.before(Nanos(1_000)), 0);
            for n in (0..50).chain(1_000_000..1_000_050) {
                let at = schedule.intended(n);
                assert_eq!(schedule.before(at), n, "rate {rate}");
                assert_eq!(schedule.before(Nanos(at.0 + 1)), n + 1, "rate {rate}");
            }
        }
    }
}
