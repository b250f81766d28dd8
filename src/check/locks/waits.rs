//! How long clients waited for locks, and what that took.

use super::figures::LockFigures;
use super::session::{Held, Lock};
use crate::check::checker::Checked;
use crate::check::quantile::quantile;
use crate::model::Nanos;

/// Of all locks.
#[derive(Default)]
pub(super) struct Waits {
    /// From the wish to having it, in nanoseconds.
    acquire: Vec<u64>,
    hold: Vec<u64>,
    release: Vec<u64>,
    tries: u64,
    commands: u64,
    /// Wishes that ended without the lock; and those of them to which it was said until the end that
    /// somebody else has it.
    in_vain: u64,
    timed_out: u64,
    overtaken: u64,
    /// Nobody counts the commands of some.
    is_uncounted: bool,
    first: Option<Nanos>,
    last: Nanos,
}

impl Waits {
    pub(super) fn acquired(&self) -> u64 {
        self.acquire.len() as u64
    }

    pub(super) fn add(&mut self, lock: &Lock, held: &[Held], by_library: bool) {
        self.is_uncounted |= by_library;
        for wish in lock.wishes() {
            self.tries += wish.tries;
            self.commands += wish.commands;
            self.in_vain += u64::from(!wish.has_it());
            self.timed_out += u64::from(wish.is_timed_out());
        }
        for one in held {
            self.acquire.push(nanos(one.wished, one.got));
            self.hold.push(nanos(one.got, one.given_back));
            self.release.extend(one.released.map(|done| nanos(one.given_back, done)));
            self.first = Some(self.first.map_or(one.got, |first| first.min(one.got)));
            self.last = self.last.max(one.got);
        }
        self.overtaken = self.overtaken.max(most_overtaken(held, lock.in_vain()));
    }

    pub(super) fn figures(&mut self) -> LockFigures {
        self.acquire.sort_unstable();
        let of = |share| quantile(&self.acquire, share).map(|nanos| nanos as f64 / 1e6);
        let acquired = self.acquired();
        LockFigures {
            acquired,
            in_vain: self.in_vain,
            per_second: self.rate(),
            acquire_p50_ms: of(0.5),
            acquire_p99_ms: of(0.99),
            commands: (acquired > 0 && !self.is_uncounted)
                .then(|| self.commands as f64 / acquired as f64),
            ..LockFigures::default()
        }
    }

    /// Acquisitions a second.
    fn rate(&self) -> Option<f64> {
        let seconds = self.first.map_or(0.0, |first| self.last.since(first).as_secs_f64());
        (seconds > 0.0).then(|| (self.acquired() as f64 - 1.0) / seconds)
    }

    pub(super) fn join(&mut self, other: Waits) {
        self.acquire.extend(other.acquire);
        self.hold.extend(other.hold);
        self.release.extend(other.release);
        self.tries += other.tries;
        self.commands += other.commands;
        self.in_vain += other.in_vain;
        self.timed_out += other.timed_out;
        self.overtaken = self.overtaken.max(other.overtaken);
        self.is_uncounted |= other.is_uncounted;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
    }

    pub(super) fn told(&mut self, told: &mut Checked) {
        let acquired = self.acquire.len() as f64;
        told.measure("lock.rate", self.rate());
        told.measure("lock.acquired", Some(acquired));
        told.measure("lock.in_vain", Some(self.in_vain as f64));
        told.measure("lock.timed_out", Some(self.timed_out as f64));
        for all in [&mut self.acquire, &mut self.hold, &mut self.release] {
            // What loads have sorted already is merged.
            all.sort();
        }
        for (name, share, all) in [
            ("lock.acquire.p50", 0.5, &self.acquire),
            ("lock.acquire.p99", 0.99, &self.acquire),
            ("lock.acquire.max", 1.0, &self.acquire),
            ("lock.hold.p99", 0.99, &self.hold),
            ("lock.release.p99", 0.99, &self.release),
        ] {
            told.measure(name, quantile(all, share).map(|nanos| nanos as f64 / 1e6));
        }
        let known = |value: f64| (acquired > 0.0).then_some(value);
        told.measure("lock.tries", known(self.tries as f64 / acquired));
        let commands = known(self.commands as f64 / acquired);
        told.measure("lock.commands", commands.filter(|_| !self.is_uncounted));
        told.measure("lock.fairness", jain(&self.acquire).map(|index| index * 100.0));
        told.measure("lock.overtaken.max", known(self.overtaken as f64));
    }
}

fn nanos(from: Nanos, to: Nanos) -> u64 {
    to.since(from).as_nanos() as u64
}

/// Jain's index of fairness: 1 if all waited alike, 1/n if one of n did all the waiting.
/// R. Jain, D. Chiu, W. Hawe, "A quantitative measure of fairness and discrimination", 1984.
fn jain(all: &[u64]) -> Option<f64> {
    let (sum, squares) = all.iter().fold((0.0, 0.0), |(sum, squares), wait| {
        let wait = *wait as f64;
        (sum + wait, squares + wait * wait)
    });
    (squares > 0.0).then(|| sum * sum / (all.len() as f64 * squares))
}

/// The most clients that wished for the lock after another one, and got it before that one did, or
/// while that one wished `in_vain`: from when until when. `held` is in the order of getting it.
pub(super) fn most_overtaken(held: &[Held], in_vain: impl Iterator<Item = (Nanos, Nanos)>) -> u64 {
    let mut wished: Vec<Nanos> = held.iter().map(|one| one.wished).collect();
    wished.sort_unstable();
    // Who got it at the end of a wait came before whoever ends one then.
    let mut ends: Vec<(Nanos, Nanos, bool)> = in_vain
        .map(|(wished, ended)| (ended, wished, false))
        .chain(held.iter().map(|one| (one.got, one.wished, true)))
        .collect();
    ends.sort_by_key(|(ended, ..)| *ended);
    // A Fenwick tree counts those that got it so far, by when they wished.
    let (mut counts, mut before) = (vec![0_u64; held.len() + 1], 0);
    let mut most = 0;
    for (_, since, got_it) in ends {
        let rank = wished.partition_point(|wished| *wished <= since);
        let (mut earlier, mut at) = (0, rank);
        while at > 0 {
            earlier += counts[at];
            at -= at & at.wrapping_neg();
        }
        most = most.max(before - earlier);
        at = rank;
        while got_it && at < counts.len() {
            counts[at] += 1;
            at += at & at.wrapping_neg();
        }
        before += u64::from(got_it);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fairness_is_one_where_all_wait_alike() {
        assert_eq!(jain(&[5, 5, 5, 5]), Some(1.0));
        assert_eq!(jain(&[8, 0, 0, 0]), Some(0.25));
        assert_eq!(jain(&[0, 0]), None, "nobody waited");
    }
}
