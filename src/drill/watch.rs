//! The instruments of a drill: probes of every slot canary, and the watcher of each node's
//! view.

use std::collections::BTreeMap;

use crate::cluster::{DeployedGroup, Deployment};
use crate::model::event::{Canary, SyncPair};
use crate::probe::{LagProber, Member, Prober, Watcher, canary};
use crate::spec::Scenario;
use crate::spec::scenario::Load;
use crate::spec::topology::Mode;

use super::context::{DrillContext, Halt};
use super::forecast::Forecast;
use super::loads::targets;

/// Dropping it stops them.
pub struct Observers {
    prober: Option<Prober>,
    lag: Option<LagProber>,
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
        let lag = lag(drill, deployment)?;
        Ok(Observers { prober: Some(prober), lag, watcher })
    }

    /// Ends the probes. The nodes are still watched.
    pub async fn stop_probing(&mut self) -> Result<(), Halt> {
        if let Some(prober) = self.prober.take() {
            prober.stop().await.map_err(Halt::failed)?;
        }
        match self.lag.take() {
            Some(lag) => lag.stop().await.map_err(Halt::failed),
            None => Ok(()),
        }
    }
}

/// Of groups that have the same data: how late each sees what another one has acknowledged.
fn lag(drill: &DrillContext<'_>, deployment: &Deployment) -> Result<Option<LagProber>, Halt> {
    let Some(source) = deployment.sync.as_ref().map(|sync| &deployment.groups[sync.from]) else {
        return Ok(None);
    };
    let groups = deployment.same_data(source);
    let topology = &drill.scenario.topology;
    let pair = |from: &DeployedGroup, to: &DeployedGroup| {
        let link = topology.latency(from.spec.first_region(), to.spec.first_region());
        let (from, to) = (from.spec.name.clone(), to.spec.name.clone());
        SyncPair { from, to, link_ns: link.as_nanos() as u64 }
    };
    let others = |from: &DeployedGroup| {
        let others = groups.iter().filter(|to| to.spec.name != from.spec.name);
        others.map(|to| pair(from, to)).collect::<Vec<_>>()
    };
    let pairs = groups.iter().flat_map(|from| others(from)).collect();
    let member = |group: &&DeployedGroup| {
        let nodes = group.born().map(|node| node.admin.clone()).collect();
        Member { group: group.spec.name.clone(), nodes }
    };
    let members = groups.iter().map(member).collect();
    let every = drill.scenario.probe.every;
    LagProber::launch(pairs, members, every, drill.teller.clone()).map(Some).map_err(Halt::failed)
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
