//! When operations are intended; and their counts, one [`Sample`] for every window of 100 ms, and
//! totals.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::event::{EventKind, Sample, Teller};
use crate::model::op::{Cause, Op, Outcome, Redirects};
use crate::model::{LockRules, Nanos, Rate, SessionEnds};

/// The length of a window.
const WINDOW: Duration = Duration::from_millis(100);

/// Operation `n` is intended as long after the start as its rate says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    start: Nanos,
    rate: Rate,
}

impl Schedule {
    pub(crate) fn new(start: Nanos, rate: Rate) -> Schedule {
        Schedule { start, rate }
    }

    /// The instant of operation `n`. It depends only on `n`, so no rounding adds up from one
    /// operation to the next.
    pub(crate) fn intended(&self, n: u64) -> Nanos {
        Nanos(self.start.0.saturating_add(self.rate.due(n)))
    }

    /// How many operations are intended before `at`.
    pub(crate) fn before(&self, at: Nanos) -> u64 {
        if at <= self.start {
            return 0;
        }
        // The estimate is off by one at most, where the division rounds.
        let mut n = self.rate.asked(at.since(self.start)) as u64;
        while self.intended(n) < at {
            n += 1;
        }
        while n > 0 && self.intended(n - 1) >= at {
            n -= 1;
        }
        n
    }
}

/// What a load did from its start to its stop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Operations that the schedule asked for; sessions that began, if there is none.
    pub intended: u64,
    pub ok: u64,
    pub fail: u64,
    pub unknown: u64,
    /// Why operations did not end ok.
    pub causes: BTreeMap<Cause, u64>,
    /// MOVED, ASK and TRYAGAIN answers met.
    pub moved: u64,
    pub ask: u64,
    pub try_again: u64,
    /// Connections made again after they had been lost.
    pub reconnects: u64,
    /// Logical clients that took part. They are more than asked for if all were busy, or if
    /// some were retired.
    pub processes: u32,
    /// How long after its intended instant an operation was sent, in nanoseconds: redrill's own
    /// lateness, at the 99th percentile and at its worst.
    pub late_p99_ns: u64,
    pub late_max_ns: u64,
}

impl Totals {
    /// Operations that ended, with any outcome.
    pub fn ended(&self) -> u64 {
        self.ok + self.fail + self.unknown
    }
}

/// Receives every operation as it ends, in the order of the ends.
#[derive(Debug)]
pub(crate) struct Tally {
    /// None if clients begin their sessions when they have their answers.
    schedule: Option<Schedule>,
    /// Sessions that began in the window.
    begun: u64,
    /// Operations are intended only before this.
    until: Nanos,
    teller: Teller,
    window: Sample,
    /// The latencies of operations that ended ok in the window. All are kept, so that
    /// percentiles are exact; rate and in-flight limit bound their number.
    latencies: Vec<u64>,
    late: Histogram<u64>,
    ends: SessionEnds,
    totals: Totals,
}

impl Tally {
    /// `locks` are the rules of the locks that the load takes.
    pub(crate) fn new(
        load: u8,
        from: Nanos,
        schedule: Option<Schedule>,
        locks: Option<LockRules>,
        teller: Teller,
    ) -> Tally {
        // From 64 ns to a minute, with three digits. Longer ones count as a minute.
        let late = Histogram::new_with_bounds(64, 60_000_000_000, 3)
            .expect("these bounds are valid whatever the load");
        Tally {
            schedule,
            begun: 0,
            until: Nanos(u64::MAX),
            teller,
            window: Sample { load, from, ..Sample::default() },
            latencies: Vec::new(),
            late,
            ends: SessionEnds::new(locks),
            totals: Totals::default(),
        }
    }

    /// The instant at which the window ends and [`Tally::roll`] has something to do.
    pub(crate) fn window_end(&self) -> Nanos {
        self.window.from + WINDOW
    }

