//! Histograms of latencies, and sliding windows of 1 s, one every 100 ms: the worst one counts.
//!
//! The first window begins with the span, and the last one ends with it. A span shorter than 1
//! s has one window.

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use crate::model::Nanos;
use crate::model::histogram::{histogram, record};

use super::spans::Span;

/// A bucket, and the distance from one window to the next.
const HOP_NS: u64 = 100_000_000;
/// Buckets of a window.
pub(super) const HOPS: u64 = 10;
/// A history is ordered by the ends of operations. An operation that was intended so many
/// buckets before the newest (30 s) is not waited for any more.
const HORIZON: usize = 300;

/// A window of throughput has about so many answers, or else one more or less would be a change.
const ANSWERS: f64 = 20.0;
/// A shorter span has too few answers for a rate.
pub(super) const SHORTEST: Duration = Duration::from_millis(100);

/// The `q` quantile in milliseconds: the middle of its bucket, to four digits.
pub(super) fn quantile_ms<T: Counter>(h: &Histogram<T>, q: f64) -> Option<f64> {
    let middle = |ns| h.median_equivalent(ns) as f64 / 1e6;
    (!h.is_empty()).then(|| four_digits(middle(h.value_at_quantile(q))))
}

fn four_digits(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

/// The number of buckets in `span`; its end may cut the last one short.
fn buckets(span: Span) -> u64 {
    span.to.0.saturating_sub(span.from.0).div_ceil(HOP_NS)
}

/// The bucket of `at` in `span`.
fn bucket(span: Span, at: Nanos) -> Option<u64> {
    span.contains(at).then(|| (at.0 - span.from.0) / HOP_NS)
}

/// The 99th percentile of each window: eight bytes for each, and at most [`HORIZON`] histograms.
#[derive(Debug)]
pub(super) struct Latencies {
    span: Span,
    /// Bucket number of the first in `open`.
    first: u64,
    open: VecDeque<Histogram<u32>>,
    spare: Vec<Histogram<u32>>,
    /// The 99th percentile of each window in which something was intended, in milliseconds.
    p99s: Vec<f64>,
    /// Operations that came after their bucket was closed.
    pub late: u64,
}

impl Latencies {
    pub fn new(span: Span) -> Latencies {
        let (open, spare) = (VecDeque::new(), Vec::new());
        Latencies { span, first: 0, open, spare, p99s: Vec::new(), late: 0 }
    }

    pub fn record(&mut self, intended: Nanos, ns: u64) {
        let Some(index) = bucket(self.span, intended) else { return };
        let Some(mut offset) = index.checked_sub(self.first) else {
            self.late += 1;
            return;
        };
        while offset >= HORIZON as u64 {
            self.close_first();
            offset -= 1;
        }
        while self.open.len() as u64 <= offset {
            self.open.push_back(self.spare.pop().unwrap_or_else(histogram));
        }
        record(&mut self.open[offset as usize], ns);
    }

    /// The worst 99th percentile, in milliseconds, once everything has been recorded.
    pub fn worst_ms(&mut self) -> Option<f64> {
        self.p99s().iter().copied().reduce(f64::max)
    }

    /// That of each window, in their order, once everything has been recorded.
    pub fn p99s(&mut self) -> &[f64] {
        while !self.open.is_empty() {
            self.close_first();
        }
        &self.p99s
    }

    fn close_first(&mut self) {
        if self.first + HOPS <= buckets(self.span).max(HOPS) {
            let mut window: Histogram<u32> = histogram();
            for bucket in self.open.iter().take(HOPS as usize).filter(|b| !b.is_empty()) {
                window.add(bucket).expect("a histogram that grows takes what another one holds");
            }
            self.p99s.extend(quantile_ms(&window, 0.99));
        }
        self.first += 1;
        if let Some(mut done) = self.open.pop_front() {
            done.reset();
            self.spare.push(done);
        }
    }
}

/// Answers counted by 100 ms: four bytes for each.
#[derive(Debug)]
pub(super) struct Rates {
    span: Span,
    /// Windows that go past the load's end do not count.
    until: Nanos,
    counts: Vec<u32>,
}

impl Rates {
    pub fn new(span: Span, until: Nanos) -> Rates {
        Rates { span, until, counts: Vec::new() }
    }

    pub fn record(&mut self, done: Nanos) {
        let Some(index) = bucket(self.span, done) else { return };
        let index = index as usize;
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
    }

    /// Answers a second in each window, in their order, and the windows' length in buckets: a
    /// second, or longer if `rate` operations a second are few. A shorter span is a window of its
    /// own, if it has enough of them.
    pub fn windows(&self, rate: f64) -> (Vec<f64>, usize) {
        let to = self.span.to.min(self.until);
        let length = to.since(self.span.from);
        let count = |i: u64| self.counts.get(i as usize).copied().unwrap_or(0);
        let sum = |buckets: std::ops::Range<u64>| f64::from(buckets.map(count).sum::<u32>());
        let a_bucket = HOP_NS as f64 / 1e9;
        let hops = HOPS.max((ANSWERS / (rate * a_bucket).max(1e-3)).ceil() as u64);
        let whole = length.as_nanos() as u64 / HOP_NS;
        let windows = match whole.checked_sub(hops) {
            Some(last) => {
                let rate = |i| sum(i..i + hops) / (hops as f64 * a_bucket);
                (0..=last).map(rate).collect()
            }
            None if length < SHORTEST || length.as_secs_f64() * rate < ANSWERS => Vec::new(),
            None => vec![sum(0..hops) / length.as_secs_f64()],
        };
        (windows, hops as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn span(from_ms: u64, to_ms: u64) -> Span {
        Span { from: Nanos(from_ms * MS), to: Nanos(to_ms * MS) }
    }

    /// 1,000 operations a second of 1 ms each; those in `slow` take 100 ms. Rounded, since a
    /// histogram is exact to 0.1 %.
    fn worst(span: Span, slow: std::ops::Range<u64>) -> Option<f64> {
        let mut latencies = Latencies::new(span);
        for ms in 0..4_000 {
            let took = if slow.contains(&ms) { 100 } else { 1 };
            latencies.record(Nanos(ms * MS), took * MS);
        }
        latencies.worst_ms().map(f64::round)
    }

    #[test]
    fn a_window_finds_what_lies_across_two_whole_seconds() {
        // 14 in 1,000 are slow, but only 7 in each second that begins at 0, 1, 2, …
        assert_eq!(worst(span(0, 4_000), 1_993..2_007), Some(100.0));
        assert_eq!(worst(span(0, 4_000), 1_996..2_004), Some(1.0), "8 in 1,000 are not the p99");
    }

    #[test]
    fn windows_keep_to_their_span() {
        assert_eq!(worst(span(0, 1_900), 1_950..1_990), Some(1.0));
        assert_eq!(worst(span(2_000, 4_000), 1_950..1_990), Some(1.0));
        // A span shorter than a window has one window. The end of a span that is no whole
        // number of steps counts too.
        assert_eq!(worst(span(1_900, 2_000), 1_990..2_000), Some(100.0));
        assert_eq!(worst(span(1_900, 2_000), 2_000..2_050), Some(1.0));
        assert_eq!(worst(span(0, 1_950), 1_920..1_950), Some(100.0));
        assert_eq!(worst(span(9_000, 9_500), 0..0), None, "nothing was intended there");
    }

    #[test]
    fn what_ends_late_still_counts_and_memory_stays_bounded() {
        let mut latencies = Latencies::new(span(0, 120_000));
        for ms in 0..100_000 {
            latencies.record(Nanos(ms * MS), MS);
            // An answer that took 20 s comes among those to requests sent 20 s later.
            if (50_000..50_020).contains(&ms) {
                latencies.record(Nanos((ms - 20_000) * MS), 20_000 * MS);
            }
        }
        assert!(latencies.open.len() + latencies.spare.len() <= HORIZON + 1);
        assert_eq!(latencies.late, 0);
        let worst = latencies.worst_ms().unwrap();
        assert!((worst - 20_000.0).abs() < 20.0, "{worst}");
        let mut latencies = Latencies::new(span(0, 120_000));
        latencies.record(Nanos(100_000 * MS), MS);
        latencies.record(Nanos(0), 100_000 * MS);
        assert_eq!(latencies.late, 1);
    }

    #[test]
    fn the_windows_of_throughput() {
        let worst = |rates: &Rates, rate| rates.windows(rate).0.into_iter().reduce(f64::min);
        let mut rates = Rates::new(span(0, 3_000), Nanos(3_000 * MS));
        for ms in (0..3_000).filter(|ms| !(1_450..1_650).contains(ms)) {
            rates.record(Nanos(ms * MS));
        }
        assert_eq!(worst(&rates, 1_000.0), Some(800.0));
        let mut brief = Rates::new(span(0, 500), Nanos(700 * MS));
        (0..600).step_by(2).for_each(|ms| brief.record(Nanos(ms * MS)));
        assert_eq!(worst(&brief, 500.0), Some(500.0), "half a second is its own window");
        assert_eq!(worst(&brief, 30.0), None, "15 are too few");
        assert_eq!(worst(&Rates::new(span(0, 99), Nanos(700 * MS)), 1e4), None, "no rate");
        let none = Rates::new(span(0, 1_000), Nanos(1_000 * MS));
        assert_eq!(worst(&none, 500.0), Some(0.0));
        // One a second: in any second there may be none.
        let mut slow = Rates::new(span(0, 60_000), Nanos(60_000 * MS));
        (0..60).for_each(|s| slow.record(Nanos((s * 1_000 + s % 7 * 100) * MS)));
        let (windows, hops) = slow.windows(1.0);
        assert_eq!(hops, 200, "20 s");
        assert!(windows.iter().all(|rate| (0.9..=1.1).contains(rate)), "{windows:?}");
    }
}
