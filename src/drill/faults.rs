//! Steps that do something to nodes, and what of all steps is still to be undone.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::timeout;

use crate::backend::{BackendError, CutId, Data};
use crate::cluster::members::{self, MemberError};
use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, Deployment};
use crate::fault::target::{self, Cast};
use crate::fault::{self, ActiveFaults, Field, Undo};
use crate::model::NodeName;
use crate::model::event::{EventKind, ShardView};
use crate::net::Guard;
use crate::node::Node;
use crate::spec::hardship::Hardship;
use crate::spec::scenario::{NodeFault, Target};

use super::stage::Stage;

/// Sentinels ask the old primary every 10 s, and wait for 8 s after what it said.
const TOLD_TO_FOLLOW: Duration = Duration::from_secs(30);

/// What steps have done and not undone: it lasts until the load has ended.
pub struct Faults<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) deployment: &'a Deployment,
    active: ActiveFaults,
    left: Mutex<Vec<(usize, Left)>>,
    /// Servers that have left for good.
    gone: Mutex<Vec<NodeName>>,
}

/// What a step left to be undone.
pub(super) enum Left {
    Nodes(Undo),
    /// A rule on links, which ends with this.
    Links(Guard),
    /// A cut that the kernel makes.
    Cut(CutId),
}

impl<'a> Faults<'a> {
    pub fn new(stage: &'a Stage<'a>, deployment: &'a Deployment) -> Faults<'a> {
        let (active, left, gone) = Default::default();
        Faults { stage, deployment, active, left, gone }
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
        let by_sentinel =
            matches!(fault, NodeFault::Failover { .. }) && !group.sentinels.is_empty();
        let shards = match target {
            // Nobody need be asked, and a node that stands still be waited for.
            Target::Node(_) if !by_sentinel => Vec::new(),
            _ => shards_now(group).await,
        };
        let cast = Cast::new(&self.deployment.places, group, shards);
        let nodes = match target::select(target, &cast, &mut random(stage, index)) {
            Ok(nodes) => nodes,
            Err(error) => return Some(error.to_string()),
        };
        let field = self.field(group);
        let mut hit = nodes.clone();
        if by_sentinel {
            // A sentinel is told, and the primary is who must go.
            hit.extend(cast.shards.iter().filter_map(|shard| shard.primary.clone()));
        }
        let fills_disk =
            matches!(fault, NodeFault::Bear { hardship: Hardship::DiskFull { .. }, .. });
        if fills_disk {
            stage.exits.excuse(&nodes);
        }
        // Clients feel it before the last server has ended: from here on it counts.
        stage.teller.tell(EventKind::StepInjected { step: index, nodes: hit, against: vec![] });
        let (undo, error) = fault::inject(field, fault, &nodes).await;
        self.deployment.look_at_processes(stage.backend);
        if fills_disk {
            let spared = nodes.into_iter().filter(|name| !undo.full_disks().contains(name));
            stage.exits.forgive(&spared.collect::<Vec<NodeName>>()).await;
        }
        let error = error.map(|error| error.to_string());
        if by_sentinel && error.is_none() {
            self.old_primaries_follow(group, &cast.shards).await;
        }
        if undo.is_nothing() {
            if error.is_none() && fault.lasts().is_none() {
                stage.teller.tell(EventKind::StepUndone { step: index, nodes: vec![] });
            }
            return error;
        }
        if let Some(error) = &error {
            // The step ends later, and fails then.
            stage.teller.tell(EventKind::Warning { text: error.clone() });
        }
        self.leave(index, Left::Nodes(undo));
        error.or(self.wait_and_undo(index, fault.lasts()).await)
    }

    /// Sentinels tell an old primary to follow long after they have promoted another: until
    /// then two nodes lead, and no `settle` of a few seconds would see them agree.
    async fn old_primaries_follow(&self, group: &DeployedGroup, shards: &[ShardView]) {
        let leads = |node: &&Node| shards.iter().any(|s| s.primary.as_ref() == Some(&node.name));
        let follow = join_all(group.nodes.iter().filter(leads).map(fault::follows));
        tokio::select! {
            _ = timeout(TOLD_TO_FOLLOW, follow) => {}
            () = self.stage.stop.cancelled() => {}
        }
    }

    pub(super) fn field<'f>(&'f self, group: &'f DeployedGroup) -> Field<'f> {
        let (backend, active) = (self.stage.backend, &self.active);
        Field { backend, group, active }
    }

    pub(super) async fn wait_and_undo(
        &self,
        index: usize,
        lasts: Option<Duration>,
    ) -> Option<String> {
        tokio::select! {
            () = tokio::time::sleep(lasts?) => {}
            () = self.stage.stop.cancelled() => return None,
        }
        self.undo(|step| step == index).await
    }

    /// Undoes all that is left, when the load has ended.
    pub async fn undo_all(&self) {
        let steps: BTreeSet<usize> = self.held().iter().map(|(step, _)| *step).collect();
        for step in steps {
            if let Some(error) = self.undo(|other| other == step).await {
                self.stage.teller.tell(EventKind::StepNotUndone { step, error });
            }
        }
    }

    /// Servers that have left for good are not to be started again.
    pub fn forget(&self, gone: &[NodeName]) {
        for (_, left) in self.held().iter_mut() {
            if let Left::Nodes(undo) = left {
                undo.forget(gone);
            }
        }
        self.gone().extend_from_slice(gone);
    }

    /// Those who were dead when others left still know them.
    async fn catch_up(&self, back: &[NodeName]) -> Result<(), MemberError> {
        let gone = self.gone().clone();
        for group in &self.deployment.groups {
            members::catch_up(group, back, &gone).await?;
        }
        Ok(())
    }

    fn gone(&self) -> std::sync::MutexGuard<'_, Vec<NodeName>> {
        self.gone.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn undo(&self, which: impl Fn(usize) -> bool) -> Option<String> {
        let stage = self.stage;
        let left: Vec<_> = self.held().extract_if(.., |(step, _)| which(*step)).collect();
        let mut error = None;
        for (step, left) in left {
            if let Err(e) = self.repair(step, left).await {
                error = error.or(Some(e));
                continue;
            }
            stage.teller.tell(EventKind::StepUndone { step, nodes: vec![] });
        }
        error
    }

    /// What could not be undone is tried once more when the load has ended.
    pub(super) async fn repair(&self, step: usize, left: Left) -> Result<(), String> {
        let backend = self.stage.backend;
        match left {
            Left::Links(guard) => drop(guard),
            Left::Cut(cut) => backend.heal(cut).await.map_err(not_undone)?,
            Left::Nodes(undo) => {
                let undone = undo.undo(backend, &self.active).await;
                self.deployment.look_at_processes(backend);
                match undone {
                    Ok(remarks) => remarks.into_iter().for_each(|text| self.warn(text)),
                    Err(error) => {
                        self.leave(step, Left::Nodes(undo));
                        return Err(not_undone(error));
                    }
                }
                self.restart_fallen(&undo).await.map_err(not_undone)?;
                self.catch_up(undo.started()).await.map_err(not_undone)?;
            }
        }
        Ok(())
    }

    /// Starts servers again that have ended of their full disk, now that there is room. Gives
    /// the first that could not be; all have been tried.
    async fn restart_fallen(&self, undo: &Undo) -> Result<(), BackendError> {
        let mut outcome = Ok(());
        for name in self.stage.exits.forgive(undo.full_disks()).await {
            match self.stage.backend.start_again(&name, Data::Kept).await {
                // Another step may have started it by then.
                Err(BackendError::Running { .. }) => {}
                started => outcome = outcome.and(started),
            }
        }
        self.deployment.look_at_processes(self.stage.backend);
        outcome
    }

    fn warn(&self, text: String) {
        self.stage.teller.tell(EventKind::Warning { text });
    }

    /// Lets servers that are paused go on, so that they can end with the others, and links be:
    /// what the kernel cuts ends with its containers.
    pub async fn release(&self) {
        let held: Vec<_> = self.held().drain(..).collect();
        for (_, left) in held {
            if let Left::Nodes(undo) = left {
                undo.release(self.stage.backend, &self.active).await;
            }
        }
    }

    /// Keeps what step number `step` has done, to be undone.
    pub(super) fn leave(&self, step: usize, left: Left) {
        self.held().push((step, left));
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Left)>> {
        self.left.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn not_undone(error: impl Display) -> String {
    format!("it could not be undone: {error}")
}

/// Where there is a choice the drill's seed draws, for each step anew.
pub(super) fn random(stage: &Stage<'_>, index: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(stage.seed ^ ((index as u64 + 1) << 32))
}
