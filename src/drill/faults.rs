//! Steps that do something to nodes, and what of it is still to be undone.

use std::sync::Mutex;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::cluster::DeployedGroup;
use crate::cluster::view::shards_now;
use crate::fault::{self, Field, Undo, target};
use crate::model::NodeName;
use crate::model::event::What;
use crate::spec::scenario::{NodeFault, Target};

use super::stage::Stage;

/// What steps have done and not undone: it lasts until the load has ended.
#[derive(Default)]
pub struct Faults(Mutex<Vec<(usize, Undo)>>);

impl Faults {
    /// Does what step number `index` says, and undoes it when its time is over. Gives what
    /// went wrong.
    pub async fn carry_out(
        &self,
        stage: &Stage<'_>,
        group: &DeployedGroup,
        index: usize,
        fault: NodeFault,
        target: &Target,
    ) -> Option<String> {
        let nodes = match select(stage, group, index, target).await {
            Ok(nodes) => nodes,
            Err(error) => return Some(error.to_string()),
        };
        let field = Field { backend: stage.backend, nodes: &group.nodes };
        // Clients feel it before the last server has ended: from here on it counts.
        stage.teller.tell(What::StepInjected { step: index, nodes: nodes.clone() });
        let (undo, error) = fault::inject(field, fault, &nodes).await;
        let error = error.map(|error| error.to_string());
        if undo.is_nothing() {
            return error;
        }
        if let Some(error) = &error {
            // The step ends later, and fails then.
            stage.teller.tell(What::Warning { text: error.clone() });
        }
        self.held().push((index, undo));
        if let Some(lasts) = fault.lasts() {
            tokio::select! {
                () = tokio::time::sleep(lasts) => {}
                () = stage.stop.cancelled() => return error,
            }
            let undone = self.undo(stage, |step| step == index).await;
            return error.or(undone);
        }
        error
    }

    /// Undoes all that is left. Gives what went wrong.
    pub async fn undo_all(&self, stage: &Stage<'_>) -> Option<String> {
        self.undo(stage, |_| true).await
    }

    async fn undo(&self, stage: &Stage<'_>, which: impl Fn(usize) -> bool) -> Option<String> {
        let undone: Vec<_> = self.held().extract_if(.., |(step, _)| which(*step)).collect();
        let mut error = None;
        for (step, undo) in undone {
            if let Err(e) = undo.undo(stage.backend).await {
                error = error.or(Some(format!("it could not be undone: {e}")));
            }
            stage.teller.tell(What::StepUndone { step });
        }
        error
    }

    /// Lets servers that are paused go on, so that they can end with the others.
    pub async fn release(&self, stage: &Stage<'_>) {
        let held = self.held().clone();
        for (_, undo) in held {
            undo.release(stage.backend).await;
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Undo)>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The nodes that the step means now; the drill's seed draws where there is a choice.
async fn select(
    stage: &Stage<'_>,
    group: &DeployedGroup,
    index: usize,
    target: &Target,
) -> Result<Vec<NodeName>, target::NoTarget> {
    let shards = shards_now(group).await;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(stage.seed ^ ((index as u64 + 1) << 32));
    target::select(target, &shards, &mut random)
}
