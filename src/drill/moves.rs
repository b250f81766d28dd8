//! Moving slots, as a step says.

use crate::cluster::DeployedGroup;
use crate::cluster::moving::{self, Heard};
use crate::cluster::plan::plan;
use crate::cluster::view::shards_now;
use crate::model::event::{EventKind, Moved};
use crate::model::slot::SlotSet;
use crate::spec::decode::Word;
use crate::spec::step::{Method, Pace, SlotMove};

use super::stage::Stage;

/// What has moved in the end, and why not all of it.
pub async fn carry_out(
    stage: &Stage<'_>,
    group: &DeployedGroup,
    index: usize,
    slots: &SlotMove,
    how: (Method, Pace),
) -> (Moved, Option<String>) {
    let routes = match plan(slots, &owners(group).await) {
        Ok(routes) => routes,
        Err(error) => return (Moved::default(), Some(error.to_string())),
    };
    let tell = |heard| {
        stage.teller.tell(match heard {
            Heard::Moved(moved) => EventKind::StepProgress { step: index, moved },
            Heard::Method(method) => {
                EventKind::StepMethod { step: index, method: method.word().to_owned() }
            }
            Heard::Job { from, to, state } => EventKind::StepJob { step: index, from, to, state },
        });
    };
    let cancel = || stage.stop.is_cancelled();
    match moving::carry_out(&routes, &group.nodes, how, tell, cancel).await {
        Ok(moved) => (moved, None),
        Err(error) => (error.moved, Some(error.to_string())),
    }
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
