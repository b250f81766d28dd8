//! Tells a late redrill from a slow server.
//!
//! On a busy machine the kernel sometimes does not run the probing thread for a while, or the
//! whole machine is paused. Answers that arrived meanwhile are unread, and their deadlines have
//! passed when the thread looks at its clock. That is no outage. So the thread watches itself:
//! whenever it wakes later than it wanted to, the time in between is *blind*. Blind time does
//! not count against a server's deadline. After it, a probe gets a moment more, so that answers
//! which have arrived are read before they count as missing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Nanos;

/// Waking up this late is ordinary: timers and schedulers are no more exact.
pub(super) const LATE: Duration = Duration::from_millis(2);

/// The blind times of one thread.
#[derive(Debug)]
pub(super) struct BlindTime {
    /// In order, without overlaps.
    blind: VecDeque<(Nanos, Nanos)>,
    /// How long a blind time is remembered.
    memory: Duration,
    /// The sum of the forgotten ones.
    forgotten: Duration,
    /// Blind time since the last call of [`BlindTime::account`].
    unaccounted: Blind,
}

/// How long a thread was blind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Blind {
    pub total: Duration,
    /// The longest blind time without a break.
    pub longest: Duration,
}

impl BlindTime {
    pub(super) fn new(memory: Duration) -> BlindTime {
        let forgotten = Duration::ZERO;
        BlindTime { blind: VecDeque::new(), memory, forgotten, unaccounted: Blind::default() }
    }

    /// The thread wanted to wake at `wanted` and woke at `now`. Returns whether that was late.
    pub(super) fn woke(&mut self, wanted: Nanos, now: Nanos) -> bool {
        if now.since(wanted) <= LATE {
            return false;
        }
        let seen = self.blind.back().map_or(Nanos::ZERO, |&(_, to)| to);
        let from = wanted.max(seen);
        if from < now {
            self.add(from, now);
        }
        while let Some(&(from, to)) = self.blind.front().filter(|&&(_, to)| to + self.memory < now)
        {
            self.forgotten += to.since(from);
            self.blind.pop_front();
        }
        true
    }

    /// The instant at which a tick begins that was due at `due`: if the thread woke late, it was due
    /// now.
    pub(super) fn begins(&mut self, due: Nanos, now: Nanos) -> Nanos {
        if self.woke(due, now) { now } else { due }
    }

    fn add(&mut self, from: Nanos, to: Nanos) {
        let stretch = match self.blind.back_mut() {
            Some(last) if last.1 == from => {
                last.1 = to;
                to.since(last.0)
            }
            _ => {
                self.blind.push_back((from, to));
                to.since(from)
            }
        };
        self.unaccounted.total += to.since(from);
        self.unaccounted.longest = self.unaccounted.longest.max(stretch);
    }

    /// Blind time between two instants.
    pub(super) fn blind(&self, from: Nanos, to: Nanos) -> Duration {
        self.blind.iter().map(|&(a, b)| b.min(to).since(a.max(from))).sum()
    }

    /// All blind time before `at`, which must not be older than the memory.
    pub(super) fn until(&self, at: Nanos) -> Duration {
        self.forgotten + self.blind(Nanos::ZERO, at)
    }

    /// Blind time since the last call.
    pub(super) fn account(&mut self) -> Blind {
        std::mem::take(&mut self.unaccounted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Nanos {
        Nanos(n * 1_000_000)
    }

    #[test]
    fn blind_times_add_up_and_do_not_overlap() {
        let mut blind_time = BlindTime::new(Duration::from_secs(10));
        assert!(!blind_time.woke(ms(10), ms(12)), "ordinary");
        assert!(blind_time.woke(ms(20), ms(120)));
        assert!(blind_time.woke(ms(30), ms(125)), "another timer of the same thread");
        assert_eq!(blind_time.blind(ms(0), ms(200)), Duration::from_millis(105));
        assert_eq!(blind_time.blind(ms(50), ms(60)), Duration::from_millis(10));
        assert_eq!(blind_time.blind(ms(0), ms(20)), Duration::ZERO);
        assert!(blind_time.woke(ms(140), ms(160)));
        let (total, longest) = (Duration::from_millis(125), Duration::from_millis(105));
        assert_eq!(blind_time.account(), Blind { total, longest });
        assert_eq!(blind_time.account(), Blind::default());
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let mut blind_time = BlindTime::new(Duration::from_secs(1));
        blind_time.woke(ms(0), ms(50));
        blind_time.woke(ms(2000), ms(2050));
        assert_eq!(blind_time.blind(ms(0), ms(3000)), Duration::from_millis(50));
        assert_eq!(blind_time.until(ms(2010)), Duration::from_millis(60), "but counted");
    }
}
