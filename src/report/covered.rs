//! The span of a drill in which starved time may explain a measure, by what its row says that it
//! covers.

use std::time::Duration;

use crate::model::catalogue::{Covers, Known};
use crate::model::{Measure, Nanos, Unit};

use super::data::Failover;
use super::spans::{Span, Spans};

/// The span that the measure covers; `None` where nobody looked for starved time.
pub(super) fn span(
    known: &Known,
    measure: &Measure,
    spans: &Spans,
    failovers: &[Failover],
) -> Option<Span> {
    let line = spans.line;
    let since_steps = Span { from: spans.during.map_or(line.from, |span| span.from), to: line.to };
    let so_long = Duration::from_secs_f64(millis(measure).max(0.0) / 1e3);
    let covered = match known.covers {
        Covers::Forming => return None,
        Covers::Throughout => line,
        Covers::BeforeSteps => spans.before,
        Covers::Steps => spans.during.unwrap_or(line),
        Covers::AfterSteps => spans.after.unwrap_or(Span { from: line.to, to: line.to }),
        Covers::SinceSteps => since_steps,
        Covers::Failures => around(failovers).unwrap_or(since_steps),
        Covers::Losses => {
            let failures = around(failovers).unwrap_or(since_steps);
            Span { from: (failures.from - so_long).max(line.from), to: failures.to }
        }
        Covers::Afterwards => Span { from: line.to, to: line.to + so_long },
    };
    // What was not over in the end had the time until then, and nothing before it counts.
    let is_open = measure.value.is_none() && measure.at_least.is_some();
    let from = covered.to - so_long;
    Some(match is_open && known.unit == Unit::Millis {
        true => Span { from: covered.from.max(from), to: covered.to },
        false => covered,
    })
}

fn millis(measure: &Measure) -> f64 {
    let value = measure.value.or(measure.at_least).unwrap_or_default();
    if measure.unit == Unit::Millis { value } else { 0.0 }
}

/// From the beginning of the first failover to the end of the last; `None` without any.
fn around(failovers: &[Failover]) -> Option<Span> {
    let ns = |ms: f64| Nanos((ms.max(0.0) * 1e6) as u64);
    let began = |one: &Failover| one.injected_ms.or(one.suspected_ms).or(one.elected_ms);
    let ended = |one: &Failover| {
        let ends = [one.elected_ms, one.propagated_ms, one.served_ms, one.redundant_ms];
        // What was not over was looked at until then.
        let open = [one.served_ms, one.redundant_ms, one.elected_ms].contains(&None);
        let seen = one.unserved_until_ms.into_iter().chain(one.seen_until_ms.filter(|_| open));
        ends.into_iter().flatten().chain(seen).reduce(f64::max)
    };
    let from = failovers.iter().filter_map(began).reduce(f64::min)?;
    let to = failovers.iter().filter_map(ended).reduce(f64::max)?;
    (from < to).then(|| Span { from: ns(from), to: ns(to) })
}

#[cfg(test)]
mod tests;
