//! What a lock on several independent servers is: the same key on each of them, a quorum that
//! decides, and a lease that is shorter by what clocks may differ. A lock on one server has a quorum
//! of one, so the same holds for it.
//!
//! <https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/>

use std::time::Duration;

use crate::load::workload::{Plan, Stage, badness};
use crate::model::Nanos;
use crate::model::op::{Action, LockOp, Op, Outcome};
use crate::spec::lock::{Lock, LockKind};

/// One operation on each of the load's groups where a client asks for the lock.
pub(super) fn on_all(lock: &Lock, key: u64, action: LockOp) -> Stage {
    let plan = |group| Plan { group, ..Plan::bare(key, Action::Lock(action)) };
    (0..lock.asked() as u8).map(plan).collect()
}

/// Whether it is known what comes of a stage of `of` operations, by those that have `ended`.
pub(super) fn is_decided(lock: &Lock, ended: &[Op], of: usize) -> bool {
    let is_try = |op: &&Op| matches!(op.action, Action::Lock(LockOp::Acquire { .. }));
    let (got, tried) = (count_got(ended), ended.iter().filter(is_try).count());
    tried == ended.len() && (got >= lock.quorum || of - (tried - got) < lock.quorum)
}

pub(super) fn count_got(ended: &[Op]) -> usize {
    ended.iter().filter(|op| fence(op).is_some()).count()
}

/// The number that came with a lock that the operation got.
pub(super) fn fence(op: &Op) -> Option<u64> {
    match op.action {
        Action::Lock(LockOp::Acquire { got, .. }) if op.outcome == Outcome::Ok => got,
        _ => None,
    }
}

/// Which one of a stage's operations says how the stage went: the one that made the quorum, the best
/// first. What goes wrong on fewer servers does no harm.
pub(super) fn decisive(lock: &Lock, ended: &[Op]) -> Option<usize> {
    let mut places: Vec<usize> = (0..ended.len()).collect();
    places.sort_by_key(|place| badness(&ended[*place]));
    let decisive = lock.quorum.min(ended.len()).checked_sub(1)?;
    Some(places[decisive])
}

/// When the lease of a lock that these got is over, by the client's clock: it began when the first
/// of them was sent, at the earliest.
pub(super) fn leased(lock: &Lock, sent: &[Op]) -> Nanos {
    let begun = sent.iter().map(|op| op.sent).min().unwrap_or_default();
    let shorter = if lock.kind == LockKind::Redlock { lock.drift() } else { Duration::ZERO };
    begun + lock.ttl.saturating_sub(shorter)
}
