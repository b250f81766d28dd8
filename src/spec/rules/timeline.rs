//! Steps that can be done, in the order of their instants.

use std::collections::HashMap;
use std::time::Duration;

use super::down::Down;
use super::load;
use crate::spec::Capabilities;
use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Time;
use crate::spec::step::{Context, Owned, Step, StepMap};
use crate::spec::topology::{Group, Topology};

/// The checked timeline, by its instants.
pub fn check(
    steps: &[At<StepMap>],
    topology: Option<&Topology>,
    capabilities: &Capabilities,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Step> {
    let mut ordered: Vec<&At<StepMap>> = steps.iter().collect();
    ordered.sort_by_key(|step| step.value.shared.at.or(Time(Duration::ZERO)));
    let relayed = steps.iter().any(|step| step.value.needs_relay());
    // What each group has become by then.
    let mut groups: HashMap<&str, (Group, Owned)> = HashMap::new();
    let mut down = Down::default();
    let mut checked = Vec::new();
    for step in ordered {
        let shared = &step.value.shared;
        let Some(topology) = topology else {
            shared.begins(diagnostics);
            continue;
        };
        let group = match &topology.groups[..] {
            // Links between regions and clients are no group's.
            [first, ..] if shared.is_of_no_group() => Some(first),
            _ => load::group(&shared.group, &step.span, topology, diagnostics),
        };
        let Some(group) = group else {
            shared.begins(diagnostics);
            continue;
        };
        let (group, owned) =
            groups.entry(&group.name).or_insert_with(|| (group.clone(), Owned::of(group)));
        let mut context =
            Context { capabilities, topology, relayed, group, owned, step: shared, target: None };
        if let Some(can_be_played) = step.value.check(&mut context, diagnostics) {
            down.look(&can_be_played, &step.span, diagnostics);
            checked.push(can_be_played);
        }
    }
    checked
}
