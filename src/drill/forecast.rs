//! What a scenario's steps will do, known before anything starts.
//!
//! Each step is planned on the owners that the steps before it will leave. So an impossible
//! step is refused before the drill begins, and canaries can be placed in slots that are going
//! to move.

use crate::cluster::even_slots;
use crate::cluster::plan::{PlanError, Route, plan};
use crate::model::slot::SlotSet;
use crate::spec::Scenario;
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
        for joiner in step.action.joiners(&step.group) {
            // A shard that joins owns nothing at first.
            let shards = joiner.shard().map_or(0, |shard| shard as usize + 1);
            let owners = &mut now[group];
            owners.resize(shards.max(owners.len()), SlotSet::default());
        }
        let routes = step.action.slots().map(|slots| plan(&slots, &now[group]));
        let routes = routes.unwrap_or_else(|| Ok(Vec::new()));
        let impossible = |source| Impossible { index, what: step.describe(), source };
        let routes = routes.map_err(impossible)?;
        for route in &routes {
            apply(route, &mut now[group]);
        }
        steps.push((group, routes));
    }
    Ok(Forecast { owners, steps })
}

fn apply(route: &Route, owners: &mut [SlotSet]) {
    let (from, to) = (route.from as usize, route.to as usize);
    owners[from] = owners[from].iter().filter(|slot| !route.slots.contains(*slot)).collect();
    owners[to] = owners[to].iter().chain(route.slots.iter()).collect();
}

impl Forecast {
    /// The slots that each step moves in group number `group`.
    pub fn moving(&self, group: usize) -> Vec<SlotSet> {
        let of_group = self.steps.iter().filter(|(of, _)| *of == group);
        of_group.map(|(_, routes)| routes.iter().flat_map(|r| r.slots.iter()).collect()).collect()
    }
}
