//! Steps that can be done, in the order of their instants.

use std::collections::HashMap;
use std::time::Duration;

use super::down::Down;
use super::moves::{self, Owned};
use super::there::Now;
use super::via::TimelineContext;
use super::{chaos, check_range, load, network_step, node_fault, rolling, scale};
use crate::spec::Purpose;
use crate::spec::chaos::Chaos;
use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::step::StepMap;
use crate::spec::quantity::Time;
use crate::spec::scenario::Step;
use crate::spec::topology::{Group, Topology};

const MAX_AT: Duration = Duration::from_secs(24 * 3600);

/// What is written out, and what is to be drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// By their instants.
    pub steps: Vec<Step>,
    pub chaos: Vec<Chaos>,
}

/// The checked timeline.
pub fn check(
    steps: &[At<StepMap>],
    topology: Option<&Topology>,
    purpose: Purpose,
    diagnostics: &mut Vec<Diagnostic>,
) -> Timeline {
    let mut ordered: Vec<&At<StepMap>> = steps.iter().collect();
    ordered.sort_by_key(|step| step.value.at().or(Time(Duration::ZERO)));
    let around =
        TimelineContext { purpose, relayed: steps.iter().any(|step| step.value.is_relayed()) };
    // What each group has become by then.
    let mut groups: HashMap<&str, (Group, Owned)> = HashMap::new();
    let mut down = Down::default();
    let mut checked = Timeline::default();
    for step in ordered {
        if let Some(at) = step.value.at().given() {
            let range = (Time(Duration::ZERO), Time(MAX_AT));
            check_range(
                "at",
                &at.value,
                &at.span,
                range,
                "a drill takes a day at most",
                diagnostics,
            );
        }
        let Some(topology) = topology else { continue };
        let group = match &topology.groups[..] {
            // Links between regions and clients are no group's.
            [first, ..] if step.value.is_of_no_group() => Some(first),
            _ => load::group(step.value.group(), &step.span, topology, diagnostics),
        };
        let Some(group) = group else { continue };
        let (group, owned) =
            groups.entry(&group.name).or_insert_with(|| (group.clone(), Owned::of(group)));
        if let StepMap::Chaos(map) = &step.value {
            checked.chaos.extend(chaos::check(map, group, diagnostics));
            continue;
        }
        let regions = &topology.regions[..];
        let now = Now { group, owned, regions };
        let action = match step.value.moves() {
            _ if let StepMap::Rolling(map) = &step.value => rolling::check(map, now, diagnostics),
            _ if step.value.scales() => scale::check(step, group, owned, diagnostics),
            Some(_) => moves::check(step, group, owned, diagnostics),
            None if step.value.sides().is_some() => {
                network_step::check(step, now, topology, around, diagnostics)
            }
            None => node_fault::check(step, now, diagnostics),
        };
        let at = step.value.at().or(Time(Duration::ZERO)).0;
        if let Some(action) = &action {
            down.look(at, action, &step.span, diagnostics);
        }
        let group = group.name.clone();
        checked.steps.extend(action.map(|action| Step { at, group, drawn: false, action }));
    }
    checked
}
