//! The instruments of a drill: probes of every slot canary, and the watcher of
//! what each node believes.

use crate::cluster::Deployment;
use crate::model::event::Canary;
use crate::probe::{Prober, canary};
use crate::spec::topology::Mode;

use super::forecast::Forecast;
use super::loads::targets;
use super::play::{Halt, Stage};

/// Dropping it stops them.
pub struct Observers {
    prober: Option<Prober>,
}

impl Observers {
    pub async fn launch(
        stage: &Stage<'_>,
        deployment: &Deployment,
        forecast: &Forecast,
    ) -> Result<Observers, Halt> {
        let probe = stage.scenario.probe;
        let canaries = canaries(deployment, forecast, probe.canaries);
        let named = deployment.groups.iter().map(|g| (g.spec.name.clone(), targets(g)));
        let prober = Prober::launch(canaries, named.collect(), probe, stage.teller.clone());
        Ok(Observers { prober: Some(prober.await.map_err(Halt::failed)?) })
    }

    pub fn step_began(&mut self, _step: usize) {}

    pub fn step_ended(&mut self, _step: usize) {}

    /// Ends the probes; the nodes are still watched.
    pub async fn stop_probing(&mut self) -> Result<(), Halt> {
        match self.prober.take() {
            Some(prober) => prober.stop().await.map_err(Halt::failed),
            None => Ok(()),
        }
    }

    pub async fn stop(self) {}
}

fn canaries(deployment: &Deployment, forecast: &Forecast, per_shard: u32) -> Vec<Canary> {
    let of_group = |(index, group): (usize, &crate::cluster::DeployedGroup)| {
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
