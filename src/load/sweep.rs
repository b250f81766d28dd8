//! Visits all keys of a load once: to fill them before it, and to read them at the end. These
//! operations have no schedule. They go as fast as a limited number in flight allows.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use smallvec::smallvec;

use super::client::Client;
use super::context::LoadContext;
use super::workload::{Plan, Plans};
use crate::model::Nanos;
use crate::model::op::{Access, Cause, Op, Outcome, Purpose};

/// Operations in flight: enough to keep a server busy, and not too many.
const IN_FLIGHT: usize = 128;
/// The pause before an operation that failed is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a key's final read may take in the first round; twice that in each that follows, up
/// to the most.
const READ_PATIENCE: Duration = Duration::from_millis(100);
const MOST_PATIENCE: Duration = Duration::from_secs(2);
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
    let plans = (0..keys).filter_map(|key| operations.fill(key));
    let filled = stream::iter(plans.flat_map(|plan| context.in_each_group(plan)))
        .map(|plan| async move {
            let deadline = context.clock.now() + FILL_PATIENCE;
            let op = insist(context, &plan, deadline).await;
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

/// Reads every key once from its primary. Keys that cannot be read are tried again, round by
/// round, so that those of a dead shard keep no others waiting. What is not read by `deadline`
/// is recorded as not ok.
pub(crate) async fn read_all<C: Client>(context: &LoadContext<C>, deadline: Nanos) -> FinalRead {
    // Who only reads has not noticed that a primary became a replica.
    context.look_again().await;
    let all = (0..context.load.keys).flat_map(|key| context.last(key));
    let mut patience = READ_PATIENCE;
    let (mut read, mut left) = read_round(context, all, patience, deadline).await;
    while !left.is_empty() && context.clock.now() + PAUSE < deadline {
        tokio::time::sleep(PAUSE).await;
        patience = (patience * 2).min(MOST_PATIENCE);
        let again = left.into_iter().map(|(plan, _)| plan);
        let (more, still) = read_round(context, again, patience, deadline).await;
        (read, left) = (read + more, still);
    }
    let unread = left.len() as u64;
    left.into_iter().for_each(|(_, op)| context.record(op));
    context.flush_all();
    FinalRead { read, unread }
}

/// Tries each of `plans` once. How many were read, and those that were not.
async fn read_round<C: Client>(
    context: &LoadContext<C>,
    plans: impl Iterator<Item = Plan>,
    patience: Duration,
    deadline: Nanos,
) -> (u64, Vec<(Plan, Op)>) {
    stream::iter(plans)
        .map(|plan| async move {
            let began = context.clock.now();
            let rest = patience.min(deadline.since(began));
            let reading = context.operate(plan.clone(), Purpose::Final, began);
            let read = match rest.is_zero() {
                true => None,
                false => tokio::time::timeout(rest, reading).await.ok(),
            };
            let unread =
                || context.unsent(smallvec![plan.clone()], Purpose::Final, began, Cause::Timeout);
            (plan.clone(), read.or_else(|| unread().pop()))
        })
        .buffer_unordered(IN_FLIGHT)
        .fold((0, Vec::new()), |(mut read, mut left), (plan, op)| async move {
            match op {
                Some(op) if op.outcome == Outcome::Ok => {
                    context.record(op);
                    read += 1;
                }
                op => left.extend(op.map(|op| (plan, op))),
            }
            (read, left)
        })
        .await
}

/// Writes a key until it ends ok, or until `deadline`. A write is not repeated once it may have
/// been done; a read, which leaves a copy in a cache, is.
async fn insist<C: Client>(context: &LoadContext<C>, plan: &Plan, deadline: Nanos) -> Op {
    let began = context.clock.now();
    loop {
        let op = context.operate(plan.clone(), Purpose::Fill, began).await;
        let again = match op.outcome {
            Outcome::Ok => false,
            Outcome::Fail(_) => true,
            Outcome::Unknown(_) => op.action.access() == Access::Read,
        };
        if !again || op.done + PAUSE >= deadline {
            return op;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
