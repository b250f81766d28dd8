//! The range of a measure if redrill itself had been run all the time.
//!
//! On a busy machine redrill sends late, and sometimes sees nothing for a moment. That changes
//! its figures, and the servers have no part in it. So each such figure has a range. An
//! expectation that holds in one part of the range and not in another cannot be judged.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Measure;
use crate::model::op::Access;

use super::measures::{Told, latency_since_sent};
use super::record::Record;
use super::tally::Tally;

/// By measure: the smallest and the greatest value that it could have had.
pub(super) type Doubts = BTreeMap<&'static str, [f64; 2]>;

/// The ranges of all measures that redrill's own lateness may have changed.
pub(super) fn doubts(
    record: &Record,
    tally: Option<&mut Tally>,
    measures: &BTreeMap<String, Measure>,
) -> Doubts {
    let mut doubts = of_downtime(record);
    if let Some(tally) = tally {
        doubts.extend(of_latency(&latency_since_sent(tally), measures));
        let rates: Vec<f64> = record.info.loads.iter().map(|load| load.rate).collect();
        let held = tally.held(&rates).map(|(held, in_time)| ("schedule.held", [held, in_time]));
        doubts.extend(held);
    }
    doubts
}

/// Latency counts from the intended instants, and redrill sent a little later.
fn of_latency(since_sent: &Told, measures: &BTreeMap<String, Measure>) -> Doubts {
    let range = |(name, sent): (&&'static str, &f64)| {
        let intended = measures.get(*name)?.value?;
        Some((*name, [sent.min(intended), sent.max(intended)]))
    };
    since_sent.iter().filter_map(range).collect()
}

/// When redrill did not look, the servers may have been up although an outage was open, or down
/// without being seen. A stall within the probes' deadline is no outage, so blind times shorter
/// than that hide nothing.
fn of_downtime(record: &Record) -> Doubts {
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let hides = ms(record.blind.longest) >= record.info.probe_deadline_ms;
    let hidden = |blind: Duration| if hides { blind } else { Duration::ZERO };
    let (longest, total) = (hidden(record.blind.longest), hidden(record.blind.total));
    let ranges = |action, [longest_name, total_name]: [&'static str; 2]| {
        let seen = record.outages.worst(action, |_| true);
        [
            (longest_name, [ms(seen.longest_watched), ms(seen.longest + longest)]),
            (total_name, [ms(seen.total_watched), ms(seen.total + total)]),
        ]
    };
    let write = ranges(Access::Write, ["downtime.write.max", "downtime.write.total"]);
    let read = ranges(Access::Read, ["downtime.read.max", "downtime.read.total"]);
    write.into_iter().chain(read).collect()
}
