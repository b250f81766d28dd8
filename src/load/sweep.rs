//! Visits all keys of a load once: to fill them before it, and to read them at the end. These
//! operations have no schedule. They go as fast as a limited number in flight allows.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::client::Client;
use super::context::LoadContext;
use super::workload::{Plan, Plans};
use crate::model::Nanos;
use crate::model::op::{Cause, Op, Outcome, Purpose};

/// Operations in flight: enough to keep a server busy, and not too many.
const IN_FLIGHT: usize = 128;
/// The pause before an operation that failed is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// For how long a key may fail while it is filled.
const FILL_PATIENCE: Duration = Duration::from_secs(10);

/// The result of reading the final state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FinalRead {
    /// Keys that were read (or found not to exist).
    pub read: u64,
    /// Keys that no primary returned in time; their state is unknown.
    pub unread: u64,
}

/// Writes every key once. The error names the key that could not be written, and why. A write
/// with an unknown outcome is an error too: it could still take effect later and undo a write
/// of the load.
pub(crate) async fn fill<C: Client>(
    context: &LoadContext<C>,
    operations: &mut Plans,
) -> Result<u64, (u64, Cause)> {
    let keys = context.load.keys;
    let plans = (0..keys).map(|key| (key, operations.fill(key)));
    let filled = stream::iter(plans)
        .map(|(key, plan)| async move {
            let deadline = context.clock.now() + FILL_PATIENCE;
            prepare(context, key, deadline).await.map_err(|cause| (key, cause))?;
            let Some(plan) = plan else { return Ok(()) };
            let op = insist(context, &plan, Purpose::Fill, deadline).await;
            let (key, outcome) = (op.key, op.outcome);
            context.record(op);
            match outcome {
                Outcome::Ok => Ok(()),
                Outcome::Fail(cause) | Outcome::Unknown(cause) => Err((key, cause)),
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .try_for_each(|()| async { Ok(()) })
        .await;
    context.flush();
    filled.map(|()| keys)
}

/// Reads every key once from its primary. A key that cannot be read is tried again until
/// `deadline`, and is then recorded as not ok.
pub(crate) async fn read_all<C: Client>(context: &LoadContext<C>, deadline: Nanos) -> FinalRead {
    let result = stream::iter(0..context.load.keys)
        .map(|key| async move {
            let op = insist(context, &context.last(key), Purpose::Final, deadline).await;
            let ok = op.outcome == Outcome::Ok;
            context.record(op);
            ok
        })
        .buffer_unordered(IN_FLIGHT)
        .fold(FinalRead::default(), |sum, ok| async move {
            FinalRead { read: sum.read + u64::from(ok), unread: sum.unread + u64::from(!ok) }
        })
        .await;
    context.flush();
    result
}

/// Prepares `key` for its first operation, which can be done twice. The error says why it
/// failed.
async fn prepare<C: Client>(
    context: &LoadContext<C>,
    key: u64,
    deadline: Nanos,
) -> Result<(), Cause> {
    loop {
        match context.prepare(key).await {
            Outcome::Ok => return Ok(()),
            Outcome::Fail(cause) | Outcome::Unknown(cause) if context.clock.now() >= deadline => {
                return Err(cause);
            }
            Outcome::Fail(_) | Outcome::Unknown(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Does `plan` until it ends ok, or until `deadline`. A write is not repeated once it may have
/// been done.
async fn insist<C: Client>(
    context: &LoadContext<C>,
    plan: &Plan,
    purpose: Purpose,
    deadline: Nanos,
) -> Op {
    let began = context.clock.now();
    if began >= deadline {
        return context.unsent(plan.clone(), purpose, began, Outcome::Fail(Cause::Timeout));
    }
    loop {
        let op = context.operate(plan.clone(), purpose, began).await;
        let again = match op.outcome {
            Outcome::Ok => false,
            Outcome::Fail(_) => true,
            Outcome::Unknown(_) => purpose == Purpose::Final,
        };
        if !again || op.done + PAUSE >= deadline {
            return op;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
