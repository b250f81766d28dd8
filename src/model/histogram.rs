//! Histograms that grow as they must.

use hdrhistogram::{Counter, Histogram};

/// Significant digits of a percentile: an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// An empty histogram.
pub fn histogram<T: Counter>() -> Histogram<T> {
    let mut histogram = Histogram::new(DIGITS).expect("3 digits are within 0 to 5");
    histogram.auto(true);
    histogram
}

/// Records a value in a [`histogram`].
pub fn record<T: Counter>(histogram: &mut Histogram<T>, value: u64) {
    histogram.record(value).expect("a histogram that grows takes every value");
}
