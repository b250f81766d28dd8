//! A step that moves slots, and has nodes join before or leave afterwards where it changes who
//! belongs to the cluster.

use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, members};
use crate::model::NodeName;
use crate::model::event::{EventKind, Moved};
use crate::spec::step::{RemoveShard, Step, StepAction};

use super::faults::Faults;
use super::moves;

/// What has moved in the end, and what went wrong.
pub async fn carry_out(
    faults: &Faults<'_>,
    group: &DeployedGroup,
    (index, step): (usize, &Step),
) -> (Moved, Option<String>) {
    let stage = faults.stage;
    let joiners = step.action.joiners(&group.spec.name);
    if !joiners.is_empty() {
        let joined = tokio::select! {
            joined = members::join(stage.backend, group, &joiners) => joined,
            () = stage.stop.cancelled() => return (Moved::default(), None),
        };
        if let Err(error) = joined {
            return (Moved::default(), Some(error.to_string()));
        }
        stage.teller.tell(EventKind::StepJoined { step: index, nodes: joiners });
    }
    // An emptied primary follows another one, and then nobody could tell who is to leave.
    let leavers = leavers(group, &step.action).await;
    let (slots, how) = (step.action.slots(), step.moving);
    let Some((slots, how)) = slots.zip(how) else { return (Moved::default(), None) };
    let (moved, error) = moves::carry_out(stage, group, index, &slots, how).await;
    if error.is_some() || leavers.is_empty() || stage.stop.is_cancelled() {
        return (moved, error);
    }
    faults.forget(&leavers);
    let left = members::leave(stage.backend, group, &leavers).await;
    stage.teller.tell(EventKind::StepLeft { step: index, nodes: leavers });
    (moved, left.err().map(|error| error.to_string()))
}

/// All nodes of the shard that is to go.
async fn leavers(group: &DeployedGroup, action: &StepAction) -> Vec<NodeName> {
    let StepAction::RemoveShard(RemoveShard { shard }) = action else { return Vec::new() };
    let shards = shards_now(group).await;
    let view = shards.into_iter().find(|view| view.shard == *shard);
    view.map(|view| view.primary.into_iter().chain(view.replicas).collect()).unwrap_or_default()
}
