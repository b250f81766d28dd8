//! The instruments of a drill: probes of every slot canary, and the watcher of each node's
//! view.

use crate::cluster::{DeployedGroup, Deployment};
use crate::model::event::Canary;
use crate::probe::{Prober, Watcher, canary};
use crate::spec::topology::Mode;

use super::forecast::Forecast;
use super::loads::targets;
use super::stage::{Halt, Stage};

/// Dropping it stops them.
pub struct Observers {
    prober: Option<Prober>,
    watcher: Watcher,
}

impl Observers {
    pub async fn launch(
        stage: &Stage<'_>,
        deployment: &Deployment,
        forecast: &Forecast,
    ) -> Result<Observers, Halt> {
        let watcher = Watcher::launch(&deployment.groups, stage.teller.clone());
        let watcher = watcher.map_err(Halt::failed)?;
        let probe = stage.scenario.probe;
        let canaries = canaries(deployment, forecast, probe.canaries);
        // Probes stand for users, so they connect from the place of the group's users.
        let users = |group: &DeployedGroup| {
            let load = stage.scenario.loads.iter().find(|load| load.group == group.spec.name)?;
            load.region.as_deref()
        };
        let of = |group: &DeployedGroup| targets(deployment, group, users(group));
        let named = deployment.groups.iter().map(|g| (g.spec.name.clone(), of(g)));
        let prober = Prober::launch(canaries, named.collect(), probe, stage.teller.clone());
        let prober = prober.await.map_err(Halt::failed)?;
        Ok(Observers { prober: Some(prober), watcher })
    }

    pub fn step_began(&self, step: usize) {
        self.watcher.step_began(step);
    }

    pub fn step_ended(&self, step: usize) {
        self.watcher.step_ended(step);
    }

    /// Emits the nodes that do not agree now.
    pub async fn settled(&self) {
        self.watcher.settled().await;
    }

    /// From now on, no agreement counts for a step.
    pub fn steps_are_over(&self) {
        self.watcher.steps_are_over();
    }

    /// Ends the probes. The nodes are still watched.
    pub async fn stop_probing(&mut self) -> Result<(), Halt> {
        match self.prober.take() {
            Some(prober) => prober.stop().await.map_err(Halt::failed),
            None => Ok(()),
        }
    }

    pub fn stop(self) {
        self.watcher.stop();
    }
}

fn canaries(deployment: &Deployment, forecast: &Forecast, per_shard: u32) -> Vec<Canary> {
    let of_group = |(index, group): (usize, &DeployedGroup)| {
        let name = &group.spec.name;
        match group.spec.mode {
            Mode::Cluster { .. } => {
                let owners = &forecast.owners[index];
                canary::of_cluster(name, owners, per_shard, &forecast.moving(index))
            }
            _ => canary::of_shard(name, per_shard),
        }
    };
    deployment.groups.iter().enumerate().flat_map(of_group).collect()
}
