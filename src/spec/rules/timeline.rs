//! Steps that can be done, in the order of their instants.

use std::collections::HashMap;
use std::time::Duration;

use super::{check_range, load, moves, network_step, node_fault};
use crate::spec::Purpose;
use crate::spec::decode::At;
use crate::spec::fault::Fault;
use crate::spec::file::step::StepMap;
use crate::spec::quantity::Time;
use crate::spec::scenario::Step;
use crate::spec::topology::Topology;

const MAX_AT: Duration = Duration::from_secs(24 * 3600);

/// The checked steps, by their instants.
pub fn check(
    steps: &[At<StepMap>],
    topology: Option<&Topology>,
    purpose: Purpose,
    faults: &mut Vec<Fault>,
) -> Vec<Step> {
    let mut ordered: Vec<&At<StepMap>> = steps.iter().collect();
    ordered.sort_by_key(|step| step.value.at().or(Time(Duration::ZERO)));
    let mut owned: HashMap<&str, Vec<u32>> = HashMap::new();
    let mut checked = Vec::new();
    for step in ordered {
        if let Some(at) = step.value.at().given() {
            let range = (Time(Duration::ZERO), Time(MAX_AT));
            check_range("at", &at.value, &at.span, range, "a drill takes a day at most", faults);
        }
        let Some(topology) = topology else { continue };
        let group = match &topology.groups[..] {
            // Links between regions and clients are no group's.
            [first, ..] if step.value.is_of_no_group() => Some(first),
            _ => load::group(step.value.group(), &step.span, topology, faults),
        };
        let Some(group) = group else { continue };
        let action = match step.value.moves() {
            Some(_) => moves::check(step, group, owned.entry(&group.name).or_default(), faults),
            None if step.value.sides().is_some() => {
                network_step::check(step, group, topology, purpose, faults)
            }
            None => node_fault::check(step, group, faults),
        };
        let at = step.value.at().or(Time(Duration::ZERO)).0;
        let group = group.name.clone();
        checked.extend(action.map(|action| Step { at, group, action }));
    }
    checked
}
