//! Cleans up after a move that went elsewhere, or that has to be given up.
//!
//! A node that does not own a slot may still have marks of a move, and keys. The keys go to the
//! slot's owner or future owner, except those that are there already, because those are newer.
//! Then the marks are removed.

use std::time::Duration;

use redis::Pipeline;

use super::keys::{self, Batch, Carried, Limits, OnBoth, migrate};
use super::layout::Member;
use super::marks::{pipeline, set_slot};
use super::progress::Reason;

/// Leftover keys are few, and small batches keep the owner serving.
const LIMITS: Limits = Limits { keys: 20, bytes: 256 * 1024 };

/// Keys listed at once.
const LISTED: usize = 500;

/// How often a slot is listed before it counts as stuck.
const PASSES: usize = 10_000;

/// Removes all keys and marks of `slot` from `at`. `to` gets the keys: it is the `owner`, or is
/// being given the slot by it.
pub async fn tidy(at: &Member, to: &Member, owner: &Member, slot: u16) -> Result<(), Reason> {
    let admin = &at.node.admin;
    if at.id() == to.id() {
        return Ok(admin.query(&set_slot(slot, "STABLE", None)).await?);
    }
    if to.id() != owner.id() {
        to.node.admin.query::<()>(&set_slot(slot, "IMPORTING", Some(owner.id()))).await?;
    }
    // A node that does not own a slot accepts MIGRATE only if the slot is open. It refuses this
    // if it believes that it owns the slot, and then accepts MIGRATE anyway.
    ignore_refusal(admin.query(&set_slot(slot, "IMPORTING", Some(to.id()))).await)?;
    for _ in 0..PASSES {
        let mut queue = keys::list(admin, slot, LISTED).await?;
        if queue.is_empty() {
            if at.line.slots.contains(slot) {
                admin.query::<()>(&set_slot(slot, "NODE", Some(to.id()))).await?;
            }
            // Refused if the loss of its last slot has made it a replica: then it has no marks.
            return ignore_refusal(admin.query(&set_slot(slot, "STABLE", None)).await);
        }
        while let Some(batch) = queue.next(LIMITS) {
            hand_over(at, to, batch).await?;
        }
    }
    Err(Reason::Stuck { slot, from: at.node.name.clone() })
}

/// Gives `to` the keys that it lacks and deletes the others.
async fn hand_over(at: &Member, to: &Member, batch: Batch) -> Result<(), Reason> {
    let admin = &at.node.admin;
    if migrate(admin, &to.node, &batch, OnBoth::TargetWins).await? == Carried::All {
        return Ok(());
    }
    // MIGRATE does not say which keys were there already, so each goes alone.
    for key in batch.keys {
        let one = Batch { slot: batch.slot, keys: vec![key], bytes: batch.bytes };
        if migrate(admin, &to.node, &one, OnBoth::TargetWins).await? == Carried::Busy {
            let mut drop_it = Pipeline::new();
            drop_it.cmd("ASKING").ignore().cmd("DEL").arg(&one.keys);
            admin.pipeline::<redis::Value>(&drop_it).await?;
        }
    }
    Ok(())
}

fn ignore_refusal(result: Result<(), crate::node::NodeError>) -> Result<(), Reason> {
    match result {
        Err(error) if error.is_gone() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Makes slots stable that could not be finished. `from` owns them and gets back the keys that
/// `to` has already. Meanwhile a reader may miss a key that is on its way back.
pub async fn put_back(
    from: Option<&Member>,
    to: Option<&Member>,
    slots: &[u16],
) -> Result<(), Reason> {
    if let Some(from) = from {
        let stable = pipeline(slots.iter().map(|&slot| set_slot(slot, "STABLE", None)));
        from.node.admin.with_timeout(Duration::from_secs(10)).replies(&stable).await?;
    }
    if let (Some(from), Some(to)) = (from, to) {
        for &slot in slots {
            tidy(to, from, from, slot).await?;
        }
    }
    Ok(())
}
