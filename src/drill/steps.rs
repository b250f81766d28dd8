//! The time line: each step at its instant.
//!
//! A step that acts on nodes or links begins when it is due, whatever else is running, so that
//! a primary can die while slots move. Steps that move slots run one after the other.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tracing::{Instrument, info, info_span};

use crate::cluster::{DeployedGroup, Deployment};
use crate::fault::{self, Play};
use crate::model::Nanos;
use crate::model::event::{EventKind, Moved};
use crate::spec::step::Step;

use super::context::{DrillContext, Halt};
use super::faults::Faults;
use super::half_moved::HalfMoved;
use super::rolling;
use super::scale;
use super::step_error::StepError;
use super::watch::Observers;

/// A step that begins this late gets a warning.
const LATE: Duration = Duration::from_millis(100);

/// The parts that play steps.
pub struct Timeline<'a> {
    pub drill: &'a DrillContext<'a>,
    pub deployment: &'a Deployment,
    pub observers: &'a Observers,
    pub faults: &'a Faults<'a>,
    pub half_moved: &'a HalfMoved<'a>,
    /// When the load began.
    pub begin: Nanos,
}

impl Timeline<'_> {
    /// Plays every step and returns the instant from which the load settles: the end of the
    /// last step, or `begin` without steps.
    ///
    /// A failed step is reported, and the time line goes on: what the cluster does after a
    /// failed reshard is worth seeing too.
    pub async fn play(&self) -> Result<Nanos, Halt> {
        self.drill.unless_bereaved(self.play_all()).await?
    }

    async fn play_all(&self) -> Result<Nanos, Halt> {
        let mut at_work = FuturesUnordered::new();
        let mut calm = self.begin;
        for (index, step) in self.drill.scenario.timeline.iter().enumerate() {
            let due = self.begin + step.at;
            let mut due_now = pin!(self.drill.until(due));
            let halted = loop {
                tokio::select! {
                    waited = &mut due_now => break waited,
                    Some(()) = at_work.next() => {}
                }
            };
            if halted.is_err() {
                break;
            }
            let span = info_span!("step", n = index + 1, does = step.describe());
            span.in_scope(|| info!("begins"));
            at_work.push(self.step(index, step, due).instrument(span));
        }
        // On Ctrl-C too: moves bring their slots to an owner, and faults end at once.
        while at_work.next().await.is_some() {}
        if !self.drill.scenario.timeline.is_empty() {
            calm = self.drill.teller.clock().now();
        }
        match self.drill.stop.is_cancelled() {
            true => Err(Halt::Interrupted),
            false => Ok(calm),
        }
    }

    async fn step(&self, index: usize, step: &Step, due: Nanos) {
        let takes_turns = step.action.kind().effects().takes_turns();
        let _turn = if takes_turns { Some(self.half_moved.turn().await) } else { None };
        self.warn_if_late(step, due);
        self.drill.teller.tell(EventKind::StepBegan { step: index });
        self.observers.watcher.step_began(index);
        let group = self.deployment.group(&step.group);
        let (moved, error) = match group {
            Some(group) => self.carry_out(group, index, step).await,
            None => {
                let error = format!("there is no group {}", step.group);
                (Moved::default(), Some(StepError::certain(error)))
            }
        };
        let [doubtful, own] = error.as_ref().map_or([false; 2], |error| [error.in_time, error.own]);
        let error = error.map(|error| error.text);
        self.drill.teller.tell(EventKind::StepEnded { step: index, moved, error, doubtful, own });
        self.observers.watcher.step_ended(index);
    }

    async fn carry_out(
        &self,
        group: &DeployedGroup,
        index: usize,
        step: &Step,
    ) -> (Moved, Option<StepError>) {
        let error = match fault::of(&step.action) {
            Play::Slots => {
                let to = (self.faults, self.half_moved);
                return scale::carry_out(to, group, (index, step)).await;
            }
            Play::Fault(fault) => self.faults.play(group, (index, step), fault).await,
            Play::Rolling(rolling) => {
                rolling::carry_out(self.faults, group, (index, step), rolling).await
            }
            Play::Drawn => None,
        };
        (Moved::default(), error)
    }

    /// Steps that move slots run one after the other, so one may have to wait for the one
    /// before.
    fn warn_if_late(&self, step: &Step, planned: Nanos) {
        let late = self.drill.teller.clock().now().since(planned);
        if late >= LATE {
            let text = format!(
                "step `{}` began {:.1} s after its `at`: the one before it was still at work",
                step.describe(),
                late.as_secs_f64()
            );
            self.drill.teller.tell(EventKind::Warning { text });
        }
    }
}
