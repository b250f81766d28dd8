//! Nodes can be restarted one after the other.

use std::time::Duration;

use super::ranged;
use super::there::Now;
use crate::spec::fault::Fault;
use crate::spec::file::rolling::RollingMap;
use crate::spec::quantity::Time;
use crate::spec::rolling::{Gate, RollingRestart};
use crate::spec::scenario::{Data, StepAction, Target};

const PATIENCE: (Time, Time) =
    (Time(Duration::from_millis(100)), Time(Duration::from_secs(24 * 3600)));

pub fn check(map: &RollingMap, now: Now<'_>, faults: &mut Vec<Fault>) -> Option<StepAction> {
    let target = map.target.or(Target::All);
    if let Some(at) = map.target.given()
        && let Some((message, advice)) = now.lacks(&at.value)
    {
        faults.push(Fault::new(&at.span, message).advise(advice));
    }
    let hand_over = map.hand_over.or(false);
    if let (true, Some(at)) = (hand_over, map.hand_over.given())
        && let Some((message, advice)) = nobody_takes_over(now)
    {
        faults.push(Fault::new(&at.span, message).advise(advice));
    }
    let why = "a node that never comes back ends the step after so long";
    let default = Time(Duration::from_secs(30));
    let patience = ranged("patience", &map.patience, default, PATIENCE, why, faults);
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
