//! How long a load takes to come back after a step: from the step's start until its sessions
//! are answered again.
//!
//! A session belongs to the instant at which it was due. A window of a second is bad if fewer
//! than 95 % of the sessions due in it were served. One that found its lock taken until it gave up
//! does not count, unless no session of the window was served: others have the lock then, or
//! nobody. A load has come back with the end of the last
//! bad window. One that is bad until the load's end has not come back.

use std::ops::Range;
use std::time::Duration;

use crate::model::op::{Cause, Outcome};
use crate::model::{Nanos, SessionEnd};

use super::spans::Span;

/// A bucket, and the distance from one window to the next: the error of an instant.
const BUCKET: Duration = Duration::from_millis(100);
/// Buckets of a window, and the sessions that it should have. A slow load has longer windows.
const WINDOW: usize = 10;
const SESSIONS: u64 = 20;
/// The share of sessions that must end ok.
const GOOD: f64 = 0.95;
/// A load that was good again for so many sessions has come back, also where the line ends before a
/// whole window is over. Of its reads, and of its writes, their share of these will do, but no fewer
/// than [`FEW`].
const ENOUGH: u32 = 10;
const FEW: u32 = 3;

/// The sessions of one load by the instants at which they were due.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    due: u32,
    good: u32,
    /// Found their lock taken until they gave up. They are not among those due.
    taken: u32,
}

/// After its slowest step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Recovered {
    After(Duration),
    /// It had not come back when the load ended, so long after the step.
    Never(Duration),
    /// Operations of the load's last seconds are missing.
    Unknown,
}

impl Recovered {
    pub fn slower(self, other: Recovered) -> Recovered {
        use Recovered::{After, Never, Unknown};
        match (self, other) {
            (After(one), After(other)) => After(one.max(other)),
            (Never(one), Never(other)) => Never(one.max(other)),
            (Never(took), _) | (_, Never(took)) => Never(took),
            (Unknown, After(_) | Unknown) | (After(_), Unknown) => Unknown,
        }
    }

    pub fn after_ms(&self) -> Option<f64> {
        if let Recovered::After(took) = self { Some(took.as_secs_f64() * 1e3) } else { None }
    }

    pub fn down_for_ms(&self) -> Option<f64> {
        if let Recovered::Never(by_then) = self { Some(by_then.as_secs_f64() * 1e3) } else { None }
    }
}

