//! A conflict that is made on purpose: one key, written in two groups at the same instant. One of
//! the two writes may be a deletion, whose value is nothing.
//!
//! It is resolved when all groups show one of the two values, and go on showing it. The time counts
//! from the acknowledgement of the later write to the first answer with which all were alike. The
//! true instant lies between that answer and the one of the same group before, so a time is too
//! long by one interval of reads at most.

use std::time::Duration;

use super::blind_time::BlindTime;
use crate::model::Nanos;

/// Groups that pass each other's values on, instead of agreeing, may be alike for a moment. So
/// each must show the same once more, so much later.
const LASTS: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Conflict {
    /// The acknowledgement of the later write.
    since: Nanos,
    /// The values that were written. Others were there before.
    written: [Option<u64>; 2],
    /// For each group, what its last answer showed.
    shown: Vec<Option<Shown>>,
    /// Since when all are alike, and how long that took.
    alike: Option<(Nanos, Duration)>,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    value: Option<u64>,
    sent: Nanos,
    answered: Nanos,
}

impl Conflict {
    /// Both writes were acknowledged, the later one at `since`.
    pub fn new(groups: usize, written: [Option<u64>; 2], since: Nanos) -> Conflict {
        Conflict { since, written, shown: vec![None; groups], alike: None }
    }

    /// A read was sent to the group and answered. Blind time since its answer before does not
    /// count.
    pub fn read(
        &mut self,
        group: usize,
        value: Option<u64>,
        (sent, at): (Nanos, Nanos),
        blind: &BlindTime,
    ) {
        let before = self.shown[group].replace(Shown { value, sent, answered: at });
        let is_new = self.written.contains(&value);
        let same = |shown: &Option<Shown>| shown.is_some_and(|shown| shown.value == value);
        self.alike = match self.alike {
            _ if !is_new || !self.shown.iter().all(same) => None,
            None => {
                let watched = before.map_or(self.since, |before| before.answered.max(self.since));
                Some((at, at.since(self.since) - blind.blind(watched, at)))
            }
            known => known,
        };
    }

    /// Whether every group was asked long enough after all were alike, and still was.
    pub fn is_over(&self) -> bool {
        let asked = |at: Nanos| {
            self.shown.iter().all(|shown| shown.is_some_and(|shown| shown.sent >= at + LASTS))
        };
        self.alike.is_some_and(|(at, _)| asked(at))
    }

    /// How long it took until all were alike, as far as one knows by now.
    pub fn took(&self) -> Option<Duration> {
        self.alike.map(|(_, took)| took)
    }

    /// How long it has lasted.
    pub fn age(&self, now: Nanos) -> Duration {
        now.since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    fn sharp() -> BlindTime {
        BlindTime::new(Duration::from_secs(10))
    }

    /// Reads, each with its group, instant and value; answers come a millisecond later.
    fn after(reads: &[(usize, u64, u64)], blind: &BlindTime) -> Conflict {
        let mut conflict = Conflict::new(2, [Some(7), Some(8)], at(100));
        for (group, ms, value) in reads {
            conflict.read(*group, Some(*value), (at(*ms), at(ms + 1)), blind);
        }
        conflict
    }

    fn took(conflict: &Conflict) -> Option<u128> {
        conflict.took().map(|took| took.as_millis())
    }

    #[test]
    fn it_is_over_when_all_show_one_value_and_go_on_showing_it() {
        let blind = sharp();
        let reads = [(0, 110, 7), (1, 110, 8), (0, 120, 8), (1, 120, 8)];
        let early = after(&reads[..3], &blind);
        assert_eq!((took(&early), early.is_over()), (Some(21), false));
        let mut late = after(&reads, &blind);
        (0..2).for_each(|group| late.read(group, Some(8), (at(600), at(601)), &blind));
        assert!(!late.is_over(), "for 479 ms only");
        late.read(0, Some(8), (at(621), at(622)), &blind);
        assert!(!late.is_over(), "the other group has not been asked again");
        late.read(1, Some(8), (at(630), at(631)), &blind);
        assert_eq!((took(&late), late.is_over()), (Some(21), true));
    }

    #[test]
    fn groups_that_exchange_their_values_do_not_agree() {
        let blind = sharp();
        let reads = [(0, 110, 7), (1, 110, 8), (0, 140, 8), (1, 142, 7), (0, 700, 8), (1, 700, 7)];
        assert_eq!(took(&after(&reads[..3], &blind)), Some(41), "for a moment they are alike");
        let swapped = after(&reads, &blind);
        assert_eq!((took(&swapped), swapped.is_over()), (None, false));
        assert_eq!(swapped.age(at(1_100)), Duration::from_secs(1));
    }

    #[test]
    fn what_was_there_before_is_no_agreement_and_neither_is_nothing() {
        let blind = sharp();
        assert_eq!(took(&after(&[(0, 110, 3), (1, 110, 3)], &blind)), None);
        let mut gone = Conflict::new(2, [Some(7), Some(8)], at(100));
        (0..2).for_each(|group| gone.read(group, None, (at(110), at(111)), &blind));
        assert_eq!(took(&gone), None);
    }

    #[test]
    fn a_deletion_is_over_when_the_key_is_gone_or_there_in_all_groups() {
        let blind = sharp();
        let mut deleted = Conflict::new(2, [Some(7), None], at(100));
        deleted.read(0, Some(7), (at(110), at(111)), &blind);
        deleted.read(1, None, (at(110), at(111)), &blind);
        assert_eq!(took(&deleted), None, "neither has heard of the other");
        deleted.read(0, None, (at(140), at(141)), &blind);
        assert_eq!((took(&deleted), deleted.is_over()), (Some(41), false));
        (0..2).for_each(|group| deleted.read(group, None, (at(700), at(701)), &blind));
        assert_eq!((took(&deleted), deleted.is_over()), (Some(41), true));
        deleted.read(1, Some(7), (at(710), at(711)), &blind);
        assert_eq!(took(&deleted), None, "it is back");
    }

    #[test]
    fn blind_time_since_the_last_answer_does_not_count() {
        let mut blind = sharp();
        blind.woke(at(105), at(107));
        blind.woke(at(120), at(150));
        let reads = [(0, 110, 8), (1, 110, 7), (1, 150, 8)];
        assert_eq!(took(&after(&reads, &blind)), Some(21), "of 51, nobody looked for 30");
    }
}