    /// Emits every window that has ended at `now`.
    pub(crate) fn roll(&mut self, now: Nanos, in_flight: u32, reconnects: u64) {
        while self.window_end() <= now {
            self.tell(in_flight, reconnects);
        }
    }

    /// The schedule ends at `at`: no operation is intended after it.
    pub(crate) fn stop(&mut self, at: Nanos) {
        self.until = at;
    }

    /// A session begins.
    pub(crate) fn begun(&mut self) {
        self.begun += 1;
    }

    pub(crate) fn ended(&mut self, op: &Op) {
        self.late.saturating_record(op.sent.since(op.intended).as_nanos() as u64);
        let Redirects { moved, ask, try_again } = op.redirects;
        self.window.moved += u64::from(moved);
        self.window.ask += u64::from(ask);
        self.window.try_again += u64::from(try_again);
        // A session counts once.
        let Some(end) = self.ends.on_op(op) else { return };
        match end.outcome {
            Outcome::Ok => {
                self.window.ok += 1;
                self.latencies.push(op.done.since(op.began()).as_nanos() as u64);
            }
            Outcome::Fail(cause) => {
                self.window.fail += 1;
                *self.window.causes.entry(cause).or_default() += 1;
            }
            Outcome::Unknown(cause) => {
                self.window.unknown += 1;
                *self.window.causes.entry(cause).or_default() += 1;
            }
        }
    }

    /// Emits the last, unfinished window and returns the totals.
    pub(crate) fn finish(&mut self, reconnects: u64, processes: u32) -> Totals {
        self.tell(0, reconnects);
        Totals {
            processes,
            late_p99_ns: self.late.value_at_quantile(0.99),
            late_max_ns: self.late.max(),
            ..std::mem::take(&mut self.totals)
        }
    }

    fn tell(&mut self, in_flight: u32, reconnects: u64) {
        let end = self.window_end();
        let next = Sample { load: self.window.load, from: end, ..Sample::default() };
        let mut sample = std::mem::replace(&mut self.window, next);
        let begun = std::mem::take(&mut self.begun);
        sample.intended = self.schedule.map_or(begun, |schedule| {
            let asked = |at: Nanos| schedule.before(at.min(self.until));
            asked(end) - asked(sample.from)
        });
        sample.in_flight = u64::from(in_flight);
        sample.reconnects = reconnects - self.totals.reconnects;
        sample.p50_ns = percentile(&mut self.latencies, 0.50);
        sample.p99_ns = percentile(&mut self.latencies, 0.99);
        sample.max_ns = self.latencies.iter().copied().max().unwrap_or(0);
        self.latencies.clear();
        self.totals.add(&sample);
        self.teller.tell(EventKind::Sample(sample));
    }
}

impl Totals {
    fn add(&mut self, sample: &Sample) {
        self.intended += sample.intended;
        self.ok += sample.ok;
        self.fail += sample.fail;
        self.unknown += sample.unknown;
        self.moved += sample.moved;
        self.ask += sample.ask;
        self.try_again += sample.try_again;
        self.reconnects += sample.reconnects;
        for (cause, count) in &sample.causes {
            *self.causes.entry(*cause).or_default() += count;
        }
    }
}