impl Recovery {
    /// The end of a session that was due at `began`. What was due outside the time line does not
    /// count, and neither does what still waited when the load ended.
    pub fn add(&mut self, began: Nanos, end: SessionEnd, line: Span) {
        if !line.contains(began) || end.outcome == Outcome::Unknown(Cause::CutOff) {
            return;
        }
        let index = (began.since(line.from).as_nanos() / BUCKET.as_nanos()) as usize;
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, Bucket::default());
        }
        let bucket = &mut self.buckets[index];
        let taken = end.outcome == Outcome::Ok && !end.served;
        bucket.due += u32::from(!taken);
        bucket.taken += u32::from(taken);
        bucket.good += u32::from(end.outcome == Outcome::Ok && end.served);
    }

    /// `others` are the load's other sessions. `steps` are their starts, in order. The load began
    /// nothing more from `drain` on. `None` without steps or sessions.
    pub fn recovered(
        &self,
        others: &Recovery,
        (line, drain): (Span, Nanos),
        steps: &[Nanos],
    ) -> Option<Recovered> {
        if self.buckets.is_empty() || steps.is_empty() {
            return None;
        }
        let all = (drain.since(line.from).as_nanos() / BUCKET.as_nanos()) as usize;
        if self.buckets.len() + self.window() + WINDOW < all {
            return Some(Recovered::Unknown);
        }
        let at = |bucket: usize| line.from.0 + bucket as u64 * BUCKET.as_nanos() as u64;
        let mut slowest = Duration::ZERO;
        for bad in self.bad(others) {
            let ends = at(bad.to).min(line.to.0);
            // The last step that had begun by then is to blame.
            let begun = steps.iter().rfind(|step| step.0 < at(bad.from + 1));
            let Some(step) = begun.or(steps.first()).filter(|step| step.0 < ends) else { continue };
            if bad.to == self.buckets.len() {
                return Some(Recovered::Never(line.to.since(*step)));
            }
            slowest = slowest.max(Nanos(ends).since(*step));
        }
        Some(Recovered::After(slowest))
    }

    /// How many buckets a window has.
    fn window(&self) -> usize {
        let all = |bucket: &Bucket| u64::from(bucket.due + bucket.taken);
        let sessions: u64 = self.buckets.iter().map(all).sum();
        // So that so many are in it wherever it begins.
        let enough = (SESSIONS + 1) * self.buckets.len() as u64;
        let enough = enough.div_ceil(sessions.max(1)) as usize;
        WINDOW.max(enough).min(self.buckets.len())
    }

    /// Stretches of bad windows, in order. One that begins in the last second is left out: it may
    /// be over at once.
    fn bad(&self, others: &Recovery) -> Vec<Stretch> {
        let window = self.window();
        let windows = self.buckets.len() - window + 1;
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (first, _) in self.buckets.windows(window).enumerate().filter(|(_, w)| is_bad(w)) {
            match runs.last_mut().filter(|(_, last)| last + 1 == first) {
                Some((_, last)) => *last = first,
                None => runs.push((first, first)),
            }
        }
        let stretch = |(first, last): (usize, usize)| {
            let from = self.begin(first..first + window);
            // A bad window is the last one for what its first bucket had, if the line goes on.
            let is_last = last + 1 == windows;
            let over = if is_last { self.over_at_the_end() } else { self.over(last) };
            let good: u32 = (over..self.buckets.len()).map(|at| self.good(at)).sum();
            if is_last && good < self.enough(others) {
                let (to, is_new) = (self.buckets.len(), from + WINDOW > self.buckets.len());
                return (!is_new).then_some(Stretch { from, to });
            }
            let again = (over..self.buckets.len()).find(|at| self.good(*at) + others.good(*at) > 0);
            Some(Stretch { from, to: again.unwrap_or(self.buckets.len()) })
        };
        runs.into_iter().filter_map(stretch).collect()
    }

    fn good(&self, bucket: usize) -> u32 {
        self.buckets.get(bucket).map_or(0, |bucket| bucket.good)
    }

    /// Sessions that found their lock taken count if nobody acquired one in the window around them.
    fn is_bad(&self, bucket: usize) -> bool {
        let Bucket { due, good, taken } = self.buckets[bucket];
        let nobody_acquired = || {
            let half = self.window() / 2;
            let around = bucket.saturating_sub(half)..(bucket + half).min(self.buckets.len());
            self.buckets[around].iter().all(|bucket| bucket.good == 0)
        };
        f64::from(good) < GOOD * f64::from(due) || taken > 0 && nobody_acquired()
    }

    /// The first bad bucket of what the first bad window is bad for: between its bad buckets are few
    /// good sessions.
    fn begin(&self, window: Range<usize>) -> usize {
        let (mut begin, mut good) = (None, 0);
        for bucket in window.clone().rev() {
            match (self.is_bad(bucket), begin) {
                (true, _) => (begin, good) = (Some(bucket), 0),
                (false, Some(_)) if good + self.good(bucket) >= ENOUGH => break,
                (false, _) => good += self.good(bucket),
            }
        }
        begin.unwrap_or(window.start)
    }

    /// The end of the last bad bucket of a stretch whose last window begins with `last`.
    fn over(&self, last: usize) -> usize {
        let (mut over, mut good) = (last + 1, 0);
        for bucket in last + 1..self.buckets.len() {
            match self.is_bad(bucket) {
                true => (over, good) = (bucket + 1, 0),
                false => good += self.good(bucket),
            }
            if good >= ENOUGH {
                break;
            }
        }
        over
    }

    /// The end of the last bad bucket of all.
    fn over_at_the_end(&self) -> usize {
        (0..self.buckets.len()).rfind(|bucket| self.is_bad(*bucket)).map_or(0, |last| last + 1)
    }

    /// How many sessions show that these are served again.
    fn enough(&self, others: &Recovery) -> u32 {
        let due = |all: &Recovery| all.buckets.iter().map(|one| f64::from(one.due)).sum::<f64>();
        let share = due(self) / (due(self) + due(others));
        ((f64::from(ENOUGH) * share).ceil() as u32).max(FEW)
    }
}

fn is_bad(buckets: &[Bucket]) -> bool {
    let sum = |of: fn(&Bucket) -> u32| buckets.iter().map(of).sum::<u32>();
    let [due, good] = [sum(|bucket| bucket.due), sum(|bucket| bucket.good)];
    let taken = if good == 0 { sum(|bucket| bucket.taken) } else { 0 };
    f64::from(good) < GOOD * f64::from(due + taken)
}

