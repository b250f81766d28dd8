//! The worst windows of latency and throughput, and by how much they are worse than what was usual
//! before.

use crate::model::Nanos;

use super::degradation::{degradation, of_halves};
use super::span_tally::Since;
use super::spans::Spans;
use super::windows::{HOPS, Latencies, Rates};

/// Sliding windows of 1 s: from the first step to convergence; without steps, over the whole line.
#[derive(Debug)]
pub(super) struct Worst {
    latencies: [Latencies; 3],
    rates: Rates,
    /// The same before the first step.
    calm: Option<([Latencies; 3], Rates)>,
}

impl Worst {
    pub fn new(spans: &Spans) -> Worst {
        let windowed = spans.during.unwrap_or(spans.line);
        let all = |span| {
            let latencies = std::array::from_fn(|_| Latencies::new(span));
            (latencies, Rates::new(span, spans.line.to))
        };
        let (latencies, rates) = all(windowed);
        Worst { latencies, rates, calm: spans.during.map(|_| all(spans.before)) }
    }

    /// The latency that a user felt, in nanoseconds, of what was intended at that instant.
    pub fn felt(&mut self, since: Since, intended: Nanos, ns: u64) {
        self.latencies[since as usize].record(intended, ns);
        if let Some((calm, _)) = &mut self.calm {
            calm[since as usize].record(intended, ns);
        }
    }

    /// A good answer at that instant.
    pub fn answered(&mut self, at: Nanos) {
        self.rates.record(at);
        self.calm.iter_mut().for_each(|(_, rates)| rates.record(at));
    }

    /// The worst 99th percentile, in milliseconds.
    pub fn p99(&mut self, since: Since) -> Option<f64> {
        self.latencies[since as usize].worst_ms()
    }

    /// Operations that ended too late to be counted.
    pub fn late(&self) -> u64 {
        self.latencies[Since::Intended as usize].late
    }

    /// By how much the worst window of the 99th percentile exceeds what was usual before, in
    /// percent.
    pub fn slower(&mut self, since: Since) -> Option<f64> {
        let during = self.latencies[since as usize].p99s();
        match &mut self.calm {
            Some((calm, _)) => degradation(calm[since as usize].p99s(), during, HOPS as usize),
            None => of_halves(during, HOPS as usize),
        }
    }

    /// By how much the worst window of throughput falls below what was usual before, in percent.
    /// `rate` is that of all schedules together.
    pub fn fell(&self, rate: f64) -> Option<f64> {
        let negative = |rates: &Rates| {
            let (windows, hops) = rates.windows(rate);
            (windows.into_iter().map(|rate| -rate).collect::<Vec<f64>>(), hops)
        };
        let (during, hops) = negative(&self.rates);
        let change = match &self.calm {
            Some((_, calm)) => degradation(&negative(calm).0, &during, hops),
            None => of_halves(&during, hops),
        };
        change.map(|change| 0.0 - change)
    }
}
