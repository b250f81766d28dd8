//! Where and when the longest outage was, as text.

use crate::model::Unit;

use super::data::{Outage, Report, Step};

/// The longest outage of all: `at 2.30 s of the load (0.70 s before the step), cache/1, slot 9000: timed out`.
/// `None` if there is none, or if it is not listed.
pub(super) fn outage(r: &Report) -> Option<String> {
    let longest = r.outages.iter().max_by(|a, b| a.duration_ms.total_cmp(&b.duration_ms))?;
    let worst = [r.value("downtime.write.max"), r.value("downtime.read.max")];
    let worst = worst.into_iter().flatten().fold(0.0, f64::max);
    // Only the first outages are listed.
    (longest.duration_ms >= worst).then(|| told(r, longest))
}

fn told(r: &Report, outage: &Outage) -> String {
    let Outage { group, shard, slot, .. } = outage;
    let at = (outage.from_ms - r.timeline_ms.unwrap_or(0.0)) / 1e3;
    let slot = match (r.ownership.is_empty(), outage.moves) {
        (true, _) => String::new(),
        (false, true) => format!(", moving slot {slot}"),
        (false, false) => format!(", slot {slot}"),
    };
    let cause = outage.cause.map_or(String::new(), |cause| format!(": {cause}"));
    let open = if outage.to_ms.is_none() { ", not over when the load ended" } else { "" };
    let unseen = match outage.blind_ms {
        0.0 => String::new(),
        blind => format!("; redrill itself was not run for {} of it", Unit::Millis.show(blind)),
    };
    let moment = moment(r, outage.from_ms);
    format!("at {at:.2} s of the load ({moment}), {group}/{shard}{slot}{cause}{open}{unseen}")
}

/// The position of an instant relative to the steps: `0.70 s before the step`.
fn moment(r: &Report, at_ms: f64) -> String {
    let begun: Vec<&Step> = r.steps.iter().filter(|step| step.began_ms.is_some()).collect();
    let last = begun.iter().rposition(|step| step.began_ms.is_some_and(|began| began <= at_ms));
    let name = |i: usize| match r.steps.len() {
        1 => "the step".to_owned(),
        _ => format!("step {}", i + 1),
    };
    let Some(i) = last else {
        let first = begun.first().and_then(|step| step.began_ms);
        return match first {
            Some(began) => format!("{:.2} s before {}", (began - at_ms) / 1e3, name(0)),
            None => "with no step begun".to_owned(),
        };
    };
    let (began, ended) = (begun[i].began_ms.unwrap_or(at_ms), begun[i].ended_ms);
    match ended.filter(|ended| *ended <= at_ms) {
        Some(ended) => format!("{:.2} s after {}", (at_ms - ended) / 1e3, name(i)),
        None => format!("{:.2} s into {}", (at_ms - began) / 1e3, name(i)),
    }
}
