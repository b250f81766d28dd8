//! How late another group sees what one group has acknowledged.
//!
//! One key of the source is written again and again with growing numbers, and read in the other
//! group. The lag of a write is the time from its acknowledgement to the first answer with its
//! number or a greater one. The true instant lies between that answer and the one before, so a
//! lag is too long by one interval of reads at most, and half of one in the median.

use std::collections::VecDeque;
use std::time::Duration;

use super::blind_time::BlindTime;
use crate::model::Nanos;

/// The writes of one group as another one sees them.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// Acknowledged and not seen yet, in order: number, and when it was sent and acknowledged.
    waiting: VecDeque<(u64, (Nanos, Nanos))>,
    /// When the last write was sent that was seen.
    carried: Nanos,
    /// The greatest number that was read.
    seen: u64,
    /// The last answer: when it had been requested, and when it came.
    asked: Nanos,
    answered: Nanos,
    told: Told,
}

/// What came since it was asked for last.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    /// When each write was acknowledged, and how late it was seen.
    pub lags: Vec<(Nanos, Duration)>,
    /// Writes that nobody waits for any more, and how long they had been waited for.
    pub unseen: Vec<Duration>,
    /// For writes that were seen: from their acknowledgement until the last request whose answer
    /// did not show them.
    pub hidden: Vec<(Nanos, Nanos)>,
}

impl Lag {
    /// Write `number` was sent at `sent` and acknowledged at `at`. It does not count if the thread
    /// was blind meanwhile: the answer may have been there for long.
    pub fn acknowledged(&mut self, number: u64, (sent, at): (Nanos, Nanos), blind: &BlindTime) {
        if !blind.blind(sent, at).is_zero() {
            return;
        }
        match number <= self.seen {
            true => {
                self.told.lags.push((at, Duration::ZERO));
                self.carried = sent;
            }
            false => self.waiting.push_back((number, (sent, at))),
        }
    }

    /// A read was sent, and answered at `at`. Blind time since the answer before does not count.
    pub fn read(&mut self, number: u64, (sent, at): (Nanos, Nanos), blind: &BlindTime) {
        while let Some(&(first, (written, since))) =
            self.waiting.front().filter(|(first, _)| *first <= number)
        {
            let late = blind.blind(since.max(self.answered), at);
            self.told.lags.push((since, at.since(since) - late));
            self.told.hidden.extend(Some((since, self.asked)).filter(|(from, to)| from < to));
            self.seen = self.seen.max(first);
            self.carried = written;
            self.waiting.pop_front();
        }
        self.seen = self.seen.max(number);
        (self.asked, self.answered) = (sent, at);
    }

    /// The source could not be written: it may have lost what nobody has seen yet, and a later
    /// write says nothing of that.
    pub fn interrupted(&mut self, at: Nanos) {
        let waited = self.waiting.drain(..).map(|(_, (_, since))| at.since(since));
        self.told.unseen.extend(waited);
    }

    /// What was written before this instant was seen: writes are carried in their order.
    pub fn carried(&self) -> Nanos {
        self.carried
    }

    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub fn tell(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    /// Instants and lags.
    fn ms(some: &[(u64, u64)]) -> Vec<(Nanos, Duration)> {
        some.iter().map(|(since, lag)| (at(*since), Duration::from_millis(*lag))).collect()
    }

    /// A read that takes a millisecond.
    fn read(ms: u64) -> (Nanos, Nanos) {
        (at(ms - 1), at(ms))
    }

    fn sharp() -> BlindTime {
        BlindTime::new(Duration::from_secs(10))
    }

    #[test]
    fn a_lag_ends_with_the_first_answer_that_shows_the_write_or_a_later_one() {
        let (mut lag, blind) = (Lag::default(), sharp());
        for number in 1..=3 {
            lag.acknowledged(number, (at(number * 10 - 1), at(number * 10)), &blind);
        }
        lag.read(0, read(40), &blind);
        assert_eq!(lag.tell(), Told::default());
        lag.read(2, read(50), &blind);
        let told = lag.tell();
        assert_eq!(told.lags, ms(&[(10, 40), (20, 30)]));
        assert_eq!(told.hidden, [(at(10), at(39)), (at(20), at(39))], "when it was last not there");
        lag.read(1, read(55), &blind);
        assert!(lag.is_waiting(), "an older value shows nothing");
        lag.read(3, read(60), &blind);
        assert_eq!(
            (lag.tell().lags, lag.carried()),
            (ms(&[(30, 30)]), at(29)),
            "the third was sent then"
        );
        lag.read(4, read(70), &blind);
        lag.acknowledged(4, (at(69), at(71)), &blind);
        assert_eq!(lag.tell().lags, ms(&[(71, 0)]), "it was seen before it was acknowledged");
    }

    #[test]
    fn what_was_not_seen_before_the_source_failed_is_told_apart() {
        let (mut lag, blind) = (Lag::default(), sharp());
        lag.acknowledged(1, (at(9), at(10)), &blind);
        lag.interrupted(at(510));
        lag.acknowledged(2, (at(600), at(601)), &blind);
        lag.read(2, read(641), &blind);
        let told = lag.tell();
        assert_eq!((told.lags, told.unseen), (ms(&[(601, 40)]), vec![Duration::from_millis(500)]));
        assert!(!lag.is_waiting());
    }

    #[test]
    fn blind_time_counts_for_nobody() {
        let (mut lag, mut blind) = (Lag::default(), sharp());
        lag.acknowledged(1, (at(9), at(10)), &blind);
        lag.read(0, read(40), &blind);
        blind.woke(at(50), at(130));
        lag.acknowledged(2, (at(49), at(131)), &blind);
        lag.read(2, read(131), &blind);
        assert_eq!(lag.tell().lags, ms(&[(10, 41)]), "of 121, the thread did not look for 80");
    }
}
