//! What measures could have been, had redrill itself been run all the time.
//!
//! On a busy machine redrill sends late, and for moments sees nothing. That moves its
//! figures, and no server has a part in it. So each figure that it moves has a range, and an
//! expectation that holds in one part of the range and not in another cannot be judged.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Measure;
use crate::model::op::Access;

use super::measures::{Told, latency_since_sent};
use super::record::Record;
use super::tally::Tally;

/// By the names of measures: the least and the most that each could have been.
pub(super) type Doubts = BTreeMap<&'static str, [f64; 2]>;

/// The ranges of all measures that redrill's own lateness can have moved.
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

/// Where redrill did not look, the servers may have been up, although an outage was open,
/// and may have been down unseen. An outage that fits into the probes' patience is none,
/// so blind times shorter than that hide nothing.
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
