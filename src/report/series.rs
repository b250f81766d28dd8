//! Samples of a load as columns.

use crate::model::event::{LoadInfo, Sample};

use super::data::{Met, Series};
use super::millis;

/// How long a window of [`Sample`] is, in milliseconds.
pub(super) const EVERY_MS: f64 = 100.0;

#[derive(Debug)]
pub(super) struct SeriesBuilder {
    series: Series,
    pub met: Met,
}

impl SeriesBuilder {
    pub fn new(load: &LoadInfo) -> SeriesBuilder {
        let series = Series { load: load.name.clone(), every_ms: EVERY_MS, ..Series::default() };
        // A client that hides redirects hides reconnects, too.
        let reconnects = load.sees_redirects.then_some(0);
        SeriesBuilder { series, met: Met { reconnects, ..Met::default() } }
    }

    pub fn hear(&mut self, sample: &Sample) {
        let s = &mut self.series;
        let some = |ns: u64| (sample.ok > 0).then_some(ns as f64 / 1e6);
        s.at_ms.push(millis(sample.from));
        s.ops.push(sample.ok + sample.fail + sample.unknown);
        s.ok.push(sample.ok);
        s.errors.push(sample.fail + sample.unknown);
        s.p50_ms.push(some(sample.p50_ns));
        s.p99_ms.push(some(sample.p99_ns));
        s.max_ms.push(some(sample.max_ns));
        self.met.hear(sample);
    }

    pub fn done(self) -> Series {
        self.series
    }
}
