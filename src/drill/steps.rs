//! The timeline: each step at its instant, one after the other.

use std::time::Duration;

use crate::cluster::moving::{self, Heard};
use crate::cluster::plan::plan;
use crate::cluster::view::{compare, views};
use crate::cluster::{DeployedGroup, Deployment};
use crate::model::Nanos;
use crate::model::event::{Moved, What};
use crate::model::slot::SlotSet;
use crate::spec::scenario::{Pace, Step, StepAction};

use super::forecast::describe;
use super::stage::{Halt, Stage};
use super::watch::Observers;

/// A step that begins so much late is worth telling.
const LATE: Duration = Duration::from_millis(100);

/// Plays every step and gives the instant from which the load is to settle: the
/// end of the last step, or `begin` if there are none.
///
/// A step that fails is told as such and the timeline goes on: what the cluster
/// does after a failed reshard is worth seeing too.
pub async fn play(
    stage: &Stage<'_>,
    deployment: &Deployment,
    observers: &Observers,
    begin: Nanos,
) -> Result<Nanos, Halt> {
    let mut calm = begin;
    for (index, step) in stage.scenario.timeline.iter().enumerate() {
        stage.until(begin + step.at).await?;
        warn_if_late(stage, step, begin + step.at);
        stage.teller.tell(What::StepBegan { step: index });
        observers.step_began(index);
        // Not `unless_halted`: on Ctrl-C the move itself brings its slots home.
        let (moved, error) = stage.unless_bereaved(one(stage, deployment, index, step)).await?;
        stage.teller.tell(What::StepEnded { step: index, moved, error });
        observers.step_ended(index);
        calm = stage.teller.clock().now();
        if stage.stop.is_cancelled() {
            return Err(Halt::Interrupted);
        }
    }
    Ok(calm)
}

/// Steps are played one after the other, so one may have to wait for the one before it.
fn warn_if_late(stage: &Stage<'_>, step: &Step, planned: Nanos) {
    let late = stage.teller.clock().now().since(planned);
    if late >= LATE {
        let text = format!(
            "step `{}` began {:.1} s after its `at`: the one before it was still at work",
            describe(step),
            late.as_secs_f64()
        );
        stage.teller.tell(What::Warning { text });
    }
}

async fn one(
    stage: &Stage<'_>,
    deployment: &Deployment,
    index: usize,
    step: &Step,
) -> (Moved, Option<String>) {
    let Some(group) = deployment.group(&step.group) else {
        return (Moved::default(), Some(format!("there is no group {}", step.group)));
    };
    let routes = match plan(&step.action, &owners(group).await) {
        Ok(routes) => routes,
        Err(error) => return (Moved::default(), Some(error.to_string())),
    };
    let tell = |heard| {
        stage.teller.tell(match heard {
            Heard::Moved(moved) => What::StepProgress { step: index, moved },
            Heard::Method(method) => {
                What::StepMethod { step: index, method: method.name().to_owned() }
            }
            Heard::Job { from, to, state } => What::StepJob { step: index, from, to, state },
        });
    };
    let how = (step.method, pace(&step.action));
    let cancel = || stage.stop.is_cancelled();
    match moving::carry_out(&routes, &group.nodes, how, tell, cancel).await {
        Ok(moved) => (moved, None),
        Err(error) => (error.moved, Some(error.to_string())),
    }
}

/// Who owns which slots now, by shard: what most nodes say.
async fn owners(group: &DeployedGroup) -> Vec<SlotSet> {
    let seen = views(&group.nodes).await.into_iter().flatten();
    let seen: Vec<_> = seen.map(|sight| (sight.node, sight.lines)).collect();
    let mut owners = vec![SlotSet::default(); group.spec.shards() as usize];
    for shard in compare(&group.nodes, &seen).shards {
        if let Some(owned) = owners.get_mut(shard.shard as usize) {
            *owned = shard.slots;
        }
    }
    owners
}

fn pace(action: &StepAction) -> Pace {
    match action {
        StepAction::Reshard { pace, .. }
        | StepAction::Drain { pace, .. }
        | StepAction::Rebalance { pace, .. } => *pace,
    }
}
