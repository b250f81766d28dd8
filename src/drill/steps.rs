//! The timeline: each step at its instant.
//!
//! A step that does something to nodes or links begins when it is due, whatever else is at work:
//! that a primary dies while slots move is a thing to be tried. Steps that move slots go
//! one after the other.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Mutex;
use tracing::{Instrument, info_span};

use crate::cluster::Deployment;
use crate::model::Nanos;
use crate::model::event::EventKind;
use crate::spec::scenario::{Step, StepAction};

use super::faults::Faults;
use super::forecast::describe;
use super::moves;
use super::rolling;
use super::scale;
use super::stage::{Halt, Stage};
use super::watch::Observers;

/// A step that begins so much late is worth telling.
const LATE: Duration = Duration::from_millis(100);

/// What steps are done with.
pub struct Timeline<'a> {
    pub stage: &'a Stage<'a>,
    pub deployment: &'a Deployment,
    pub observers: &'a Observers,
    pub faults: &'a Faults<'a>,
    /// When the load began.
    pub begin: Nanos,
}

impl Timeline<'_> {
    /// Plays every step and gives the instant from which the load is to settle: the
    /// end of the last step, or `begin` if there are none.
    ///
    /// A step that fails is told as such and the timeline goes on: what the cluster
    /// does after a failed reshard is worth seeing too.
    pub async fn play(&self) -> Result<Nanos, Halt> {
        self.stage.unless_bereaved(self.play_all()).await?
    }

    async fn play_all(&self) -> Result<Nanos, Halt> {
        let moving = Mutex::new(());
        let mut at_work = FuturesUnordered::new();
        let mut calm = self.begin;
        for (index, step) in self.stage.scenario.timeline.iter().enumerate() {
            let due = self.begin + step.at;
            let mut due_now = pin!(self.stage.until(due));
            let halted = loop {
                tokio::select! {
                    waited = &mut due_now => break waited,
                    Some(()) = at_work.next() => {}
                }
            };
            if halted.is_err() {
                break;
            }
            let span = info_span!("step", n = index + 1, does = describe(step));
            at_work.push(self.step(index, step, due, &moving).instrument(span));
        }
        // On Ctrl-C too: the moves themselves bring their slots home, faults end at once.
        while at_work.next().await.is_some() {}
        if !self.stage.scenario.timeline.is_empty() {
            calm = self.stage.teller.clock().now();
        }
        match self.stage.stop.is_cancelled() {
            true => Err(Halt::Interrupted),
            false => Ok(calm),
        }
    }

    async fn step(&self, index: usize, step: &Step, due: Nanos, moving: &Mutex<()>) {
        let _turn = match step.action {
            StepAction::Move { .. } | StepAction::Scale(_) => Some(moving.lock().await),
            _ => None,
        };
        self.warn_if_late(step, due);
        self.stage.teller.tell(EventKind::StepBegan { step: index });
        self.observers.step_began(index);
        let group = self.deployment.group(&step.group);
        let (moved, error) = match (&step.action, group) {
            (_, None) => (Default::default(), Some(format!("there is no group {}", step.group))),
            (StepAction::Move { slots, method, pace }, Some(group)) => {
                moves::carry_out(self.stage, group, index, slots, (*method, *pace)).await
            }
            (StepAction::Scale(scale), Some(group)) => {
                scale::carry_out(self.faults, group, index, scale).await
            }
            (StepAction::Fault { fault, target }, Some(group)) => {
                let error = self.faults.on_nodes(group, index, *fault, target).await;
                (Default::default(), error)
            }
            (StepAction::Network(step), Some(group)) => {
                (Default::default(), self.faults.on_links(group, index, step).await)
            }
            (StepAction::Rolling(rolling), Some(group)) => {
                let error = rolling::carry_out(self.faults, group, index, rolling).await;
                (Default::default(), error)
            }
        };
        self.stage.teller.tell(EventKind::StepEnded { step: index, moved, error });
        self.observers.step_ended(index);
    }

    /// Slots move one step after the other, so one may have to wait for the one before it.
    fn warn_if_late(&self, step: &Step, planned: Nanos) {
        let late = self.stage.teller.clock().now().since(planned);
        if late >= LATE {
            let text = format!(
                "step `{}` began {:.1} s after its `at`: the one before it was still at work",
                describe(step),
                late.as_secs_f64()
            );
            self.stage.teller.tell(EventKind::Warning { text });
        }
    }
}
