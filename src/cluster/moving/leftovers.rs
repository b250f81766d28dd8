//! Cleans up after a move that went elsewhere, or that has to be given up.
//!
//! A node that does not own a slot may still have marks of a move, and keys. The keys go to the
//! slot's owner or future owner, except those that are there already, because those are newer.
//! Then the marks are removed.

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

/// Closes slots of `from` whose move to `to` cannot be finished, as far as no key is stranded by
/// that: those of which `to` has no keys. Returns the others. They stay open, so that `from` sends
/// clients to `to` for the keys that it has given away.
pub async fn close(from: &Member, to: &Member, slots: &[u16]) -> Result<Vec<u16>, Reason> {
    let counts = keys::count(&to.node.admin, slots).await?;
    let counted = slots.iter().copied().zip(counts);
    let (empty, full): (Vec<_>, Vec<_>) = counted.partition(|(_, keys)| *keys == 0);
    let mut open: Vec<u16> = full.into_iter().map(|(slot, _)| slot).collect();
    for (slot, _) in empty {
        // A client may have written there since.
        if take_back(from, to, slot).await.is_err() {
            open.push(slot);
        }
    }
    // A node that took over from the source does not know that it was giving them away.
    keep_open(from, to, &open).await?;
    Ok(open)
}

/// Closes a slot of `from`, which gets back the keys that `to` has. Meanwhile a reader may miss a
/// key that is on its way back. If they cannot all come back, the slot is open again.
pub async fn take_back(from: &Member, to: &Member, slot: u16) -> Result<(), Reason> {
    // While it gives the slot away, a node takes no keys that it does not have.
    from.node.admin.query::<()>(&set_slot(slot, "STABLE", None)).await?;
    let taken = tidy(to, from, from, slot).await;
    if taken.is_err() {
        keep_open(from, to, &[slot]).await?;
    }
    taken
}

/// Marks slots as being given by `from` to `to`. A refusal is ignored: the owner has changed.
async fn keep_open(from: &Member, to: &Member, slots: &[u16]) -> Result<(), Reason> {
    let marks = |what, id| pipeline(slots.iter().map(move |&slot| set_slot(slot, what, Some(id))));
    if slots.is_empty() {
        return Ok(());
    }
    to.node.admin.replies(&marks("IMPORTING", from.id())).await?;
    from.node.admin.replies(&marks("MIGRATING", to.id())).await?;
    Ok(())
}
