//! Steps that do something to nodes or to links, and what of it is still to be undone.

use std::sync::Mutex;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::{Instant, sleep_until};

use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, Deployment};
use crate::fault::links::{self, Scene};
use crate::fault::{self, Field, Undo, target};
use crate::model::event::What;
use crate::net::Guard;
use crate::spec::network::NetworkStep;
use crate::spec::scenario::{NodeFault, Target};

use super::stage::Stage;

/// What steps have done and not undone: it lasts until the load has ended.
pub struct Faults<'a> {
    stage: &'a Stage<'a>,
    deployment: &'a Deployment,
    left: Mutex<Vec<(usize, Left)>>,
}

/// What a step left to be undone.
enum Left {
    Nodes(Undo),
    /// A rule on links, which ends with this.
    Links(Guard),
}

impl<'a> Faults<'a> {
    pub fn new(stage: &'a Stage<'a>, deployment: &'a Deployment) -> Faults<'a> {
        Faults { stage, deployment, left: Mutex::default() }
    }

    /// Does to nodes what step number `index` says, and undoes it when its time is over.
    /// Gives what went wrong.
    pub async fn on_nodes(
        &self,
        group: &DeployedGroup,
        index: usize,
        fault: NodeFault,
        target: &Target,
    ) -> Option<String> {
        let stage = self.stage;
        let shards = shards_now(group).await;
        let nodes = match target::select(target, &shards, &mut random(stage, index)) {
            Ok(nodes) => nodes,
            Err(error) => return Some(error.to_string()),
        };
        let field = Field { backend: stage.backend, nodes: &group.nodes };
        // Clients feel it before the last server has ended: from here on it counts.
        stage.teller.tell(What::StepInjected { step: index, nodes: nodes.clone() });
        let (undo, error) = fault::inject(field, fault, &nodes).await;
        self.deployment.look_at_processes(stage.backend);
        let error = error.map(|error| error.to_string());
        if undo.is_nothing() {
            return error;
        }
        if let Some(error) = &error {
            // The step ends later, and fails then.
            stage.teller.tell(What::Warning { text: error.clone() });
        }
        self.held().push((index, Left::Nodes(undo)));
        error.or(self.wait_and_undo(index, fault.lasts()).await)
    }

    /// The same to links.
    pub async fn on_links(
        &self,
        group: &DeployedGroup,
        index: usize,
        step: &NetworkStep,
    ) -> Option<String> {
        let stage = self.stage;
        let Some(network) = &self.deployment.network else {
            return Some(
                "the nodes are not linked by a relay; this is a bug in redrill".to_owned(),
            );
        };
        let shards = shards_now(group).await;
        let scene = Scene { places: network.places(), group: &group.spec.name, shards: &shards };
        let found = match links::find(&step.links, scene, &mut random(stage, index)) {
            Ok(found) => found,
            Err(error) => return Some(error.to_string()),
        };
        stage.teller.tell(What::StepInjected { step: index, nodes: found.nodes });
        let apply = || links::apply(step.fault, network.fabric(), &found.pairs);
        if let (Some(every), Some(lasts)) = (step.every, step.lasts) {
            flap(stage, every, lasts, apply).await;
            stage.teller.tell(What::StepUndone { step: index });
            return None;
        }
        self.held().push((index, Left::Links(apply()?)));
        self.wait_and_undo(index, step.lasts).await
    }

    async fn wait_and_undo(&self, index: usize, lasts: Option<Duration>) -> Option<String> {
        tokio::select! {
            () = tokio::time::sleep(lasts?) => {}
            () = self.stage.stop.cancelled() => return None,
        }
        self.undo(|step| step == index).await
    }

    /// Undoes all that is left. Gives what went wrong.
    pub async fn undo_all(&self) -> Option<String> {
        self.undo(|_| true).await
    }

    async fn undo(&self, which: impl Fn(usize) -> bool) -> Option<String> {
        let stage = self.stage;
        let left: Vec<_> = self.held().extract_if(.., |(step, _)| which(*step)).collect();
        let mut error = None;
        for (step, left) in left {
            match left {
                Left::Links(guard) => drop(guard),
                Left::Nodes(undo) => {
                    if let Err(e) = undo.undo(stage.backend).await {
                        error = error.or(Some(format!("it could not be undone: {e}")));
                    }
                    self.deployment.look_at_processes(stage.backend);
                }
            }
            stage.teller.tell(What::StepUndone { step });
        }
        error
    }

    /// Lets servers that are paused go on, so that they can end with the others, and links be.
    pub async fn release(&self) {
        let held: Vec<_> = self.held().drain(..).collect();
        for (_, left) in held {
            if let Left::Nodes(undo) = left {
                undo.release(self.stage.backend).await;
            }
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Left)>> {
        self.left.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Does it for the first half of `every`, undoes it for the second, and so on for as long as
/// it lasts.
async fn flap(
    stage: &Stage<'_>,
    every: Duration,
    lasts: Duration,
    apply: impl Fn() -> Option<Guard>,
) {
    let began = Instant::now();
    let flapping = async {
        for turn in 0.. {
            let guard = apply();
            sleep_until(began + every * turn + every / 2).await;
            drop(guard);
            sleep_until(began + every * (turn + 1)).await;
        }
    };
    tokio::select! {
        () = flapping => {}
        () = sleep_until(began + lasts) => {}
        () = stage.stop.cancelled() => {}
    }
}

/// Where there is a choice the drill's seed draws, for each step anew.
fn random(stage: &Stage<'_>, index: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(stage.seed ^ ((index as u64 + 1) << 32))
}