/// From its first bad bucket to before the first in which sessions were answered again.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: usize,
    to: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const STEP: Nanos = Nanos(15_000 * MS);

    fn session(outcome: Outcome) -> SessionEnd {
        SessionEnd { served: outcome == Outcome::Ok, outcome }
    }

    /// 1,000 sessions a second on a line from 10 s to 30 s; those due at an instant that is
    /// `bad` are not answered.
    fn recovered(steps: &[Nanos], bad: impl Fn(u64) -> bool) -> Option<Recovered> {
        let line = Span { from: Nanos(10_000 * MS), to: Nanos(30_000 * MS) };
        let mut recovery = Recovery::default();
        for ms in 9_000..31_000 {
            let at = Nanos(ms * MS);
            let outcome = if bad(ms) { Outcome::Unknown(Cause::Timeout) } else { Outcome::Ok };
            recovery.add(at, session(outcome), line);
        }
        recovery.recovered(&Recovery::default(), (line, line.to), steps)
    }

    fn after(ms: u64) -> Option<Recovered> {
        Some(Recovered::After(Duration::from_millis(ms)))
    }

    #[test]
    fn it_lasts_from_the_step_until_sessions_are_answered_again() {
        assert_eq!(recovered(&[STEP], |_| false), after(0));
        assert_eq!(recovered(&[STEP], |ms| (15_300..18_900).contains(&ms)), after(3_900));
        // One shard of three.
        assert_eq!(
            recovered(&[STEP], |ms| ms % 3 == 0 && (15_300..18_900).contains(&ms)),
            after(3_900)
        );
        assert_eq!(recovered(&[], |ms| ms > 15_300), None, "nothing was done to it");
        assert_eq!(
            recovered(&[STEP], |ms| ms % 25 == 0),
            after(0),
            "4 % are not answered all along"
        );
    }

    #[test]
    fn what_is_bad_until_the_end_has_not_come_back() {
        let never = Some(Recovered::Never(Duration::from_secs(15)));
        assert_eq!(recovered(&[STEP], |ms| ms > 15_300), never);
        assert_eq!(recovered(&[STEP], |ms| ms % 10 == 0 && ms > 15_300), never, "a tenth is dead");
        // It was back for a while.
        let twice = |ms| (15_300..18_000).contains(&ms) || ms > 25_000;
        assert_eq!(recovered(&[STEP], twice), never);
        assert_eq!(recovered(&[STEP], |ms| ms > 29_500), after(0), "this may be over at once");
    }

    #[test]
    fn a_load_that_is_good_again_at_the_end_has_come_back() {
        assert_eq!(recovered(&[STEP], |ms| (15_300..29_200).contains(&ms)), after(14_200));
        assert_eq!(
            recovered(&[STEP], |ms| (15_300..29_995).contains(&ms)),
            Some(Recovered::Never(Duration::from_secs(15)))
        );
    }

    #[test]
    fn a_slow_load_that_is_dead_for_its_last_seconds_has_not_come_back() {
        let line = Span { from: Nanos(0), to: Nanos(30_000 * MS) };
        let slow = |dead_from: u64| {
            let mut recovery = Recovery::default();
            for n in 0..120 {
                let at = Nanos(n * 250 * MS);
                let dead = n * 250 >= dead_from;
                let outcome = if dead { Outcome::Unknown(Cause::Timeout) } else { Outcome::Ok };
                recovery.add(at, session(outcome), line);
            }
            recovery.recovered(&Recovery::default(), (line, line.to), &[Nanos(25_000 * MS)])
        };
        assert_eq!(slow(25_400), Some(Recovered::Never(Duration::from_secs(5))));
        assert_eq!(slow(29_300), after(0), "this may be over at once");
    }

    /// One session a second, dead from 12 to 15 s. Its operations wait for a second.
    #[test]
    fn a_slow_load_is_back_with_its_next_good_session() {
        let recovered = |writes: &dyn Fn(u64) -> bool, until: u64, back: u64| {
            let line = Span { from: Nanos(70 * MS), to: Nanos(until * 1_000 * MS) };
            let mut kinds = [Recovery::default(), Recovery::default()];
            for s in 0..until {
                let at = Nanos((s * 1_000 + 70) * MS);
                let dead = (12..back).contains(&s);
                let outcome = if dead { Outcome::Unknown(Cause::Timeout) } else { Outcome::Ok };
                kinds[usize::from(writes(s))].add(at, session(outcome), line);
            }
            let acts = [Nanos(12_071 * MS), Nanos(15_072 * MS)];
            let [reads, writes] = &kinds;
            let both = [(reads, writes), (writes, reads)];
            let both = both.map(|(one, other)| one.recovered(other, (line, line.to), &acts));
            both.into_iter().flatten().reduce(Recovered::slower)
        };
        assert_eq!(recovered(&|_| true, 45, 15), after(2_999), "the undoing is not its cause");
        // Reads and writes at random, of which the writes of these seconds are dead.
        let writes =
            |s: u64| [0, 1, 2, 3, 4, 5, 9, 11, 12, 13, 14, 19, 20, 25, 29, 30, 31, 35].contains(&s);
        assert_eq!(recovered(&writes, 36, 15), after(2_999), "7 writes of 21 were good again");
        assert_eq!(
            recovered(&writes, 22, 15),
            Some(Recovered::Never(Duration::from_millis(9_929)))
        );
        assert_eq!(
            recovered(&|_| true, 30, 21),
            Some(Recovered::Never(Duration::from_millis(17_929)))
        );
    }

    #[test]
    fn each_stretch_belongs_to_the_last_step_before_it() {
        let steps = [STEP, Nanos(22_000 * MS)];
        let both = |ms| (15_100..17_000).contains(&ms) || (22_100..23_000).contains(&ms);
        assert_eq!(recovered(&steps, both), after(2_000));
        assert_eq!(recovered(&steps, |ms| (15_100..24_000).contains(&ms)), after(9_000));
        assert_eq!(recovered(&steps, |ms| (11_000..12_000).contains(&ms)), after(0), "before them");
    }

    #[test]
    fn of_operations_that_are_missing_at_the_end_nothing_is_known() {
        let line = Span { from: Nanos(0), to: Nanos(13_000 * MS) };
        let until = |end: u64| {
            let mut recovery = Recovery::default();
            for ms in 0..end {
                let at = Nanos(ms * MS);
                recovery.add(at, session(Outcome::Ok), line);
            }
            recovery.recovered(&Recovery::default(), (line, line.to), &[Nanos(2_000 * MS)])
        };
        assert_eq!(until(4_000), Some(Recovered::Unknown));
        assert_eq!(until(12_000), after(0), "nothing is due any more");
    }

    #[test]
    fn the_slower_of_two_counts_and_nothing_known_is_no_success() {
        use Recovered::{After, Never, Unknown};
        let [short, long] = [1, 2].map(Duration::from_secs);
        assert_eq!(After(short).slower(After(long)), After(long));
        assert_eq!(After(long).slower(Never(short)), Never(short));
        assert_eq!(Unknown.slower(Never(short)), Never(short));
        assert_eq!(After(long).slower(Unknown), Unknown);
    }

    /// Every second session finds its lock taken until it gives up, as before the step.
    #[test]
    fn a_lock_that_somebody_else_has_is_no_failure_unless_nobody_gets_one() {
        let line = Span { from: Nanos(0), to: Nanos(20_000 * MS) };
        let recovered = |nobody: std::ops::Range<u64>| {
            let mut recovery = Recovery::default();
            for n in 0..1_000 {
                let at = Nanos(n * 20 * MS);
                let served = n % 2 == 0 && !nobody.contains(&(n * 20));
                recovery.add(at, SessionEnd { served, outcome: Outcome::Ok }, line);
            }
            recovery.recovered(&Recovery::default(), (line, line.to), &[Nanos(5_000 * MS)])
        };
        assert_eq!(recovered(0..0), after(0));
        assert_eq!(recovered(6_000..9_000), after(4_000));
        let never = Some(Recovered::Never(Duration::from_secs(15)));
        assert_eq!(recovered(6_000..20_000), never);
    }

    #[test]
    fn a_slow_load_has_longer_windows() {
        let line = Span { from: Nanos(0), to: Nanos(60_000 * MS) };
        let mut recovery = Recovery::default();
        for s in 0..60 {
            let at = Nanos(s * 1_000 * MS);
            let outcome = if s == 30 { Outcome::Unknown(Cause::Timeout) } else { Outcome::Ok };
            recovery.add(at, session(outcome), line);
        }
        assert_eq!(
            recovery.recovered(&Recovery::default(), (line, line.to), &[Nanos(29_500 * MS)]),
            after(0),
            "one of twenty"
        );
    }
}
