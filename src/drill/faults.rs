//! Steps that do something to nodes or to links, and what of it is still to be undone.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::{Instant, sleep_until, timeout};

use crate::backend::{BackendError, CutId, Data};
use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, Deployment, Places};
use crate::fault::links::{self, Scene};
use crate::fault::target::{self, Cast};
use crate::fault::{self, Bearing, Field, Undo};
use crate::model::NodeName;
use crate::model::event::{ShardView, What};
use crate::net::{Guard, Pairs};
use crate::node::Node;
use crate::spec::hardship::Hardship;
use crate::spec::network::NetworkStep;
use crate::spec::rolling::RollingRestart;
use crate::spec::scenario::{NodeFault, Target};

use super::rolling;
use super::stage::Stage;

/// Sentinels ask the old primary every 10 s, and wait for 8 s after what it said.
const TOLD_TO_FOLLOW: Duration = Duration::from_secs(30);

/// What steps have done and not undone: it lasts until the load has ended.
pub struct Faults<'a> {
    stage: &'a Stage<'a>,
    deployment: &'a Deployment,
    places: Places,
    bearing: Bearing,
    left: Mutex<Vec<(usize, Left)>>,
}

/// What a step left to be undone.
enum Left {
    Nodes(Undo),
    /// A rule on links, which ends with this.
    Links(Guard),
    /// A cut that the kernel makes.
    Cut(CutId),
}

