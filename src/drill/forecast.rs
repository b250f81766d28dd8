//! What a scenario's steps will do, known before anything starts.
//!
//! Each step is planned on the owners that the steps before it will leave. So an impossible
//! step is refused before the drill begins, and canaries can be placed in slots that are going
//! to move.

use crate::cluster::even_slots;
use crate::cluster::plan::{PlanError, Route, plan};
use crate::model::slot::SlotSet;
use crate::spec::Scenario;
use crate::spec::quantity::Time;
use crate::spec::scale::Scale;
use crate::spec::scenario::{Data, Force, NodeFault, SlotMove, Step, StepAction};
use crate::spec::topology::Mode;

/// The owners at the start, and the routes of each step.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// By group, in the topology's order: the slots of each shard. Empty for a
    /// group that is no cluster.
    pub owners: Vec<Vec<SlotSet>>,
    /// By step: the group's index, and its routes.
    pub steps: Vec<(usize, Vec<Route>)>,
}

/// A step that the steps before it make impossible.
#[derive(Debug, thiserror::Error)]
#[error("step {} of the timeline ({what}) cannot be done: {source}", index + 1)]
pub struct Impossible {
    index: usize,
    what: String,
    source: PlanError,
}

pub fn forecast(scenario: &Scenario) -> Result<Forecast, Impossible> {
    let groups = &scenario.topology.groups;
    let slots = |mode: &Mode| match mode {
        Mode::Cluster { shards, .. } => even_slots(*shards),
        _ => Vec::new(),
    };
    let owners: Vec<Vec<SlotSet>> = groups.iter().map(|group| slots(&group.mode)).collect();
    let mut now = owners.clone();
    let mut steps = Vec::new();
    for (index, step) in scenario.timeline.iter().enumerate() {
        let group = groups.iter().position(|g| g.name == step.group).unwrap_or_default();
        let routes = match &step.action {
            StepAction::Move { slots, .. } => plan(slots, &now[group]),
            StepAction::Scale(scale) => scaled(scale, &mut now[group]),
            _ => Ok(Vec::new()),
        };
        let impossible = |source| Impossible { index, what: describe(step), source };
        let routes = routes.map_err(impossible)?;
        for route in &routes {
            apply(route, &mut now[group]);
        }
        steps.push((group, routes));
    }
    Ok(Forecast { owners, steps })
}

/// The routes when a shard joins or leaves.
fn scaled(scale: &Scale, owners: &mut Vec<SlotSet>) -> Result<Vec<Route>, PlanError> {
    if let Scale::AddShard { .. } = scale {
        owners.push(SlotSet::default());
    }
    scale.slots().map_or(Ok(Vec::new()), |slots| plan(&slots, owners))
}

fn apply(route: &Route, owners: &mut [SlotSet]) {
    let (from, to) = (route.from as usize, route.to as usize);
    owners[from] = owners[from].iter().filter(|slot| !route.slots.contains(*slot)).collect();
    owners[to] = owners[to].iter().chain(route.slots.iter()).collect();
}

/// The step as text for a person.
pub fn describe(step: &Step) -> String {
    match step.drawn {
        true => format!("chaos: {}", done(step)),
        false => done(step),
    }
}

fn done(step: &Step) -> String {
    let group = &step.group;
    match &step.action {
        StepAction::Move { slots, .. } => match slots {
            SlotMove::Reshard { from, to, slots } => {
                format!("reshard {group}: {slots} slots from shard {from} to shard {to}")
            }
            SlotMove::Drain { shard } => {
                format!("drain {group}: all slots of shard {shard} to the others")
            }
            SlotMove::Rebalance { weights } => {
                let weights: Vec<String> = weights.iter().map(f64::to_string).collect();
                format!("rebalance {group}: slots by weight {}", weights.join(" : "))
            }
        },
        StepAction::Network(step) => step.describe(group),
        StepAction::Rolling(rolling) => rolling.describe(group),
        StepAction::Scale(scale) => scale.describe(group),
        StepAction::Fault { fault, target } => {
            let lasts = fault.lasts().map(|lasts| format!(" for {}", Time(lasts)));
            let how = match fault {
                NodeFault::Bear { hardship, .. } => {
                    let how = hardship.describe();
                    // The text of a sleep contains its length already.
                    let lasts = lasts.filter(|_| !hardship.is_one_sleep()).unwrap_or_default();
                    return format!("{} {group}: {target}{how}{lasts}", fault.word());
                }
                NodeFault::Restart { data: Data::Dropped } => " without its data",
                NodeFault::Failover { force: Force::Force } => ", by force",
                NodeFault::Failover { force: Force::Takeover } => ", by takeover",
                _ => "",
            };
            format!("{} {group}: {target}{}{how}", fault.word(), lasts.unwrap_or_default())
        }
    }
}

impl Forecast {
    /// The slots that each step moves in group number `group`.
    pub fn moving(&self, group: usize) -> Vec<SlotSet> {
        let of_group = self.steps.iter().filter(|(of, _)| *of == group);
        of_group.map(|(_, routes)| routes.iter().flat_map(|r| r.slots.iter()).collect()).collect()
    }
}
