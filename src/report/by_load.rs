//! What became of the operations of each load, apart from the others'.

use hdrhistogram::Histogram;

use crate::model::Unit;
use crate::model::measure::thousands;
use crate::model::op::{Op, Outcome};

use super::data::{Figures, Quantiles, Report};
use super::spans::Spans;
use super::tally::{histogram, quantile_ms, record};

/// The names of the spans, in their order.
pub(super) const SPANS: [&str; 3] = ["before", "during", "after"];

/// One load's operations as they are read.
#[derive(Debug)]
pub(super) struct LoadTally {
    operations: u64,
    answered: u64,
    /// By the span in which they were intended; latency from that instant.
    latency: [Histogram<u64>; 3],
}

impl LoadTally {
    pub fn new() -> LoadTally {
        let latency = std::array::from_fn(|_| histogram());
        LoadTally { operations: 0, answered: 0, latency }
    }

    pub fn add(&mut self, op: &Op, spans: &Spans) {
        self.operations += 1;
        if op.outcome == Outcome::Ok {
            self.answered += 1;
            let span = spans.index_of(op.intended);
            record(&mut self.latency[span], op.done.since(op.intended).as_nanos() as u64);
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

impl Figures {
    fn spans(&self) -> [&Quantiles; 3] {
        [&self.before, &self.during, &self.after]
    }

    /// `6,500 operations, 6,446 answered, 54 errors`
    pub(super) fn counts(&self) -> String {
        let [operations, answered, errors] =
            [self.operations, self.answered, self.errors].map(|count| thousands(count as f64));
        let word = if self.errors == 1 { "error" } else { "errors" };
        format!("{operations} operations, {answered} answered, {errors} {word}")
    }

    /// The quantile in each span; nothing stands for a span without answers.
    pub(super) fn row(&self, quantile: fn(&Quantiles) -> Option<f64>) -> [String; 3] {
        let shown = |ms: Option<f64>| ms.map_or("–".to_owned(), |ms| Unit::Millis.show(ms));
        self.spans().map(|span| shown(quantile(span)))
    }
}

/// Whether there is more than one load to be told apart.
pub(super) fn is_told(r: &Report) -> bool {
    r.loads.len() > 1 && r.loads.iter().any(|load| load.figures.operations > 0)
}

pub(super) fn heads(r: &Report) -> Vec<String> {
    let heads = ["load", "operations", "answered", "errors"].map(str::to_owned).into_iter();
    let of = |quantile: &'static str| spans(r).iter().map(move |span| format!("{quantile} {span}"));
    heads.chain(of("p50")).chain(of("p99")).collect()
}

/// A row for each load, under the heads.
pub(super) fn rows(r: &Report) -> Vec<Vec<String>> {
    let row = |load: &super::data::Load| {
        let f = &load.figures;
        let counts = [f.operations, f.answered, f.errors].map(|count| thousands(count as f64));
        let told = |cells: [String; 3]| cells.into_iter().take(spans(r).len());
        std::iter::once(load.name.clone())
            .chain(counts)
            .chain(told(f.row(|q| q.p50_ms)))
            .chain(told(f.row(|q| q.p99_ms)))
            .collect()
    };
    r.loads.iter().map(row).collect()
}

/// The spans that the drill has: without steps there is only the first.
pub(super) fn spans(r: &Report) -> &'static [&'static str] {
    if r.has("latency.p99.during") { &SPANS } else { &SPANS[..1] }
}