impl<'a> Faults<'a> {
    pub fn new(stage: &'a Stage<'a>, deployment: &'a Deployment) -> Faults<'a> {
        let names = deployment.nodes().map(|node| node.name.clone());
        let places = Places::new(&stage.scenario.topology, names);
        Faults { stage, deployment, places, bearing: Bearing::default(), left: Mutex::default() }
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
        let sentinels = names(&group.sentinels);
        let cast = Cast { places: &self.places, shards: &shards, sentinels: &sentinels };
        let nodes = match target::select(target, cast, &mut random(stage, index)) {
            Ok(nodes) => nodes,
            Err(error) => return Some(error.to_string()),
        };
        let field = self.field(group);
        let mut hit = nodes.clone();
        if by_sentinel {
            // A sentinel is told, and the primary is who must go.
            hit.extend(shards.iter().filter_map(|shard| shard.primary.clone()));
        }
        let fills_disk =
            matches!(fault, NodeFault::Bear { hardship: Hardship::DiskFull { .. }, .. });
        if fills_disk {
            stage.deaths.excuse(&nodes);
        }
        // Clients feel it before the last server has ended: from here on it counts.
        stage.teller.tell(What::StepInjected { step: index, nodes: hit, against: vec![] });
        let (undo, error) = fault::inject(field, fault, &nodes).await;
        self.deployment.look_at_processes(stage.backend);
        if fills_disk {
            let spared = nodes.into_iter().filter(|name| !undo.full_disks().contains(name));
            stage.deaths.forgive(&spared.collect::<Vec<NodeName>>()).await;
        }
        let error = error.map(|error| error.to_string());
        if by_sentinel && error.is_none() {
            self.old_primaries_follow(group, &shards).await;
        }
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

    /// Sentinels tell an old primary to follow long after they have promoted another: until
    /// then two nodes lead, and no `settle` of a few seconds would see them agree.
    async fn old_primaries_follow(&self, group: &DeployedGroup, shards: &[ShardView]) {
        let old = group
            .nodes
            .iter()
            .filter(|node| shards.iter().any(|shard| shard.primary.as_ref() == Some(&node.name)));
        let follow = join_all(old.map(fault::follows));
        tokio::select! {
            _ = timeout(TOLD_TO_FOLLOW, follow) => {}
            () = self.stage.stop.cancelled() => {}
        }
    }

    /// The same to links.
    pub async fn on_links(
        &self,
        group: &DeployedGroup,
        index: usize,
        step: &NetworkStep,
    ) -> Option<String> {
        let stage = self.stage;
        let shards = shards_now(group).await;
        let sentinels = names(&group.sentinels);
        let cast = Cast { places: &self.places, shards: &shards, sentinels: &sentinels };
        let scene = Scene { group: &group.spec.name, cast };
        let found = match links::find(&step.links, scene, &mut random(stage, index)) {
            Ok(found) => found,
            Err(error) => return Some(error.to_string()),
        };
        stage.teller.tell(What::StepInjected {
            step: index,
            nodes: found.nodes,
            against: found.against,
        });
        if let (Some(every), Some(lasts)) = (step.every, step.lasts) {
            let error = self.flap((index, step), &found.pairs, every, lasts).await.err();
            stage.teller.tell(What::StepUndone { step: index, nodes: vec![] });
            return error;
        }
        match self.change(step, &found.pairs).await {
            Ok(Some(left)) => self.held().push((index, left)),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
        self.wait_and_undo(index, step.lasts).await
    }

    /// Does it to links; a reset leaves nothing to be undone.
    async fn change(&self, step: &NetworkStep, pairs: &Pairs) -> Result<Option<Left>, String> {
        if step.is_in_kernel() {
            let nodes: Vec<&Node> = self.deployment.nodes().collect();
            let cut = self.stage.backend.cut(links::deaf(pairs, &nodes)).await;
            return cut.map(|cut| Some(Left::Cut(cut))).map_err(|error| error.to_string());
        }
        let network = self.deployment.network.as_ref();
        let network =
            network.ok_or("the nodes are not linked by a relay; this is a bug in redrill")?;
        Ok(links::apply(step.fault, network.fabric(), pairs).map(Left::Links))
    }

    /// Does it for the first half of `every`, undoes it for the second, and so on for as long
    /// as it lasts.
    async fn flap(
        &self,
        (index, step): (usize, &NetworkStep),
        pairs: &Pairs,
        every: Duration,
        lasts: Duration,
    ) -> Result<(), String> {
        let began = Instant::now();
        let end = began + lasts;
        for turn in 0.. {
            let left = self.change(step, pairs).await?;
            let goes_on = self.until(end.min(began + every * turn + every / 2)).await;
            if let Some(left) = left {
                self.repair(index, left).await?;
            }
            let next = end.min(began + every * (turn + 1));
            if !goes_on || !self.until(next).await || next == end {
                break;
            }
        }
        Ok(())
    }

    /// Whether the drill goes on then.
    async fn until(&self, at: Instant) -> bool {
        tokio::select! {
            () = sleep_until(at) => true,
            () = self.stage.stop.cancelled() => false,
        }
    }

    /// Restarts nodes one after the other.
    pub async fn one_by_one(
        &self,
        group: &DeployedGroup,
        index: usize,
        how: &RollingRestart,
    ) -> Option<String> {
        let mut random = random(self.stage, index);
        let field = self.field(group);
        let around = (self.stage, self.deployment, field, &self.places);
        rolling::carry_out(around, group, index, how, &mut random).await
    }

    fn field<'f>(&'f self, group: &'f DeployedGroup) -> Field<'f> {
        let (backend, bearing) = (self.stage.backend, &self.bearing);
        Field { backend, group, bearing }
    }

    async fn wait_and_undo(&self, index: usize, lasts: Option<Duration>) -> Option<String> {
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
                self.stage.teller.tell(What::StepNotUndone { step, error });
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
            stage.teller.tell(What::StepUndone { step, nodes: vec![] });
        }
        error
    }

    /// What could not be undone is tried once more when the load has ended.
    async fn repair(&self, step: usize, left: Left) -> Result<(), String> {
        let backend = self.stage.backend;
        let failed = |error: BackendError| format!("it could not be undone: {error}");
        match left {
            Left::Links(guard) => drop(guard),
            Left::Cut(cut) => backend.heal(cut).await.map_err(failed)?,
            Left::Nodes(undo) => {
                let undone = undo.undo(backend, &self.bearing).await;
                self.deployment.look_at_processes(backend);
                match undone {
                    Ok(remarks) => remarks.into_iter().for_each(|text| self.warn(text)),
                    Err(error) => {
                        self.held().push((step, Left::Nodes(undo)));
                        return Err(format!("it could not be undone: {error}"));
                    }
                }
                self.restart_fallen(&undo).await.map_or(Ok(()), Err)?;
            }
        }
        Ok(())
    }

    /// Starts servers again that have ended of their full disk, now that there is room.
    async fn restart_fallen(&self, undo: &Undo) -> Option<String> {
        let mut error = None;
        for name in self.stage.deaths.forgive(undo.full_disks()).await {
            let started = self.stage.backend.start_again(&name, Data::Kept).await;
            // Another step may have started it by then.
            if let Err(e) = started
                && !matches!(e, BackendError::Running { .. })
            {
                error = error.or(Some(format!("it could not be undone: {e}")));
            }
            self.deployment.look_at_processes(self.stage.backend);
        }
        error
    }

    fn warn(&self, text: String) {
        self.stage.teller.tell(What::Warning { text });
    }

    /// Lets servers that are paused go on, so that they can end with the others, and links be:
    /// what the kernel cuts ends with its containers.
    pub async fn release(&self) {
        let held: Vec<_> = self.held().drain(..).collect();
        for (_, left) in held {
            if let Left::Nodes(undo) = left {
                undo.release(self.stage.backend, &self.bearing).await;
            }
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Left)>> {
        self.left.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn names(nodes: &[Node]) -> Vec<NodeName> {
    nodes.iter().map(|node| node.name.clone()).collect()
}

/// Where there is a choice the drill's seed draws, for each step anew.
fn random(stage: &Stage<'_>, index: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(stage.seed ^ ((index as u64 + 1) << 32))
}
