//! What each failure of a shard cost: for how much of the time before it, and after it, writes
//! that had been acknowledged are gone.
//!
//! A failure is a failover, or the end of a primary that came back without its data. A lost write
//! belongs to a failure of the shard that owned the key's slot then. If it was acknowledged on a
//! side that had lost, that is the last failure before it. If its primary was the rightful one, it
//! is the next failure, or one after that: a primary may lose what is old. A server that still has a
//! later write also has all earlier ones. So if a write that was acknowledged between two failures
//! survived the second, the first one lost the older write.

use crate::model::Nanos;
use crate::model::op::key_name;
use crate::model::owners::Owners;
use crate::model::slot::slot_of;

/// A failover of a shard, or the end of its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub group: String,
    pub shard: u32,
    pub at: Nanos,
}

/// The failures of a drill, and what is needed to tell whose key is whose.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    /// In their order.
    pub all: Vec<Failure>,
    /// By load: its name, its group, and who owned the group's slots.
    pub loads: Vec<(String, String, Owners)>,
}

/// The lost writes of one failure.
#[derive(Clone, Debug, Default)]
struct Losses {
    count: u64,
    /// When the oldest that was acknowledged before the failure was.
    before: Option<Nanos>,
    /// Of those acknowledged after it: when the first was sent, and the last acknowledged.
    after: Option<(Nanos, Nanos)>,
    /// Some were acknowledged by the rightful primary before the failure, and a later one may
    /// have lost them as well.
    rightful: bool,
    /// Something that was acknowledged between this failure and the next one survived.
    survived: bool,
    /// There is a later failure of the shard.
    followed: bool,
}

/// What the failures of a drill cost, in the order of [`Failures::all`].
#[derive(Clone, Debug, Default)]
pub struct RecoveryPoints {
    failures: Vec<(Nanos, Losses)>,
    /// Lost writes that no failure explains.
    unexplained: u64,
    /// Some keys could not be read.
    unread: bool,
}

impl Failures {
    /// The failures that the key may have met, by their numbers. If the group is no cluster, all
    /// its keys are in shard 0.
    fn of(&self, (load, key): (u8, u64)) -> Vec<usize> {
        let Some((name, group, owners)) = self.loads.get(usize::from(load)) else {
            return Vec::new();
        };
        let slot = slot_of(key_name(name, key).as_bytes());
        let met = |one: &Failure| {
            one.group == *group && owners.at(slot, one.at).unwrap_or_default() == one.shard
        };
        (0..self.all.len()).filter(|i| met(&self.all[*i])).collect()
    }
}

impl Losses {
    fn add(&mut self, other: Losses) {
        let Losses { count, before, after, rightful, survived, followed } = other;
        self.count += count;
        self.before = self.before.into_iter().chain(before).min();
        let both = |(a, b): (Nanos, Nanos), (c, d): (Nanos, Nanos)| (a.min(c), b.max(d));
        self.after = self.after.into_iter().chain(after).reduce(both);
        self.rightful |= rightful;
        self.survived |= survived;
        self.followed |= followed;
    }
}

impl RecoveryPoints {
    pub(super) fn new(failures: &Failures) -> RecoveryPoints {
        let losses = |(i, one): (usize, &Failure)| {
            let later = &failures.all[i + 1..];
            let same = |other: &Failure| (&other.group, other.shard) == (&one.group, one.shard);
            (one.at, Losses { followed: later.iter().any(same), ..Losses::default() })
        };
        let failures = failures.all.iter().enumerate().map(losses).collect();
        RecoveryPoints { failures, ..RecoveryPoints::default() }
    }

    /// A write to `key` that was acknowledged at `done` is there.
    pub(super) fn survived(&mut self, failures: &Failures, key: (u8, u64), done: Nanos) {
        // Only what was followed by another failure says anything.
        if !self.failures.iter().any(|(_, losses)| losses.followed && !losses.survived) {
            return;
        }
        let before = failures.of(key).into_iter().rfind(|i| failures.all[*i].at < done);
        if let Some(last) = before {
            self.failures[last].1.survived = true;
        }
    }

    /// What was `sent` and acknowledged (`done`) is lost. `wrong_side` is unknown if nobody knows who
    /// acknowledged it.
    pub(super) fn lost(
        &mut self,
        failures: &Failures,
        key: (u8, u64),
        ((sent, done), wrong_side): ((Nanos, Nanos), Option<bool>),
    ) {
        let met = failures.of(key);
        let before = met.iter().rfind(|i| failures.all[**i].at <= done);
        let next = met.iter().find(|i| failures.all[**i].at > done);
        let blamed = match (wrong_side, before, next) {
            (Some(true), before, next) => before.or(next),
            (Some(false), before, next) => next.or(before),
            (None, Some(_), Some(_)) => None,
            (None, before, next) => before.or(next),
        };
        let Some((at, losses)) = blamed.and_then(|i| self.failures.get_mut(*i)) else {
            self.unexplained += 1;
            return;
        };
        losses.count += 1;
        losses.rightful |= wrong_side != Some(true);
        if done < *at {
            losses.before = Some(losses.before.map_or(done, |old| old.min(done)));
        } else {
            let (first, last) = losses.after.unwrap_or((sent, done));
            losses.after = Some((first.min(sent), last.max(done)));
        }
    }

    /// What two checkers found of the same failures.
    pub(super) fn and(mut self, other: RecoveryPoints) -> RecoveryPoints {
        for ((_, own), (_, others)) in self.failures.iter_mut().zip(other.failures) {
            own.add(others);
        }
        self.unexplained += other.unexplained;
        self.unread |= other.unread;
        self
    }

    pub(super) fn unread(&mut self) {
        self.unread = true;
    }

