//! Sliding windows of 1 s, one every 100 ms, of which the worst one counts.
//!
//! The first window begins with the span, and the last one ends within it; a span
//! shorter than 1 s has one window, which begins with it.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use crate::model::Nanos;

use super::spans::Span;
use super::tally::{histogram, quantile_ms, record};

/// A bucket, and the distance from one window to the next.
const HOP_NS: u64 = 100_000_000;
/// Buckets of a window.
const HOPS: u64 = 10;
/// A history is ordered by when operations ended. One that was intended so many buckets
/// before the newest (30 s) is no longer waited for.
const HORIZON: usize = 300;

/// How many buckets the windows of `span` need.
fn buckets(span: Span) -> u64 {
    (span.to.0.saturating_sub(span.from.0) / HOP_NS).max(HOPS)
}

/// Where `at` falls among the buckets of `span`.
fn bucket(span: Span, at: Nanos) -> Option<u64> {
    let index = at.0.checked_sub(span.from.0)? / HOP_NS;
    (index < buckets(span)).then_some(index)
}

/// The worst 99th percentile of any window. Holds at most [`HORIZON`] histograms.
#[derive(Debug)]
pub(super) struct Latencies {
    span: Span,
    /// Bucket number of the first in `open`.
    first: u64,
    open: VecDeque<Histogram<u32>>,
    spare: Vec<Histogram<u32>>,
    worst_ms: Option<f64>,
    /// Operations that came after their bucket was closed.
    pub late: u64,
}

impl Latencies {
    pub fn new(span: Span) -> Latencies {
        let (open, spare) = (VecDeque::new(), Vec::new());
        Latencies { span, first: 0, open, spare, worst_ms: None, late: 0 }
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
        while !self.open.is_empty() {
            self.close_first();
        }
        self.worst_ms
    }

    fn close_first(&mut self) {
        if self.first + HOPS <= buckets(self.span) {
            let mut window: Histogram<u32> = histogram();
            for bucket in self.open.iter().take(HOPS as usize).filter(|b| !b.is_empty()) {
                window.add(bucket).expect("a histogram that grows takes what another one holds");
            }
            let p99 = quantile_ms(&window, 0.99);
            self.worst_ms = self.worst_ms.max_of(p99);
        }
        self.first += 1;
        if let Some(mut done) = self.open.pop_front() {
            done.reset();
            self.spare.push(done);
        }
    }
}

trait MaxOf {
    fn max_of(self, other: Self) -> Self;
}

impl MaxOf for Option<f64> {
    fn max_of(self, other: Option<f64>) -> Option<f64> {
        match (self, other) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        }
    }
}

/// Answers counted by 100 ms: four bytes for each.
#[derive(Debug)]
pub(super) struct Rates {
    span: Span,
    /// Windows that reach past the load's end do not count.
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

    /// Answers in the window that had the fewest. `None` if no window fits.
    pub fn worst(&self) -> Option<f64> {
        let lasting = self.until.0.saturating_sub(self.span.from.0) / HOP_NS;
        let last = buckets(self.span).min(lasting).checked_sub(HOPS)?;
        let count = |i: u64| self.counts.get(i as usize).copied().unwrap_or(0);
        (0..=last).map(|i| f64::from((i..i + HOPS).map(count).sum::<u32>())).reduce(f64::min)
    }
}
