//! Why slots stopped moving.

use crate::model::NodeName;
use crate::model::event::Moved;
use crate::model::slot::SlotSet;
use crate::node::NodeError;

/// A move that ended before all its slots had moved.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "slots stopped moving after {} of {}: {reason}{}",
    moved.slots, moved.slots_total, left_open(open)
)]
pub struct MoveError {
    /// What had moved before the error. Those slots have their new owners.
    pub moved: Moved,
    pub reason: Reason,
    /// Slots that could not be made stable again, because a node is gone. The next move
    /// finishes them.
    pub open: SlotSet,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Reason {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("shard {0} has no primary that answers")]
    NoPrimary(u32),
    #[error("no node that answers owns slot {0}")]
    NoOwner(u16),
    #[error("MIGRATE of slot {slot} from {from} to {to}: {answer}")]
    Migrate { slot: u16, from: NodeName, to: NodeName, answer: String },
    #[error(
        "{to} does not hear from {from}, which has epoch {epoch}: look at the link between them"
    )]
    Unheard { epoch: u64, from: NodeName, to: NodeName },
    /// Boxed, so that errors stay small.
    #[error("the servers' own migration of slots from {} to {} ended: {why}", ends[0], ends[1])]
    Job { ends: Box<[NodeName; 2]>, why: String },
    #[error(
        "these servers have no atomic slot migration (Valkey 9.0 and Redis 8.4 do); use \
         `method: migrate`, or `auto`"
    )]
    NotAtomic,
    #[error("slot {slot} does not leave {from}: look for keys of it that MIGRATE passes over")]
    Stuck { slot: u16, from: NodeName },
}

fn left_open(open: &SlotSet) -> String {
    if open.is_empty() {
        return String::new();
    }
    format!("; still open, as a node is gone (moving again finishes them): {open}")
}
