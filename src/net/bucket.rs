//! The bandwidth of a link: a bucket that fills with tokens at the link's rate. A sender that
//! finds it empty waits for tokens.
//!
//! The state is one instant, at which everything accepted will have been sent. So there is no
//! clock that ticks, and errors do not add up: if a rounded timer fires late, more is sent at
//! once the next time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::model::Nanos;

/// How long the queue before a link may be. When it is full, nothing more is read, and the
/// senders wait. (A router would drop packets, and TCP would slow down.)
const QUEUE: Duration = Duration::from_millis(50);
/// One piece occupies the link no longer than this, so that connections take turns.
const TURN: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Bucket {
    bits_per_second: u64,
    /// When the link will be free, as [`Nanos`].
    free: AtomicU64,
}

impl Bucket {
    pub(super) fn new(bits_per_second: u64) -> Bucket {
        Bucket { bits_per_second: bits_per_second.max(1), free: AtomicU64::new(0) }
    }

    /// Sends `bytes` through the link. Returns the instant at which the last of them has been
    /// sent.
    pub(super) fn take(&self, bytes: usize, now: Nanos) -> Nanos {
        let cost = (bytes as u128 * 8 * 1_000_000_000 / u128::from(self.bits_per_second)) as u64;
        let sent = |free: u64| free.max(now.0).saturating_add(cost);
        match self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| Some(sent(free)))
        {
            Ok(free) | Err(free) => Nanos(sent(free)),
        }
    }

    /// The instant from which there is room in the queue.
    pub(super) fn room_at(&self) -> Nanos {
        Nanos(self.free.load(Ordering::Relaxed)) - QUEUE
    }

    /// How many bytes one piece may have.
    pub(super) fn piece(&self) -> usize {
        let bytes = self.bits_per_second as f64 / 8.0 * TURN.as_secs_f64();
        // Smaller pieces would cost too much, however slow the link is.
        (bytes as usize).max(64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn what_is_sent_together_takes_as_long_as_one_after_the_other() {
        let bucket = Bucket::new(8_000_000); // a byte each microsecond
        assert_eq!(bucket.take(1000, Nanos(5 * MS)), Nanos(6 * MS));
        assert_eq!(bucket.take(2000, Nanos(5 * MS)), Nanos(8 * MS));
        // A link that was idle does not catch up.
        assert_eq!(bucket.take(1000, Nanos(50 * MS)), Nanos(51 * MS));
    }

    #[test]
    fn the_queue_is_bounded() {
        let bucket = Bucket::new(8_000_000);
        assert_eq!(bucket.room_at(), Nanos::ZERO);
        bucket.take(80_000, Nanos(0));
        assert_eq!(bucket.room_at(), Nanos(30 * MS), "80 ms are promised, 50 may wait");
    }

    #[test]
    fn pieces_are_small_on_slow_links() {
        assert_eq!(Bucket::new(8_000_000).piece(), 10_000);
        assert_eq!(Bucket::new(0).piece(), 64);
    }
}