/// The smallest of `values` that is at least as great as `share` of them; 0 without values.
/// Reorders them.
fn percentile(values: &mut [u64], share: f64) -> u64 {
    let rank = (values.len() as f64 * share).ceil() as usize;
    if values.is_empty() {
        return 0;
    }
    *values.select_nth_unstable(rank.max(1) - 1).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::{Action, RegisterOp};
    use crate::model::{Clock, Ramp};

    fn op(intended_ms: u64, done_ms: u64, outcome: Outcome) -> Op {
        let intended = Nanos(intended_ms * 1_000_000);
        let sent = Nanos(intended.0 + 5_000);
        let read = Action::Register(RegisterOp::Read(None));
        let redirects = Redirects { moved: 1, ask: 0, try_again: 2 };
        let op = Op::new(0, read, sent, Nanos(done_ms * 1_000_000));
        Op { load: 2, intended, outcome, redirects, ..op }
    }

    #[test]
    fn windows_count_what_ended_in_them_and_totals_add_up() {
        let (teller, events) = Teller::new(Clock::start());
        let mut tally = Tally::new(
            2,
            Nanos(0),
            Some(Schedule::new(Nanos(0), Rate::steady(1000.0))),
            None,
            teller,
        );
        for ms in 0..100 {
            tally.ended(&op(ms, ms, Outcome::Ok));
        }
        tally.roll(Nanos(100_000_000), 3, 0);
        tally.ended(&op(50, 150, Outcome::Ok));
        tally.ended(&op(100, 160, Outcome::Fail(Cause::ClusterDown)));
        tally.ended(&op(101, 170, Outcome::Unknown(Cause::Timeout)));
        tally.roll(Nanos(310_000_000), 1, 4);
        tally.stop(Nanos(320_000_000));
        let totals = tally.finish(4, 9);
        let samples: Vec<Sample> = events
            .try_iter()
            .map(|event| match event.kind {
                EventKind::Sample(sample) => sample,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(samples.len(), 4);
        let from: Vec<u64> = samples.iter().map(|s| s.from.0 / 1_000_000).collect();
        assert_eq!(from, [0, 100, 200, 300]);
        assert_eq!(samples.iter().map(|s| s.intended).collect::<Vec<_>>(), [100, 100, 100, 20]);
        assert_eq!((samples[0].ok, samples[0].in_flight, samples[0].max_ns), (100, 3, 0));
        let second = &samples[1];
        assert_eq!((second.ok, second.fail, second.unknown), (1, 1, 1));
        assert_eq!((second.p50_ns, second.max_ns), (100_000_000, 100_000_000));
        assert_eq!((second.reconnects, second.moved, second.try_again), (4, 3, 6));
        assert_eq!(samples[2].ok + samples[2].fail + samples[2].reconnects, 0);
        assert_eq!((totals.intended, totals.ok, totals.ended()), (320, 101, 103));
        assert_eq!(totals.causes[&Cause::Timeout], 1);
        assert_eq!((totals.reconnects, totals.processes, totals.moved), (4, 9, 103));
        assert!((4_900..5_100).contains(&totals.late_p99_ns));
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let mut values: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(percentile(&mut values, 0.50), 100);
        assert_eq!(percentile(&mut values, 0.99), 198);
        assert_eq!(percentile(&mut [7], 0.99), 7);
        assert_eq!(percentile(&mut [], 0.99), 0);
    }

    #[test]
    fn instants_are_exact_and_do_not_drift() {
        let schedule = Schedule::new(Nanos(500), Rate::steady(3000.0));
        assert_eq!(schedule.intended(0), Nanos(500));
        assert_eq!(schedule.intended(1), Nanos(500 + 333_333));
        assert_eq!(schedule.intended(3), Nanos(500 + 1_000_000));
        // Still exact to the nanosecond after an hour.
        assert_eq!(schedule.intended(3000 * 3600), Nanos(500 + 3_600_000_000_000));
    }

    #[test]
    fn counting_agrees_with_the_instants() {
        let ramp = Ramp { to: 9_000.0, over_ms: 100_000.0 };
        let steady = [0.5, 1.0, 3.0, 999.9, 20_000.0].map(Rate::steady);
        for rate in steady.into_iter().chain([Rate { first: 3.0, ramp: Some(ramp) }]) {
            let schedule = Schedule::new(Nanos(1_000), rate);
            assert_eq!(schedule.before(Nanos(1_000)), 0);
            for n in (0..50).chain(1_000_000..1_000_050) {
                let at = schedule.intended(n);
                assert_eq!(schedule.before(at), n, "{rate:?}");
                assert_eq!(schedule.before(Nanos(at.0 + 1)), n + 1, "{rate:?}");
            }
        }
    }
}
