//! A step that moves slots, and has nodes join before or leave afterwards where it changes who
//! belongs to the cluster.

use crate::cluster::moving::{self, MoveReport, Remains};
use crate::cluster::plan::plan;
use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, members};
use crate::model::event::{EventKind, Moved, PaceKept};
use crate::model::slot::SlotSet;
use crate::model::{NodeName, Unit};
use crate::spec::step::{Method, Pace, SlotMove, Step, StepAction};

use super::context::DrillContext;
use super::faults::Faults;
use super::half_moved::HalfMoved;
use super::step_error::StepError;

/// What has moved in the end, and what went wrong.
pub async fn carry_out(
    (faults, half_moved): (&Faults<'_>, &HalfMoved<'_>),
    group: &DeployedGroup,
    (index, step): (usize, &Step),
) -> (Moved, Option<StepError>) {
    let drill = faults.drill;
    let joiners = step.action.joiners(&group.spec.name);
    if !joiners.is_empty() {
        let joined = tokio::select! {
            joined = members::join(drill.backend, group, &joiners) => joined,
            () = drill.stop.cancelled() => return (Moved::default(), None),
        };
        if let Err(error) = joined {
            return (Moved::default(), Some(error.into()));
        }
        drill.teller.tell(EventKind::StepJoined { step: index, nodes: joiners });
    }
    // An emptied primary follows another one, and then nobody could tell who is to leave.
    let leavers = leavers(group, &step.action).await;
    let (slots, how) = (step.action.slots(), step.moving);
    let Some((slots, how)) = slots.zip(how) else { return (Moved::default(), None) };
    let (moved, error) = move_slots((drill, half_moved), group, index, &slots, how).await;
    if error.is_some() || leavers.is_empty() || drill.stop.is_cancelled() {
        return (moved, error);
    }
    // Their servers end, with the keys that they have.
    if let Some((_, Remains { open, stranded, .. })) = half_moved.finish(group).await {
        let slots: SlotSet = open.iter().chain(stranded.iter()).collect();
        let error = format!("its nodes stay, as they may have keys of slots of others: {slots}");
        return (moved, Some(StepError::certain(error)));
    }
    faults.forget(&leavers);
    let left = members::leave(drill.backend, group, &leavers).await;
    drill.teller.tell(EventKind::StepLeft { step: index, nodes: leavers });
    (moved, left.err().map(StepError::from))
}

/// All nodes of the shard that is to go.
async fn leavers(group: &DeployedGroup, action: &StepAction) -> Vec<NodeName> {
    let Some(shard) = action.leaves() else { return Vec::new() };
    let shards = shards_now(group).await;
    let view = shards.into_iter().find(|view| view.shard == shard);
    view.map(|view| view.primary.into_iter().chain(view.replicas).collect()).unwrap_or_default()
}

/// What has moved in the end, and why not all of it.
async fn move_slots(
    (drill, half_moved): (&DrillContext<'_>, &HalfMoved<'_>),
    group: &DeployedGroup,
    index: usize,
    slots: &SlotMove,
    how: (Method, Pace),
) -> (Moved, Option<StepError>) {
    let routes = match plan(slots, &owners(group).await) {
        Ok(routes) => routes,
        Err(error) => return (Moved::default(), Some(StepError::certain(error))),
    };
    let tell = |heard| {
        drill.teller.tell(match heard {
            MoveReport::Moved(moved) => EventKind::StepProgress { step: index, moved },
            MoveReport::Method(method) => {
                EventKind::StepMethod { step: index, method: method.word().to_owned() }
            }
            MoveReport::Pace(kept) => EventKind::StepPace { step: index, kept },
            MoveReport::Unmet(kept) => {
                let text = format!("step {}: {}", index + 1, out_of_reach(&kept));
                drill.teller.tell(EventKind::Warning { text });
                EventKind::StepPace { step: index, kept }
            }
            MoveReport::Job { from, to, state } => {
                EventKind::StepJob { step: index, from, to, state }
            }
        });
    };
    let cancel = || drill.stop.is_cancelled();
    match moving::carry_out(&routes, &group.nodes, how, tell, cancel).await {
        Ok(moved) => (moved, None),
        Err(error) => {
            half_moved.leave(&group.spec.name, index, &error.open);
            (error.moved, Some(error.into()))
        }
    }
}

fn out_of_reach(kept: &PaceKept) -> String {
    let ms = |value: Option<f64>| Unit::Millis.show(value.unwrap_or_default());
    let (pace, floor, goal) = (&kept.pace, ms(kept.floor_ms), ms(kept.goal_ms));
    let why = match kept.answers_ms {
        None => format!("PINGs take {floor} even while nothing moves"),
        Some(_) => format!(
            "with the least effort PINGs take {} instead of {goal}, and {floor} while nothing moves",
            ms(kept.answers_ms)
        ),
    };
    format!("the pace {pace} cannot be kept: {why}; slots move on without rests")
}

/// Who owns which slots now, by shard: what most nodes say.
async fn owners(group: &DeployedGroup) -> Vec<SlotSet> {
    let shards =
        group.nodes.iter().filter_map(|node| node.name.shard()).max().map_or(0, |last| last + 1);
    let mut owners = vec![SlotSet::default(); shards as usize];
    for shard in shards_now(group).await {
        if let Some(owned) = owners.get_mut(shard.shard as usize) {
            *owned = shard.slots;
        }
    }
    owners
}
