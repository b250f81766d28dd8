//! One pass over the history: latencies before, during and after, and the results of the
//! operations.
//!
//! Latency runs from an operation's *intended* instant to its answer, and an operation belongs
//! to the span in which it was intended: a stall delays the answer, but does not change the
//! span. Percentiles are those of operations that ended ok; the others are errors and are
//! counted separately. Throughput counts answers when they arrived.
//!
//! The same latencies are also kept from the instant of sending ([`Since::Sent`]). They are no
//! measures, but without them redrill's own lateness would count against the servers.

use hdrhistogram::Histogram;

use crate::model::op::{Cause, Op, Outcome, Purpose};

use super::data::{Figures, Quantiles};
use super::quantiles::{SHORTEST, histogram, quantile_ms, record};
use super::schedule::Schedules;
use super::spans::{Span, Spans};
use super::windows::{Latencies, Rates};

/// The results of single operations in the history.
#[derive(Debug)]
pub(super) struct Tally {
    spans: Spans,
    pub before: Band,
    pub during: Option<Band>,
    pub after: Option<Band>,
    /// Sliding windows of 1 s: from the first step to convergence; without steps, over
    /// the whole line.
    pub latencies: Both<Latencies>,
    /// From intended to sent, of all operations that were sent.
    late: Histogram<u64>,
    pub rates: Rates,
    /// Writes that were acknowledged, whatever their purpose.
    pub acknowledged: u64,
    pub rows: u64,
    pub fail: u64,
    pub unknown: u64,
    /// Of these, changes that had reached too few replicas.
    pub under_replicated: u64,
    schedules: Schedules,
    pub redirects: Redirected,
    /// A summary by load.
    pub loads: Vec<LoadTally>,
}

/// The figures of one span.
#[derive(Debug)]
pub(super) struct Band {
    pub span: Span,
    /// The record reaches the span's end.
    whole: bool,
    latency: Both<Spread>,
    /// Ended ok within the span, whenever intended.
    pub answered: u64,
}

/// The instant from which latency counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// The latency that users feel, and that all measures use.
    Intended,
    /// The same without redrill's own lateness: it shows whose fault a latency is.
    Sent,
}

/// The same figures, counted from either instant.
#[derive(Debug)]
pub(super) struct Both<T> {
    intended: T,
    sent: T,
}

impl<T> Both<T> {
    fn new(make: impl Fn() -> T) -> Both<T> {
        Both { intended: make(), sent: make() }
    }

    pub fn of(&self, since: Since) -> &T {
        match since {
            Since::Intended => &self.intended,
            Since::Sent => &self.sent,
        }
    }

    pub fn of_mut(&mut self, since: Since) -> &mut T {
        match since {
            Since::Intended => &mut self.intended,
            Since::Sent => &mut self.sent,
        }
    }
}

#[derive(Debug)]
struct Spread {
    histogram: Histogram<u64>,
    max: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Redirected {
    pub moved: u64,
    pub ask: u64,
    pub try_again: u64,
}

impl Band {
    fn new(span: Span, spans: &Spans) -> Band {
        let whole = spans.seen_to_the_end || span.to < spans.line.to;
        Band { span, whole, latency: Both::new(Spread::new), answered: 0 }
    }

    /// In milliseconds; `None` if nothing ended ok.
    pub fn quantile(&self, since: Since, q: f64) -> Option<f64> {
        quantile_ms(&self.latency.of(since).histogram, q)
    }

    /// In milliseconds.
    pub fn max(&self, since: Since) -> Option<f64> {
        let spread = self.latency.of(since);
        (!spread.histogram.is_empty()).then_some(spread.max as f64 / 1e6)
    }

    /// Answers a second; `None` if the record breaks off within the span, or if the span is too
    /// short for a rate.
    pub fn rate(&self) -> Option<f64> {
        let length = self.span.length();
        (length >= SHORTEST && self.whole).then(|| self.answered as f64 / length.as_secs_f64())
    }
}

impl Spread {
    fn new() -> Spread {
        Spread { histogram: histogram(), max: 0 }
    }

