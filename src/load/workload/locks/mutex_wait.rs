//! A mutex that counts as got only when so many replicas have it: the client sends WAIT on the same
//! connection, right behind the try, and what reached too few is taken back as any try whose outcome
//! is unknown.
//!
//! <https://redis.io/docs/latest/commands/wait/>

use crate::model::op::{Action, LockOp};

/// Whether replicas must have it: a lease that its holder relies on. The account need not be there.
pub(super) fn must_reach_replicas(action: &Action) -> bool {
    matches!(action, Action::Lock(LockOp::Acquire { .. } | LockOp::Extend { .. }))
}