    /// The number of lost writes of each failure, and for how many milliseconds' worth they are;
    /// `None` if that is not known.
    pub fn each(&self) -> impl Iterator<Item = (u64, Option<f64>)> {
        self.failures.iter().map(|(at, losses)| {
            let (before, after) = (losses.before.map_or(0.0, |old| ms(old, *at)), losses.after);
            let took = before + after.map_or(0.0, |(first, last)| ms(first, last));
            let certain = !losses.rightful || !losses.followed || losses.survived;
            (losses.count, Some(took).filter(|_| certain && !self.unread))
        })
    }

    /// The longest of all failures; `None` if one of them is not known, or if there are losses
    /// that none explains.
    pub fn longest(&self) -> Option<f64> {
        let all: Option<Vec<f64>> = self.each().map(|(_, took)| took).collect();
        let known = self.unexplained == 0 && !self.unread;
        all.filter(|_| known).map(|all| all.into_iter().fold(0.0, f64::max))
    }
}

fn ms(from: Nanos, to: Nanos) -> f64 {
    to.since(from).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    const S: u64 = 1_000_000_000;

    /// Shard 0 of the group `c`, which is no cluster, fails at these seconds.
    fn failures(seconds: &[u64]) -> Failures {
        let failure = |s: &u64| Failure { group: "c".to_owned(), shard: 0, at: Nanos(s * S) };
        let load = ("app".to_owned(), "c".to_owned(), Owners::default());
        Failures { all: seconds.iter().map(failure).collect(), loads: vec![load] }
    }

    /// When it was sent, and when it was done.
    fn write(done_ms: u64) -> (Nanos, Nanos) {
        (Nanos((done_ms - 1) * 1_000_000), Nanos(done_ms * 1_000_000))
    }

    type Lost = (u64, Option<bool>);

    fn points(failed: &[u64], survived: &[u64], lost: &[Lost]) -> RecoveryPoints {
        let failures = failures(failed);
        let mut points = RecoveryPoints::new(&failures);
        for ms in survived {
            points.survived(&failures, (0, *ms), write(*ms).1);
        }
        for (ms, wrong_side) in lost {
            points.lost(&failures, (0, *ms), (write(*ms), *wrong_side));
        }
        points
    }

    const RIGHTFUL: Option<bool> = Some(false);
    const WRONG: Option<bool> = Some(true);

    #[test]
    fn each_failure_has_the_time_of_its_own_losses() {
        let lost = [(4_990, RIGHTFUL), (4_995, RIGHTFUL), (19_700, RIGHTFUL), (19_900, RIGHTFUL)];
        let both = points(&[5, 20], &[10_000], &lost);
        assert_eq!(both.each().collect::<Vec<_>>(), [(2, Some(10.0)), (2, Some(300.0))]);
        assert_eq!(both.longest(), Some(300.0), "neither the oldest loss nor the next fault alone");
        assert_eq!(points(&[5], &[], &[]).longest(), Some(0.0));
    }

    #[test]
    fn what_a_side_that_lost_acknowledged_counts_from_first_to_last() {
        let far = [(4_960, RIGHTFUL), (5_001, WRONG), (12_000, WRONG), (20_000, WRONG)];
        assert_eq!(points(&[5], &[], &far).longest(), Some(40.0 + 15_000.0));
        let alone = points(&[5], &[], &[(5_000, RIGHTFUL)]);
        assert_eq!(alone.longest(), Some(1.0), "just as the fault was done: not nothing");
        let before_the_next = points(&[5, 30], &[], &[(12_000, WRONG)]);
        assert_eq!(before_the_next.longest(), Some(1.0), "the next failure has no part in it");
    }

    #[test]
    fn what_is_not_known_is_not_nothing() {
        assert_eq!(points(&[], &[], &[(5_000, RIGHTFUL)]).longest(), None, "no failure at all");
        let lost = [(4_990, RIGHTFUL)];
        assert_eq!(points(&[5, 20], &[], &lost).longest(), None, "the second may have lost it");
        assert_eq!(points(&[5, 20], &[10_000], &lost).longest(), Some(10.0), "it has not");
        assert_eq!(points(&[5, 20], &[21_000], &lost).longest(), None, "that proves nothing");
        assert_eq!(points(&[5, 20], &[], &[(6_000, None)]).longest(), None, "by whom?");
        assert_eq!(points(&[5], &[], &[(6_000, None)]).longest(), Some(1.0));
        let mut unread = points(&[5], &[], &lost);
        unread.unread();
        assert_eq!(unread.longest(), None);
        let elsewhere = failures(&[5]);
        let mut points = RecoveryPoints::new(&elsewhere);
        points.lost(&elsewhere, (1, 0), (write(4_990), RIGHTFUL));
        assert_eq!(points.longest(), None, "a load of another group");
    }

    #[test]
    fn a_failure_of_another_shard_has_no_part_in_it() {
        let slot = slot_of(key_name("app", 7).as_bytes());
        let shard = |shard, slots: String| crate::model::event::ShardView {
            shard,
            slots: slots.parse().unwrap(),
            primary: None,
            replicas: Vec::new(),
        };
        let mut failures = failures(&[5, 20]);
        failures.all[0].shard = 1;
        let own = |owner| [shard(owner, slot.to_string())];
        failures.loads[0].2.hear(Nanos(0), &own(0));
        let told = |failures: &Failures| {
            let mut points = RecoveryPoints::new(failures);
            points.lost(failures, (0, 7), (write(4_000), RIGHTFUL));
            points.each().map(|(count, _)| count).collect::<Vec<_>>()
        };
        assert_eq!(told(&failures), [0, 1]);
        failures.loads[0].2.hear(Nanos(4_500_000_000), &own(1));
        assert_eq!(told(&failures), [1, 0], "it had moved");
    }
}
