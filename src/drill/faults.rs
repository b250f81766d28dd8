//! Steps that do something to nodes or links, and what of all steps is still to be undone.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::{Instant, sleep_until};

use crate::backend::{BackendError, Data};
use crate::cluster::members::{self, MemberError};
use crate::cluster::{DeployedGroup, Deployment};
use crate::fault::{self, ActiveFault, Fault, FaultError, Hit, Site, Strains};
use crate::model::NodeName;
use crate::model::event::EventKind;
use crate::spec::step::Step;

use super::stage::Stage;

/// What steps have done and not undone: it lasts until the load has ended.
pub struct Faults<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) deployment: &'a Deployment,
    strains: Strains,
    active: Mutex<Vec<(usize, ActiveFault)>>,
    /// Servers that have left for good.
    gone: Mutex<Vec<NodeName>>,
}

impl<'a> Faults<'a> {
    pub fn new(stage: &'a Stage<'a>, deployment: &'a Deployment) -> Faults<'a> {
        let (strains, active, gone) = Default::default();
        Faults { stage, deployment, strains, active, gone }
    }

    /// Does what step number `index` says, and undoes it when its time is over. Gives what went
    /// wrong.
    pub async fn play(
        &self,
        group: &DeployedGroup,
        (index, step): (usize, &Step),
        fault: &dyn Fault,
    ) -> Option<String> {
        let site = self.site(group);
        let (where_to, ask) = ((self.deployment, group), fault.asks_for_roles(site));
        let mut random = random(self.stage, index);
        let hit = match fault::find(&step.on, where_to, ask, &mut random).await {
            Ok(hit) => hit,
            Err(error) => return Some(error.to_string()),
        };
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
        let (active, error) = self.inject(fault, &hit, site).await;
        let error = error.map(|error| error.to_string());
        if active.is_over() {
            if error.is_none() {
                self.tell_undone(index);
            }
            return error;
        }
        if let Some(error) = &error {
            // The step ends later, and fails then.
            self.warn(error.clone());
        }
        self.active().push((index, active));
        error.or(self.wait_and_undo(index, step.lasts()).await)
    }

    /// Does it for the first half of `every`, undoes it for the second, and so on for as long
    /// as it lasts.
    async fn flap(
        &self,
        (index, fault): (usize, &dyn Fault),
        hit: &Hit,
        site: Site<'_>,
        (every, lasts): (Duration, Duration),
    ) -> Result<(), String> {
        let began = Instant::now();
        let end = began + lasts;
        let tell = |holds| self.tell(EventKind::StepTurn { step: index, holds });
        for turn in 0.. {
            if turn > 0 {
                tell(true);
            }
            let (active, error) = self.inject(fault, hit, site).await;
            let goes_on = self.until(end.min(began + every * turn + every / 2)).await;
            self.repair(index, active).await?;
            if let Some(error) = error {
                return Err(error.to_string());
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
        let exits = &self.stage.exits;
        if fault.may_end_servers() {
            exits.excuse(&hit.nodes);
        }
        let (mut active, error) = fault.inject(site, hit).await;
        if fault.may_end_servers() {
            let (held, spared) =
                hit.nodes.iter().cloned().partition(|name| active.nodes.contains(name));
            let spared: Vec<NodeName> = spared;
            active.may_end = held;
            exits.forgive(&spared).await;
        }
        active.notes.drain(..).for_each(|note| self.warn(note));
        if error.is_none() {
            tokio::select! {
                () = fault.takes_place(site, hit) => {}
                () = self.stage.stop.cancelled() => {}
            }
        }
        (active, error)
    }

    pub(super) fn site<'s>(&'s self, group: &'s DeployedGroup) -> Site<'s> {
        let (backend, deployment, strains) = (self.stage.backend, self.deployment, &self.strains);
        Site { backend, deployment, group, strains }
    }

    async fn wait_and_undo(&self, index: usize, lasts: Option<Duration>) -> Option<String> {
        match self.until(Instant::now() + lasts?).await {
            true => self.undo(|step| step == index).await,
            false => None,
        }
    }

    /// Whether the drill goes on then.
    async fn until(&self, at: Instant) -> bool {
        tokio::select! {
            () = sleep_until(at) => true,
            () = self.stage.stop.cancelled() => false,
        }
    }

    /// Undoes all that is left, when the load has ended.
    pub async fn undo_all(&self) {
        let steps: BTreeSet<usize> = self.active().iter().map(|(step, _)| *step).collect();
        for step in steps {
            if let Some(error) = self.undo(|other| other == step).await {
                self.tell(EventKind::StepNotUndone { step, error });
            }
        }
    }

    /// Servers that have left for good are not to be started again.
    pub fn forget(&self, gone: &[NodeName]) {
        self.active().iter_mut().for_each(|(_, active)| active.forget(gone));
        self.gone().extend_from_slice(gone);
    }

    /// Tells nodes that were dead when others left who has left: they still know them.
    async fn catch_up(&self, back: &[NodeName]) -> Result<(), MemberError> {
        let gone = self.gone().clone();
        for group in &self.deployment.groups {
            members::catch_up(group, back, &gone).await?;
        }
        Ok(())
    }

    async fn undo(&self, which: impl Fn(usize) -> bool) -> Option<String> {
        let active: Vec<_> = self.active().extract_if(.., |(step, _)| which(*step)).collect();
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
    async fn repair(&self, step: usize, mut active: ActiveFault) -> Result<(), String> {
        let backend = self.stage.backend;
        let undone = active.undo(backend).await;
        match undone {
            Ok(notes) => notes.into_iter().for_each(|note| self.warn(note)),
            Err(error) => {
                self.active().push((step, active));
                return Err(not_undone(error));
            }
        }
        self.restart_ended(&active.may_end).await.map_err(not_undone)?;
        self.catch_up(&active.starts()).await.map_err(not_undone)
    }

    /// Starts servers again that have ended by themselves. Gives the first that could not be
    /// started; all have been tried.
    async fn restart_ended(&self, may_end: &[NodeName]) -> Result<(), BackendError> {
        let mut outcome = Ok(());
        for name in self.stage.exits.forgive(may_end).await {
            match self.stage.backend.start_again(&name, Data::Kept).await {
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
        let active: Vec<_> = self.active().drain(..).collect();
        for (_, active) in active {
            active.release(self.stage.backend).await;
        }
    }

    fn tell(&self, event: EventKind) {
        self.stage.teller.tell(event);
    }

    fn tell_undone(&self, step: usize) {
        self.tell(EventKind::StepUndone { step, nodes: vec![] });
    }

    fn warn(&self, text: String) {
        self.tell(EventKind::Warning { text });
    }

    fn active(&self) -> std::sync::MutexGuard<'_, Vec<(usize, ActiveFault)>> {
        self.active.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn gone(&self) -> std::sync::MutexGuard<'_, Vec<NodeName>> {
        self.gone.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn not_undone(error: impl Display) -> String {
    format!("it could not be undone: {error}")
}

/// Where there is a choice the drill's seed draws, for each step anew.
pub(super) fn random(stage: &Stage<'_>, index: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(stage.seed ^ ((index as u64 + 1) << 32))
}
