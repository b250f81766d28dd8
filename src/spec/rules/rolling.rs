//! Nodes can be restarted one after the other.

use std::time::Duration;

use super::ranged;
use super::there::Now;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::rolling::RollingMap;
use crate::spec::quantity::Time;
use crate::spec::rolling::{Gate, RollingRestart};
use crate::spec::scenario::{Data, StepAction, Target};

const PATIENCE: (Time, Time) =
    (Time(Duration::from_millis(100)), Time(Duration::from_secs(24 * 3600)));

pub fn check(
    map: &RollingMap,
    now: Now<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<StepAction> {
    let target = map.target.or(Target::All);
    if let Some(at) = map.target.given()
        && let Some((message, advice)) = now.lacks(&at.value)
    {
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
    }
    let hand_over = map.hand_over.or(false);
    if let (true, Some(at)) = (hand_over, map.hand_over.given())
        && let Some((message, advice)) = nobody_takes_over(now)
    {
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
    }
    let why = "a node that never comes back ends the step after so long";
    let default = Time(Duration::from_secs(30));
    let patience = ranged("patience", &map.patience, default, PATIENCE, why, diagnostics);
    Some(StepAction::Rolling(RollingRestart {
        target,
        data: map.data.or(Data::Kept),
        hand_over,
        gate: map.gate.or(Gate::Whole),
        patience: patience.0,
    }))
}

fn nobody_takes_over(now: Now<'_>) -> Option<(String, &'static str)> {
    let name = &now.group.name;
    (!now.owned.has_replicas()).then(|| {
        let message = format!("`{name}` has no replicas to hand over to");
        (message, "give it some, or leave `hand_over` out")
    })
}
