//! The instruments of a drill: probes of every slot canary, and the watcher of each node's
//! view.

use std::collections::BTreeMap;

use crate::cluster::{DeployedGroup, Deployment};
use crate::model::Workload;
use crate::model::event::{Canary, SyncPair};
use crate::node::{Admin, Node};
use crate::probe::{LagProber, Member, Prober, Sampled, Tied, Watcher, Writing, canary};
use crate::spec::scenario::Load;
use crate::spec::sync::{DataSync, SyncRule};
use crate::spec::topology::Mode;
use crate::sync::shard::Shard;

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
        let tied = deployment.sync.as_ref().map(DataSync::by_roles).unwrap_or_default();
        let keeping = drill.scenario.loads.iter().filter(|load| load.workload.expires());
        let stalls = keeping.map(|load| load.groups[0].clone()).collect();
        let teller = drill.teller.clone();
        let settings = (tied, stalls, deployment.cuts.clone());
        let watcher = Watcher::launch(&deployment.groups, settings, probe.budget, teller);
        let watcher = watcher.map_err(Halt::failed)?;
        let mut canaries = Vec::new();
        let mut named = BTreeMap::new();
        for (index, group) in deployment.groups.iter().enumerate() {
            // The canaries of a copy are those of its source.
            if drill.scenario.topology.source_of(&group.spec.name).is_some() {
                continue;
            }
            let regions = drill.scenario.probed_from(&group.spec.name);
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
    let Some(sync) = &deployment.sync else { return Ok(None) };
    let group = |index: usize| &deployment.groups[index];
    // They are the same in all members.
    let shards = sync.members().first().map(|first| Shard::all_of(&group(*first).spec));
    let shards = shards.unwrap_or_default();
    let of_pair = |(from, to): (usize, usize)| {
        let [from, to] = [from, to].map(|index| &group(index).spec);
        let link = drill.scenario.topology.latency(from.first_region(), to.first_region());
        let pair = move |(shard, of): (u32, &Shard)| SyncPair {
            from: from.name.clone(),
            to: to.name.clone(),
            link_ns: link.as_nanos() as u64,
            shard: of.has_slots().then_some(shard),
        };
        (0..).zip(&shards).map(pair)
    };
    let member = |index: usize| Member {
        group: group(index).spec.name.clone(),
        shards: (0..).zip(&shards).map(|(shard, _)| asked_of(group(index), shard)).collect(),
    };
    let loads = drill.scenario.loads.iter().filter(|load| is_sampled(load.workload, sync.rule()));
    let of_all = |load: &&Load| !drill.scenario.writers(load).is_empty();
    let owned = loads.filter(of_all).filter(|load| load.keyspace.of.is_none());
    let sampled = owned.map(|load| Sampled { name: load.name.clone(), keys: load.keys });
    let tied = Tied {
        sampled: sampled.collect(),
        pairs: sync.directed().into_iter().flat_map(of_pair).collect(),
        shards: shards.clone(),
        members: sync.members().into_iter().map(member).collect(),
        writing: match sync {
            DataSync::Replica { .. } => Writing::One,
            DataSync::External { .. } => Writing::Plain,
            DataSync::ActiveActive { .. } => Writing::Outbox,
            DataSync::Standby { .. } => Writing::InTurn,
        },
    };
    let every = drill.scenario.probe.every;
    LagProber::launch(tied, every, drill.teller.clone()).map(Some).map_err(Halt::failed)
}

/// Whether keys of such a load are compared while it runs: they hold one value each, which does not
/// come again. By the last-writer rule a counter's does: an increment is thrown away, and the next one
/// makes the same number.
fn is_sampled(workload: Workload, rule: Option<SyncRule>) -> bool {
    match workload {
        Workload::Register => true,
        Workload::Counter => rule != Some(SyncRule::Lww),
        _ => false,
    }
}

/// How the nodes that a shard may be led by are asked: its own first. Those of other shards may
/// come to it.
fn asked_of(group: &DeployedGroup, shard: u32) -> Vec<Admin> {
    let (own, others): (Vec<&Node>, Vec<&Node>) =
        group.born().partition(|node| node.name.shard() == Some(shard));
    own.into_iter().chain(others).map(|node| node.admin.clone()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_not_compared() {
        let sampled = |workload, rule| is_sampled(workload, Some(rule));
        assert!(sampled(Workload::Register, SyncRule::Lww));
        assert!(!sampled(Workload::Counter, SyncRule::Lww));
        assert!(sampled(Workload::Counter, SyncRule::Crdt));
        assert!(is_sampled(Workload::Counter, None) && !is_sampled(Workload::Set, None));
    }
}
