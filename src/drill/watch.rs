//! The instruments of a drill: probes of every slot canary, and the watcher of
//! what each node believes.

use crate::cluster::Deployment;
use crate::model::event::{Canary, What};
use crate::probe::{Prober, Watcher, canary};
use crate::spec::topology::Mode;

use super::forecast::Forecast;
use super::loads::targets;
use super::play::{Halt, Stage};

/// Dropping it stops them.
pub struct Observers {
    probers: Vec<Prober>,
    watcher: Watcher,
}

impl Observers {
    pub async fn launch(
        stage: &Stage<'_>,
        deployment: &Deployment,
        forecast: &Forecast,
    ) -> Result<Observers, Halt> {
        let watcher = Watcher::launch(groups, stage.teller.clone());
        Ok(Observers { probers, watcher })
    }
}
