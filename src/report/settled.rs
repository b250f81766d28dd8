//! When a step was over: its nodes agreed, and users were served again.
//!
//! The watcher tells when all nodes agreed on owners that live. Whether these serve, canaries
//! show: an outage of the step's time must be over too.

use std::time::Duration;

use crate::model::Nanos;

use super::record::Record;
use super::spans::Span;

/// A node that learns late may give up its role so long after the others agreed.
const AFTER: Duration = Duration::from_millis(500);

/// Each step's convergence is put off to the end of the outages that began before it, or just
/// after it, and not after another step's start. A step with an outage that never ended has not
/// converged.
pub(super) fn settle(record: &mut Record) {
    let starts: Vec<Nanos> = record.steps.iter().filter_map(|step| step.began).collect();
    let end = record.line_end().unwrap_or(record.last);
    let outages = &record.outages;
    for step in &mut record.steps {
        let Some(began) = step.began else { continue };
        let at_work = step.ended.max(step.undone.filter(|undone| *undone < end));
        let served = |agreed: Nanos| {
            let calm = agreed.max(at_work.unwrap_or(agreed));
            let next = starts.iter().copied().filter(|start| *start > calm).min();
            let to = next.map_or(calm + AFTER, |next| next.min(calm + AFTER));
            outages.over(Span { from: began, to }).map(|over| over.max(agreed))
        };
        step.view_converged = step.view_converged.and_then(served);
        step.converged = step.converged.and_then(served);
    }
}
