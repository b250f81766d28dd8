//! The instruments of a drill: probes of every slot canary, and the watcher of each node's
//! view.

use std::collections::BTreeMap;

use crate::cluster::{DeployedGroup, Deployment};
use crate::model::event::Canary;
use crate::probe::{Prober, Watcher, canary};
use crate::spec::Scenario;
use crate::spec::scenario::Load;
use crate::spec::topology::Mode;

use super::context::{DrillContext, Halt};
use super::forecast::Forecast;
use super::loads::targets;

/// Dropping it stops them.
pub struct Observers {
    prober: Option<Prober>,
    pub watcher: Watcher,
}

impl Observers {
    pub async fn launch(
        drill: &DrillContext<'_>,
        deployment: &Deployment,
        forecast: &Forecast,
    ) -> Result<Observers, Halt> {
        let probe = drill.scenario.probe;
        let sync = deployment.sync.iter();
        let tied = sync.flat_map(|sync| [sync.from].into_iter().chain(sync.to.clone())).collect();
        let watcher = Watcher::launch(&deployment.groups, tied, probe.budget, drill.teller.clone());
        let watcher = watcher.map_err(Halt::failed)?;
        let mut canaries = Vec::new();
        let mut named = BTreeMap::new();
        for (index, group) in deployment.groups.iter().enumerate() {
            // The canaries of a copy are those of its source.
            if drill.scenario.topology.source_of(&group.spec.name).is_some() {
                continue;
            }
            let regions = regions(drill, group);
            let of_group = of_group(group, (forecast, index), probe.canaries);
            canaries.extend(canary::from_each(of_group, &regions));
            for region in &regions {
                let targets = targets(deployment, group, region.as_deref());
                // Canaries name it only where there are several.
                let told = region.clone().filter(|_| regions.len() > 1);
                named.insert((group.spec.name.clone(), told), targets);
            }
        }
        let prober = Prober::launch(canaries, named, probe, drill.teller.clone());
        let prober = prober.await.map_err(Halt::failed)?;
        Ok(Observers { prober: Some(prober), watcher })
    }

    /// Ends the probes. The nodes are still watched.
    pub async fn stop_probing(&mut self) -> Result<(), Halt> {
        match self.prober.take() {
            Some(prober) => prober.stop().await.map_err(Halt::failed),
            None => Ok(()),
        }
    }
}

/// Probes stand for users, so they connect from each region in which the group's data have users.
fn regions(drill: &DrillContext<'_>, group: &DeployedGroup) -> Vec<Option<String>> {
    let Scenario { loads, topology, .. } = drill.scenario;
    let mut regions: Vec<Option<String>> = Vec::new();
    let same = topology.same_data(&group.spec.name);
    let is_user = |load: &&Load| same.iter().any(|group| load.groups.contains(&group.name));
    for load in loads.iter().filter(is_user) {
        let region = load.region.as_ref().or(topology.regions.first()).cloned();
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    if regions.is_empty() { vec![None] } else { regions }
}

fn of_group(
    group: &DeployedGroup,
    (forecast, index): (&Forecast, usize),
    per_shard: u32,
) -> Vec<Canary> {
    let name = &group.spec.name;
    match group.spec.mode {
        Mode::Cluster { .. } => {
            canary::of_cluster(name, &forecast.owners[index], per_shard, &forecast.moving(index))
        }
        _ => canary::of_shard(name, per_shard),
    }
}
