//! Samples of a load as columns.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Nanos;
use crate::model::event::{LoadInfo, Sample};

use super::data::{Adapter, Met, Series, millis};

/// The length of a [`Sample`]'s window.
pub(super) const EVERY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct SeriesBuilder {
    series: Series,
    /// When each window begins.
    pub begins: Vec<Nanos>,
    pub met: Met,
    /// Of a load that an adapter carries out.
    pub adapter: Option<Adapter>,
}

impl SeriesBuilder {
    pub fn new(load: &LoadInfo) -> SeriesBuilder {
        let every_ms = EVERY.as_secs_f64() * 1e3;
        let series = Series { load: load.name.clone(), every_ms, ..Series::default() };
        // A client that hides redirects hides reconnects too.
        let reconnects = load.sees_redirects.then_some(0);
        let met = Met { reconnects, ..Met::default() };
        SeriesBuilder { series, begins: Vec::new(), met, adapter: None }
    }

    pub fn hear(&mut self, sample: &Sample) {
        let s = &mut self.series;
        let some = |ns: u64| (sample.ok > 0).then_some(ns as f64 / 1e6);
        self.begins.push(sample.from);
        s.ops.push(sample.ok + sample.fail + sample.unknown);
        s.ok.push(sample.ok);
        s.errors.push(sample.fail + sample.unknown);
        s.p50_ms.push(some(sample.p50_ns));
        s.p99_ms.push(some(sample.p99_ns));
        s.max_ms.push(some(sample.max_ns));
        for (cause, count) in &sample.causes {
            *self.met.causes.entry(*cause).or_default() += count;
        }
        self.met.reconnects = self.met.reconnects.map(|so_far| so_far + sample.reconnects);
    }

    /// How many sessions had ended by the last sample.
    pub fn ended(&self) -> u64 {
        self.series.ops.iter().sum()
    }

    /// With what checkers counted in each window, by measure.
    pub fn done(self, mut counted: BTreeMap<&'static str, Vec<u64>>) -> Series {
        let at_ms = self.begins.into_iter().map(millis).collect();
        let lost = counted.remove("writes.lost").unwrap_or_default();
        let of_caches = |name: &str| name.starts_with("cache.") || name.starts_with("origin.");
        let cache = counted.into_iter().filter(|(name, _)| of_caches(name));
        let cache = cache.filter(|(_, counts)| counts.iter().any(|count| *count > 0));
        let cache = cache.map(|(name, counts)| (name.to_owned(), counts)).collect();
        Series { at_ms, lost, cache, ..self.series }
    }
}
