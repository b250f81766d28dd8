//! Latencies, answers and errors of one span of the time line.

use hdrhistogram::Histogram;

use crate::model::histogram::{histogram, record};

use super::sent::Sent;
use super::spans::{Span, Spans};
use super::windows::{SHORTEST, quantile_ms};

/// Which latency: an index of figures that are kept for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// What users feel, from the intended instant; all measures use it.
    Intended,
    /// From the instant of sending, without redrill's own lateness.
    Sent,
    /// From the intended instant, without operations that met a starved time on their way. Kept
    /// where there was such a time.
    Apart,
}

/// The figures of one span.
#[derive(Debug)]
pub(super) struct SpanTally {
    pub span: Span,
    /// The record reaches the span's end.
    whole: bool,
    latency: [LatencySpread; 3],
    /// Of those alone that ended ok.
    answered_latency: [Histogram<u64>; 3],
    /// Ended ok within the span, whenever intended. What was due during the steps and ended after
    /// them is their backlog, and belongs to them.
    pub answered: u64,
    pub sent: Sent,
}

#[derive(Debug)]
struct LatencySpread {
    histogram: Histogram<u64>,
    max: u64,
}

impl SpanTally {
    pub fn new(span: Span, spans: &Spans) -> SpanTally {
        let whole = spans.seen_to_the_end || span.to < spans.line.to;
        SpanTally {
            span,
            whole,
            latency: std::array::from_fn(|_| LatencySpread::new()),
            answered_latency: std::array::from_fn(|_| histogram()),
            answered: 0,
            sent: Sent::default(),
        }
    }

    /// The latency that a user felt, in nanoseconds.
    pub fn felt(&mut self, since: Since, ns: u64) {
        self.latency[since as usize].record(ns);
    }

    /// That of a good answer, in nanoseconds.
    pub fn hear(&mut self, since: Since, ns: u64) {
        record(&mut self.answered_latency[since as usize], ns);
    }

    /// In milliseconds; `None` if nothing ended ok.
    pub fn quantile(&self, since: Since, q: f64) -> Option<f64> {
        quantile_ms(&self.latency[since as usize].histogram, q)
    }

    /// In milliseconds, of good answers alone; `None` if there were none.
    pub fn answered(&self, since: Since, q: f64) -> Option<f64> {
        quantile_ms(&self.answered_latency[since as usize], q)
    }

    /// In milliseconds.
    pub fn max(&self, since: Since) -> Option<f64> {
        let spread = &self.latency[since as usize];
        (!spread.histogram.is_empty()).then_some(spread.max as f64 / 1e6)
    }

    /// Answers a second; `None` if the record breaks off within the span, or if the span is too
    /// short for a rate.
    pub fn rate(&self) -> Option<f64> {
        let length = self.span.length();
        (length >= SHORTEST && self.whole).then(|| self.answered as f64 / length.as_secs_f64())
    }
}

impl LatencySpread {
    fn new() -> LatencySpread {
        LatencySpread { histogram: histogram(), max: 0 }
    }

    fn record(&mut self, ns: u64) {
        record(&mut self.histogram, ns);
        self.max = self.max.max(ns);
    }
}