    fn record(&mut self, ns: u64) {
        record(&mut self.histogram, ns);
        self.max = self.max.max(ns);
    }
}

impl Tally {
    pub fn new(spans: Spans, loads: usize) -> Tally {
        let windowed = spans.during.unwrap_or(spans.line);
        Tally {
            before: Band::new(spans.before, &spans),
            during: spans.during.map(|span| Band::new(span, &spans)),
            after: spans.after.map(|span| Band::new(span, &spans)),
            latencies: Both::new(|| Latencies::new(windowed)),
            late: histogram(),
            rates: Rates::new(windowed, spans.line.to),
            spans,
            acknowledged: 0,
            rows: 0,
            fail: 0,
            unknown: 0,
            under_replicated: 0,
            schedules: Schedules::new(loads),
            redirects: Redirected::default(),
            loads: std::iter::repeat_with(LoadTally::new).take(loads).collect(),
        }
    }

    pub fn add(&mut self, op: &Op) {
        let ok = op.outcome == Outcome::Ok;
        if ok && op.action.written().is_some() {
            self.acknowledged += 1;
        }
        if op.purpose != Purpose::Load {
            return;
        }
        self.redirects.moved += u64::from(op.redirects.moved);
        self.redirects.ask += u64::from(op.redirects.ask);
        self.redirects.try_again += u64::from(op.redirects.try_again);
        if op.outcome != Outcome::Fail(Cause::Shed) {
            record(&mut self.late, op.sent.since(op.intended).as_nanos() as u64);
        }
        // A session counts once, as what its last operation came to.
        if !op.ends_session() {
            return;
        }
        self.rows += 1;
        if let Some(load) = self.loads.get_mut(usize::from(op.load)) {
            load.add(op, &self.spans);
        }
        match op.outcome {
            Outcome::Ok => self.answered(op),
            Outcome::Fail(_) => self.fail += 1,
            Outcome::Unknown(cause) => {
                self.unknown += 1;
                self.under_replicated += u64::from(cause == Cause::UnderReplicated);
            }
        }
        self.schedules.add(op);
    }

    fn answered(&mut self, op: &Op) {
        let intended = match (self.spans.index_of(op.began()), &mut self.during, &mut self.after) {
            (2, _, Some(after)) => after,
            (1, Some(during), _) => during,
            _ => &mut self.before,
        };
        for (since, from) in [(Since::Intended, op.began()), (Since::Sent, op.sent)] {
            let latency = op.done.since(from).as_nanos() as u64;
            intended.latency.of_mut(since).record(latency);
            self.latencies.of_mut(since).record(op.began(), latency);
        }
        for band in [Some(&mut self.before), self.during.as_mut(), self.after.as_mut()] {
            if let Some(band) = band.filter(|band| band.span.contains(op.done)) {
                band.answered += 1;
            }
        }
        self.rates.record(op.done);
    }

    /// The 99th percentile of how late operations were sent, in milliseconds.
    pub fn late(&self) -> Option<f64> {
        quantile_ms(&self.late, 0.99)
    }

    /// The share of the schedule that was sent, in percent: as it was, and if redrill had
    /// always been in time.
    pub fn held(&self, rates: &[f64]) -> Option<(f64, f64)> {
        let held = self.schedules.held(&self.spans, rates);
        held.zip(self.schedules.held_if_in_time(&self.spans, rates))
    }
}

/// The results of one load, while its operations are read.
#[derive(Debug)]
pub(super) struct LoadTally {
    operations: u64,
    answered: u64,
    /// By the span in which they were intended; latency from that instant.
    latency: [Histogram<u64>; 3],
}

impl LoadTally {
    fn new() -> LoadTally {
        let latency = std::array::from_fn(|_| histogram());
        LoadTally { operations: 0, answered: 0, latency }
    }

    fn add(&mut self, op: &Op, spans: &Spans) {
        self.operations += 1;
        if op.outcome == Outcome::Ok {
            self.answered += 1;
            let span = spans.index_of(op.began());
            record(&mut self.latency[span], op.done.since(op.began()).as_nanos() as u64);
        }
    }

    pub fn figures(&self) -> Figures {
        let [before, during, after] = self.latency.each_ref().map(|latency| Quantiles {
            p50_ms: quantile_ms(latency, 0.5),
            p99_ms: quantile_ms(latency, 0.99),
        });
        let errors = self.operations - self.answered;
        let (operations, answered) = (self.operations, self.answered);
        Figures { operations, answered, errors, before, during, after }
    }
}
