//! Histograms of latencies, and what is read off them.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Significant digits of a percentile: an error of at most 0.1 %.
pub(super) const DIGITS: u8 = 3;

/// A shorter span has too few answers for a rate.
pub(super) const SHORTEST: Duration = Duration::from_millis(100);

/// A histogram of nanoseconds that grows as it must.
pub(super) fn histogram<T: hdrhistogram::Counter>() -> Histogram<T> {
    let mut histogram = Histogram::new(DIGITS).expect("3 digits are within 0 to 5");
    histogram.auto(true);
    histogram
}

/// Records a latency in a [`histogram`].
pub(super) fn record<T: hdrhistogram::Counter>(histogram: &mut Histogram<T>, ns: u64) {
    histogram.record(ns).expect("a histogram that grows takes every value");
}

/// The `q` quantile in milliseconds: the middle of its bucket, to four digits.
pub(super) fn quantile_ms<T: hdrhistogram::Counter>(h: &Histogram<T>, q: f64) -> Option<f64> {
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
