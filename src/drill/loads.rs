//! All loads of a drill, as one.

use futures::future::try_join_all;

use crate::cluster::{DeployedGroup, Deployment};
use crate::load::history::History;
use crate::load::{LoadRunner, Targets};
use crate::model::Nanos;

use crate::spec::topology::Mode;

use super::stage::{Halt, Stage};

/// Dropping it stops them.
pub struct Loads {
    runners: Vec<LoadRunner>,
}

/// Where the clients of a group begin.
pub fn targets(group: &DeployedGroup) -> Targets {
    let seeds = group.nodes.iter().map(|node| node.addr).collect();
    Targets { seeds, cluster: matches!(group.spec.mode, Mode::Cluster { .. }) }
}

impl Loads {
    pub async fn launch(
        stage: &Stage<'_>,
        deployment: &Deployment,
        history: &History,
    ) -> Result<Loads, Halt> {
        let launches = stage.scenario.loads.iter().enumerate().map(|(index, load)| {
            let group = deployment.group(&load.group);
            let (teller, writer) = (stage.teller.clone(), history.writer());
            async move {
                let group =
                    group.ok_or_else(|| Halt::failed(format_args!("no group {}", load.group)))?;
                LoadRunner::launch(index as u8, load, targets(group), stage.seed, teller, writer)
                    .await
                    .map_err(Halt::failed)
            }
        });
        Ok(Loads { runners: try_join_all(launches).await? })
    }

    /// Every load writes each of its keys once.
    pub async fn fill(&mut self) -> Result<(), Halt> {
        let fills = self.runners.iter_mut().map(LoadRunner::fill);
        try_join_all(fills).await.map(drop).map_err(Halt::failed)
    }

    pub fn begin(&mut self, at: Nanos) -> Result<(), Halt> {
        self.runners.iter_mut().try_for_each(|load| load.begin(at)).map_err(Halt::failed)
    }

    pub async fn stop(&mut self) -> Result<(), Halt> {
        let stops = self.runners.iter_mut().map(LoadRunner::stop);
        try_join_all(stops).await.map(drop).map_err(Halt::failed)
    }

    /// Reads every key once; keys that stay unread are in the history as such.
    pub async fn final_read(&mut self, deadline: Nanos) -> Result<(), Halt> {
        let reads = self.runners.iter_mut().map(|load| load.final_read(deadline));
        try_join_all(reads).await.map(drop).map_err(Halt::failed)
    }
}
