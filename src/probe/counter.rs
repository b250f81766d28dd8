//! What a canary may answer.
//!
//! A canary is written with a counter that rises by one. A read is right if it returns a value
//! that the canary could hold at some instant during the read: not older than the writes that
//! were acknowledged before the read was sent, and not newer than the writes that were sent.
//!
//! "Older" needs care, because writes of one canary overlap and may take different ways (a
//! redirect, a new connection). An acknowledged write proves that the writes which had ended
//! *before it was sent* are overwritten. Writes under way at the same time may have come after
//! it. And a write with an unknown outcome may take effect at any later time.

use std::collections::BTreeSet;

/// The writes of one canary. Values begin at 1; a missing key counts as 0.
#[derive(Debug, Default)]
pub(super) struct Counter {
    last: u64,
    under_way: BTreeSet<u64>,
    /// Writes of unknown outcome.
    unknown: BTreeSet<u64>,
    /// All smaller values are overwritten, except those in `unknown`.
    floor: u64,
}

/// A write that was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteStart {
    pub(super) value: u64,
    /// The smallest value whose write had not ended when this write began.
    oldest: u64,
}

/// A read that was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadStart {
    floor: u64,
}

/// How many values of unknown outcome are remembered: ten minutes without any answer, at one
/// write a millisecond.
const REMEMBERED: usize = 600_000;

impl Counter {
    pub(super) fn write(&mut self) -> WriteStart {
        self.last += 1;
        self.under_way.insert(self.last);
        let oldest = self.under_way.first().copied().unwrap_or(self.last);
        WriteStart { value: self.last, oldest }
    }

    pub(super) fn acknowledged(&mut self, write: WriteStart) {
        self.under_way.remove(&write.value);
        self.floor = self.floor.max(write.oldest);
    }

    /// The server did not do it.
    pub(super) fn refused(&mut self, write: WriteStart) {
        self.under_way.remove(&write.value);
    }

    pub(super) fn unknown(&mut self, write: WriteStart) {
        self.under_way.remove(&write.value);
        self.unknown.insert(write.value);
        if self.unknown.len() > REMEMBERED {
            self.unknown.pop_first();
        }
    }

    pub(super) fn read(&self) -> ReadStart {
        ReadStart { floor: self.floor }
    }

    /// Whether `value` (`None`: no such key) is a right answer to `read`, which has just ended.
    pub(super) fn is_right(&self, read: ReadStart, value: Option<u64>) -> bool {
        let value = value.unwrap_or(0);
        let old = value < read.floor && !self.unknown.contains(&value);
        !old && value <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_see_what_was_acknowledged_or_newer() {
        let mut counter = Counter::default();
        assert!(counter.is_right(counter.read(), None));
        let first = counter.write();
        let early = counter.read();
        counter.acknowledged(first);
        let late = counter.read();
        assert!(counter.is_right(early, None), "the write may have come after that read");
        assert!(counter.is_right(early, Some(1)));
        assert!(!counter.is_right(late, None), "an acknowledged write is missing");
        assert!(!counter.is_right(late, Some(2)), "nobody has written that");
        let _under_way = counter.write();
        assert!(counter.is_right(late, Some(2)));
    }

    #[test]
    fn writes_under_way_together_may_come_in_either_order() {
        let mut counter = Counter::default();
        let (one, two) = (counter.write(), counter.write());
        counter.acknowledged(two);
        assert!(counter.is_right(counter.read(), Some(1)));
        counter.acknowledged(one);
        assert!(counter.is_right(counter.read(), Some(1)));
        let three = counter.write();
        counter.acknowledged(three);
        assert!(!counter.is_right(counter.read(), Some(1)));
        assert!(!counter.is_right(counter.read(), Some(2)));
        assert!(counter.is_right(counter.read(), Some(3)));
    }

    #[test]
    fn a_write_of_unknown_outcome_may_come_late() {
        let mut counter = Counter::default();
        let (lost, refused) = (counter.write(), counter.write());
        counter.unknown(lost);
        counter.refused(refused);
        let third = counter.write();
        counter.acknowledged(third);
        assert!(counter.is_right(counter.read(), Some(1)));
        assert!(!counter.is_right(counter.read(), Some(2)));
    }
}
