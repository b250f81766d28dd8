//! What crosses the relay, told once a second and at the end.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

use crate::cluster::Deployment;
use crate::model::event::{EventKind, Grain};
use crate::model::traffic::{End, add_up};

use super::stage::Stage;

const SECOND: Duration = Duration::from_secs(1);
/// A matrix of more nodes nobody reads.
const FEW: usize = 12;

/// Tells until it is dropped. Where nodes talk directly there is nothing to tell.
pub async fn tell(stage: &Stage<'_>, deployment: &Deployment) -> Infallible {
    if deployment.network.is_none() {
        return pending().await;
    }
    let mut ticks = interval_at(Instant::now() + SECOND, SECOND);
    loop {
        ticks.tick().await;
        by_places(stage, deployment);
    }
}

/// What it has come to, by nodes too, and what the machine refused the relay.
pub fn tell_at_end(stage: &Stage<'_>, deployment: &Deployment) {
    by_places(stage, deployment);
    let Some(network) = &deployment.network else { return };
    if deployment.nodes().count() <= FEW {
        let crossings = add_up(&network.fabric().traffic(), End::to_string);
        stage.teller.tell(EventKind::Traffic { by: Grain::Nodes, crossings });
    }
    if let Some(text) = network.fabric().trouble() {
        stage.teller.tell(EventKind::Warning { text });
    }
}

fn by_places(stage: &Stage<'_>, deployment: &Deployment) {
    let Some(network) = &deployment.network else { return };
    let crossings = add_up(&network.fabric().traffic(), |end| deployment.places.name(end));
    stage.teller.tell(EventKind::Traffic { by: Grain::Places, crossings });
}
