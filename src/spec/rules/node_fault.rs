//! Steps that do something to nodes: the nodes are there, and it can be done to them.

use std::time::Duration;

use super::there::Now;
use super::{check_range, hardship, sentinels};
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::step::StepMap;
use crate::spec::quantity::Time;
use crate::spec::scenario::{Data, Force, NodeFault, StepAction, Target};
use crate::spec::topology::{Group, Mode};

const MAX_LASTS: Duration = Duration::from_secs(24 * 3600);

/// What `step` does to nodes, if it is such a step.
pub fn check(
    step: &At<StepMap>,
    now: Now<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<StepAction> {
    let group = now.group;
    let (fault, target) = match &step.value {
        StepMap::Kill(map) => {
            (NodeFault::Kill { lasts: lasts(&map.lasts, diagnostics) }, &map.target)
        }
        StepMap::Stop(map) => {
            (NodeFault::Stop { lasts: lasts(&map.lasts, diagnostics) }, &map.target)
        }
        StepMap::Pause(map) => {
            (NodeFault::Pause { lasts: lasts(&map.lasts, diagnostics) }, &map.target)
        }
        StepMap::Restart(map) => {
            (NodeFault::Restart { data: map.data.or(Data::Kept) }, &map.target)
        }
        StepMap::Failover(map) => (
            NodeFault::Failover { force: check_force(&map.force, group, diagnostics) },
            &map.target,
        ),
        step_map => {
            let (target, time) = bears(step_map)?;
            let (hardship, lasts) =
                (hardship::check(step, group, diagnostics), lasts(time, diagnostics));
            (NodeFault::Bear { hardship: hardship?, lasts }, target)
        }
    };
    let target = target.given()?;
    if let Some((message, advice)) = now.lacks(&target.value) {
        diagnostics.push(Diagnostic::new(&target.span, message).advise(advice));
        return None;
    }
    let cannot = match fault {
        NodeFault::Failover { .. } => cannot_fail_over(&target.value, group),
        NodeFault::Bear { hardship, .. } => {
            sentinels::cannot_bear(hardship, &target.value, (group, now.regions))
        }
        _ => None,
    };
    if let Some((message, advice)) = cannot {
        diagnostics.push(Diagnostic::new(&target.span, message).advise(advice));
        return None;
    }
    Some(StepAction::Fault { fault, target: target.value.clone() })
}

/// Target and time of a step that takes something of its resources from a server.
fn bears(step: &StepMap) -> Option<(&Field<Target>, &Field<Time>)> {
    Some(match step {
        StepMap::Slow(map) => (&map.target, &map.lasts),
        StepMap::MemoryPressure(map) => (&map.target, &map.lasts),
        StepMap::DiskFull(map) => (&map.target, &map.lasts),
        StepMap::SlowDisk(map) => (&map.target, &map.lasts),
        StepMap::ClockStep(map) => (&map.target, &map.lasts),
        _ => return None,
    })
}

pub fn lasts(field: &Field<Time>, diagnostics: &mut Vec<Diagnostic>) -> Option<Duration> {
    let at = field.given()?;
    let range = (Time(Duration::from_millis(1)), Time(MAX_LASTS));
    let why = "a drill takes a day at most; without `for` it lasts until the load has ended";
    check_range("for", &at.value, &at.span, range, why, diagnostics);
    Some(at.value.0)
}

/// Why a failover cannot be told so, and what to write.
fn cannot_fail_over(target: &Target, group: &Group) -> Option<(String, String)> {
    if group.mode == Mode::Standalone {
        let message = format!("`{}` has no replica that could take over", group.name);
        return Some((message, "give it another mode and replicas".to_owned()));
    }
    let one_sentinel = match target {
        Target::Node(name) => name.is_sentinel(),
        other => *other == Target::RandomSentinel,
    };
    if group.sentinels().is_some() {
        return (!one_sentinel).then(|| {
            let message = format!("`{target}` is not one sentinel, and they choose the replica");
            (message, format!("write {}/sentinel/0, or `random sentinel`", group.name))
        });
    }
    let one_replica =
        matches!(target, Target::Node(_) | Target::ReplicaOf(_) | Target::RandomReplica);
    (!one_replica).then(|| {
        let message = format!("`{target}` is not one replica");
        (message, "write `a replica of shard 1`, or a node's name".to_owned())
    })
}

/// SENTINEL FAILOVER does not ask the other sentinels, and knows no other way.
fn check_force(force: &Field<Force>, group: &Group, diagnostics: &mut Vec<Diagnostic>) -> Force {
    let Some(at) = force.given() else { return Force::None };
    if group.sentinels().is_some() && at.value != Force::None {
        let diagnostic = Diagnostic::new(&at.span, "sentinels fail over in one way only");
        diagnostics.push(
            diagnostic.advise("leave `force` out; it is for clusters and mode `replication`"),
        );
    }
    at.value
}
