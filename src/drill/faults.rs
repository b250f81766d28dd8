//! Steps that do something to nodes or links, and what of all steps is still to be undone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep_until};
use tracing::info;

use crate::backend::{BackendError, Data};
use crate::cluster::members::{self, MemberError};
use crate::cluster::{DeployedGroup, Deployment};
use crate::fault::{self, ActiveFault, Fault, FaultError, Hit, Note, Site, Strains};
use crate::model::event::EventKind;
use crate::model::{NodeKind, NodeName};
use crate::spec::step::Step;

use super::context::DrillContext;
use super::step_error::StepError;

/// What steps have done and not undone: it lasts until the load has ended.
pub struct Faults<'a> {
    pub(super) drill: &'a DrillContext<'a>,
    pub(super) deployment: &'a Deployment,
    strains: Strains,
    active: Mutex<Vec<(usize, ActiveFault)>>,
    /// Servers that have left for good.
    gone: Mutex<Vec<NodeName>>,
    /// Nodes that drawn steps hit, one step after the other.
    turns: Mutex<BTreeMap<NodeName, Arc<AsyncMutex<()>>>>,
}

impl<'a> Faults<'a> {
    pub fn new(drill: &'a DrillContext<'a>, deployment: &'a Deployment) -> Faults<'a> {
        let (strains, active, gone, turns) = Default::default();
        Faults { drill, deployment, strains, active, gone, turns }
    }

    /// Does what step number `index` says, and undoes it when its time is over. Gives what went
    /// wrong.
    pub async fn play(
        &self,
        group: &DeployedGroup,
        (index, step): (usize, &Step),
        fault: &dyn Fault,
    ) -> Option<StepError> {
        let _turn = match step.on.node().filter(|_| step.drawn) {
            Some(node) => Some(self.turn(node).await?),
            None => None,
        };
        let site = self.site(group);
        let (where_to, ask) = ((self.deployment, group), fault.asks_for_roles(site));
        let mut random = random(self.drill, index);
        let hit = match fault::find(&step.on, where_to, ask, &mut random).await {
            Ok(hit) => hit,
            Err(error) => return Some(error.into()),
        };
        let told: Vec<String> = hit.nodes.iter().map(ToString::to_string).collect();
        info!(nodes = told.join(" "), "the targets are chosen");
        // Clients feel it before the last server has ended: from here on it counts.
        let nodes = [&hit.nodes[..], &fault.also_hits(site, &hit)].concat();
        self.tell(EventKind::StepInjected { step: index, nodes, against: hit.against.clone() });
        if let (Some(every), Some(lasts)) = (step.every, step.lasts) {
            let flapped = self.flap((index, fault), &hit, site, (every, lasts)).await;
            if flapped.is_ok() {
                self.tell_undone(index);
            }
            return flapped.err();
        }
        let (mut active, error) = self.inject(fault, &hit, site).await;
        self.note(index, std::mem::take(&mut active.notes));
        let error = error.map(StepError::from);
        if active.is_over() {
            if error.is_none() {
                self.tell_undone(index);
            }
            return error;
        }
        match &error {
            // The step ends later, and fails then.
            Some(error) => self.warn(error.text.clone()),
            None => self.tell(EventKind::StepInForce { step: index }),
        }
        self.active.lock().push((index, active));
        error.or(self.wait_and_undo(index, step.lasts()).await)
    }

    /// Waits until no other drawn step holds the node; `None` if the drill ends before. Each was
    /// drawn for a node that is whole, and on a busy machine the one before may take longer than
    /// planned: a server ends late, or starts late.
    async fn turn(&self, node: &NodeName) -> Option<OwnedMutexGuard<()>> {
        let turn = self.turns.lock().entry(node.clone()).or_default().clone();
        tokio::select! {
            biased;
            () = self.drill.stop.cancelled() => None,
            turn = turn.lock_owned() => Some(turn),
        }
    }

    /// Does it for the first half of `every`, undoes it for the second, and so on for as long
    /// as it lasts.
    async fn flap(
        &self,
        (index, fault): (usize, &dyn Fault),
        hit: &Hit,
        site: Site<'_>,
        (every, lasts): (Duration, Duration),
    ) -> Result<(), StepError> {
        let began = Instant::now();
        let end = began + lasts;
        let tell = |holds| self.tell(EventKind::StepTurn { step: index, holds });
        for turn in 0.. {
            if turn > 0 {
                tell(true);
            }
            let (mut active, error) = self.inject(fault, hit, site).await;
            self.note(index, std::mem::take(&mut active.notes));
            let goes_on = self.until(end.min(began + every * turn + every / 2)).await;
            self.repair(index, active).await?;
            if let Some(error) = error {
                return Err(error.into());
            }
            tell(false);
            let next = end.min(began + every * (turn + 1));
            if !goes_on || !self.until(next).await || next == end {
                break;
            }
        }
        Ok(())
    }

    /// Does it, and waits until it has taken place.
    pub(super) async fn inject(
        &self,
        fault: &dyn Fault,
        hit: &Hit,
        site: Site<'_>,
    ) -> (ActiveFault, Option<FaultError>) {
        let exits = &self.drill.exits;
        if fault.may_end_servers() {
            exits.excuse(&hit.nodes);
        }
        let (mut active, error) = tokio::select! {
            injected = fault.inject(site, hit) => injected,
            () = self.drill.stop.cancelled(), if fault.ends_when_interrupted() => {
                return (ActiveFault::default(), None);
            }
        };
        if fault.may_end_servers() {
            let (held, spared) =
                hit.nodes.iter().cloned().partition(|name| active.nodes.contains(name));
            let spared: Vec<NodeName> = spared;
            active.may_end = held;
            exits.forgive(&spared).await;
        }
        if error.is_none() {
            tokio::select! {
                () = fault.takes_place(site, hit) => {}
                () = self.drill.stop.cancelled() => {}
            }
        }
        (active, error)
    }

    pub(super) fn site<'s>(&'s self, group: &'s DeployedGroup) -> Site<'s> {
        let (backend, deployment, strains) = (self.drill.backend, self.deployment, &self.strains);
        Site { backend, deployment, group, strains, applications: &self.drill.applications }
    }

    async fn wait_and_undo(&self, index: usize, lasts: Option<Duration>) -> Option<StepError> {
        match self.until(Instant::now() + lasts?).await {
            true => self.undo(|step| step == index).await,
            false => None,
        }
    }

    /// Whether the drill goes on then.
    async fn until(&self, at: Instant) -> bool {
        tokio::select! {
            () = sleep_until(at) => true,
            () = self.drill.stop.cancelled() => false,
        }
    }

    /// The loads are about to end, and their programs with them: those that are paused go on, and
    /// those that were ended are not started again. Replicators stay: what is left to carry is
    /// carried after the load.
    pub async fn release_actors(&self) {
        let stays: Vec<NodeName> =
            self.drill.scenario.topology.placed_replicators().map(|(name, _)| name).collect();
        let is_actor = |name: &NodeName| name.kind == NodeKind::Actor && !stays.contains(name);
        let of_actors = |(_, active): &mut (usize, ActiveFault)| active.nodes.iter().any(is_actor);
        let active: Vec<_> = self.active.lock().extract_if(.., of_actors).collect();
        for (step, mut active) in active {
            let ending: Vec<NodeName> =
                active.nodes.iter().filter(|n| is_actor(n)).cloned().collect();
            active.forget(&ending);
            match self.repair(step, active).await {
                Ok(()) => self.tell_undone(step),
                Err(error) => self.tell_not_undone(step, error),
            }
        }
    }

    /// Whether something is left to undo.
    pub fn is_any_left(&self) -> bool {
        !self.active.lock().is_empty()
    }

    /// Undoes all that is left, when the load has ended. Returns the nodes that come back now.
    pub async fn undo_all(&self) -> Vec<NodeName> {
        let mut left: BTreeMap<usize, Vec<NodeName>> = BTreeMap::new();
        for (step, active) in self.active.lock().iter() {
            left.entry(*step).or_default().extend_from_slice(&active.nodes);
        }
        let mut back = Vec::new();
        for (step, nodes) in left {
            match self.undo(|other| other == step).await {
                Some(error) => self.tell_not_undone(step, error),
                None => back.extend(nodes),
            }
        }
        back.retain(|name| !self.gone.lock().contains(name));
        back
    }

    /// Servers that have left for good are not to be started again.
    pub fn forget(&self, gone: &[NodeName]) {
        self.active.lock().iter_mut().for_each(|(_, active)| active.forget(gone));
        self.gone.lock().extend_from_slice(gone);
    }

    /// Tells nodes that were dead when others left who has left: they still know them.
    async fn catch_up(&self, back: &[NodeName]) -> Result<(), MemberError> {
        let gone = self.gone.lock().clone();
        for group in &self.deployment.groups {
            members::catch_up(group, back, &gone).await?;
        }
        Ok(())
    }

    async fn undo(&self, which: impl Fn(usize) -> bool) -> Option<StepError> {
        let active: Vec<_> = self.active.lock().extract_if(.., |(step, _)| which(*step)).collect();
        let mut error = None;
        for (step, active) in active {
            match self.repair(step, active).await {
                Ok(()) => self.tell_undone(step),
                Err(e) => error = error.or(Some(e)),
            }
        }
        error
    }

    /// Undoes it. What could not be undone is tried once more when the load has ended.
    async fn repair(&self, step: usize, mut active: ActiveFault) -> Result<(), StepError> {
        let backend = self.drill.backend;
        let (notes, error) = active.undo(backend).await;
        self.note(step, notes);
        if let Some(error) = error {
            self.active.lock().push((step, active));
            return Err(not_undone(error));
        }
        self.restart_ended(&active.may_end).await.map_err(not_undone)?;
        self.catch_up(&active.starts()).await.map_err(not_undone)
    }

    /// Starts servers again that have ended by themselves. Gives the first that could not be
    /// started; all have been tried.
    async fn restart_ended(&self, may_end: &[NodeName]) -> Result<(), BackendError> {
        let mut outcome = Ok(());
        for name in self.drill.exits.forgive(may_end).await {
            match self.drill.backend.start_again(&name, Data::Kept).await {
                // Another step may have started it by then.
                Err(BackendError::Running { .. }) => {}
                started => outcome = outcome.and(started),
            }
        }
        outcome
    }

    /// Lets servers that are paused go on, so that they can end with the others, and links be:
    /// what the kernel cuts ends with its containers.
    pub async fn release(&self) {
        let active: Vec<_> = self.active.lock().drain(..).collect();
        for (_, active) in active {
            active.release(self.drill.backend).await;
        }
    }

    fn tell(&self, event: EventKind) {
        self.drill.teller.tell(event);
    }

    fn tell_undone(&self, step: usize) {
        self.tell(EventKind::StepUndone { step, nodes: vec![] });
    }

    fn tell_not_undone(&self, step: usize, error: StepError) {
        let StepError { text: error, in_time: doubtful, own } = error;
        self.tell(EventKind::StepNotUndone { step, error, doubtful, own });
    }

    fn note(&self, step: usize, notes: Vec<Note>) {
        for note in notes {
            match note {
                Note::OfStep(text) => self.tell(EventKind::StepNote { step, text }),
                Note::Warning(text) => self.warn(text),
            }
        }
    }

    fn warn(&self, text: String) {
        self.tell(EventKind::Warning { text });
    }
}

/// Why a step could not be undone.
fn not_undone(error: impl Into<StepError>) -> StepError {
    let error = error.into();
    StepError { text: format!("it could not be undone: {}", error.text), ..error }
}

/// Where there is a choice the drill's seed draws, for each step anew.
pub(super) fn random(drill: &DrillContext<'_>, index: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(drill.seed ^ ((index as u64 + 1) << 32))
}
