//! Moving slots from one primary to another, a wave at a time.
//!
//! A wave is opened (IMPORTING on the target, then MIGRATING on the source),
//! emptied, and closed (NODE on the target, on the source, on the others).
//! From MIGRATING on, the source creates no new key in the slot, so what it has
//! then is all there is to carry. The target hears NODE first: a client that
//! the source sends on must find an owner there.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures::future::join_all;
use futures::stream::{self, FuturesUnordered, StreamExt};
use redis::Cmd;

use super::error::Reason;
use super::keys::{self, Batch, Queue};
use super::layout::Member;
use super::marks::{Marks, pipeline, set_slot};
use super::migrate::{OnBoth, migrate};
use super::pace::{Pacer, WaveSize};
use super::tally::Tally;
use super::{OpenSlots, lock};
use crate::model::event::{Moved, Role};
use crate::node::{Admin, NodeError, Section};

/// Listings of a wave's slots before they count as stuck. Each takes many keys
/// of each slot, so this bounds a slot to some ten million.
const PASSES: usize = 10_000;

/// Slots go from `from` to `to`.
pub struct Lane<'a, P> {
    pub from: &'a Member,
    pub to: &'a Member,
    /// The other primaries: told last, so that they need not wait for gossip.
    pub others: Vec<&'a Member>,
    pub pacer: &'a Pacer<'a>,
    pub tally: &'a Tally<P>,
    /// No wave is opened any more.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    pub open: &'a OpenSlots,
    /// Slots that count as moved when they get here; others are somebody else's leavings.
    pub wanted: &'a BTreeMap<u16, u32>,
}

/// Connections of a lane: a MIGRATE holds up whatever is sent behind it.
struct Wires {
    source: Admin,
    carrier: Admin,
    source_marks: Marks,
    target_marks: Marks,
}

impl<P: Fn(Moved) + Sync> Lane<'_, P> {
    /// Moves `slots`. Waves in flight are finished whatever happens to others.
    pub async fn run(&self, slots: &[u16]) -> Result<(), Reason> {
        let source = self.from.node.admin.apart();
        let wires = Wires {
            carrier: source.apart(),
            source_marks: Marks::new(&source).await?,
            target_marks: Marks::new(&self.to.node.admin).await?,
            source,
        };
        let counts = keys::count(&wires.source, slots).await?;
        let size = self.pacer.wave_size();
        let failed = AtomicBool::new(false);
        let failure = Mutex::new(None);
        stream::iter(waves(slots, &counts, size))
            .for_each_concurrent(size.at_once, async |wave| {
                if failed.load(Relaxed) || (self.stop)() {
                    return;
                }
                if let Err(reason) = self.wave(&wires, &wave).await {
                    failed.store(true, Relaxed);
                    lock(&failure).get_or_insert(reason);
                }
            })
            .await;
        match lock(&failure).take() {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    async fn wave(&self, wires: &Wires, slots: &[u16]) -> Result<(), Reason> {
        let shard = self.to.node.name.shard;
        lock(self.open).extend(slots.iter().map(|&slot| (slot, shard)));
        let mark = |what, id| slots.iter().map(move |&slot| set_slot(slot, what, Some(id)));
        wires.target_marks.set(mark("IMPORTING", self.from.id()).collect()).await?;
        wires.source_marks.set(mark("MIGRATING", self.to.id()).collect()).await?;
        self.empty(wires, slots).await?;
        let owned = || mark("NODE", self.to.id()).collect::<Vec<Cmd>>();
        wires.target_marks.set(owned()).await?;
        if let Err(error) = wires.source_marks.set(owned()).await {
            self.forgive_replica(error).await?;
        }
        self.tell_others(owned()).await;
        lock(self.open).retain(|slot, _| !slots.contains(slot));
        let arrived = slots.iter().filter(|slot| self.wanted.get(slot) == Some(&shard));
        self.tally.add(arrived.count(), 0, 0);
        Ok(())
    }

    /// Carries keys until the source has none.
    async fn empty(&self, wires: &Wires, slots: &[u16]) -> Result<(), Reason> {
        let mut left = slots.to_vec();
        for _ in 0..PASSES {
            let queue = keys::list(&wires.source, &left).await?;
            self.carry(wires, queue).await?;
            let counts = keys::count(&wires.source, &left).await?;
            left = left.into_iter().zip(counts).filter(|(_, n)| *n > 0).map(|(s, _)| s).collect();
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(Reason::Stuck { slot: left[0], from: self.from.node.name.clone() })
    }

    async fn carry(&self, wires: &Wires, mut queue: Queue) -> Result<(), Reason> {
        let mut flying = FuturesUnordered::new();
        let mut outcome = Ok(());
        loop {
            while outcome.is_ok() && flying.len() < self.pacer.depth() {
                let Some(batch) = queue.next(self.pacer.limits()) else { break };
                flying.push(self.carry_one(wires, batch));
            }
            match flying.next().await {
                Some(Ok(())) => {}
                Some(Err(reason)) => outcome = outcome.and(Err(reason)),
                None => return outcome,
            }
        }
    }

    async fn carry_one(&self, wires: &Wires, batch: Batch) -> Result<(), Reason> {
        let turn = self.pacer.turn().await;
        migrate(&wires.carrier, &self.to.node, &batch, OnBoth::SourceWins).await?;
        turn.done(batch.keys.len());
        self.tally.add(0, batch.keys.len(), batch.bytes);
        Ok(())
    }

    /// A source that gave its last slot away may have become a replica of the
    /// target, and then takes no SETSLOT any more, nor needs it.
    async fn forgive_replica(&self, error: NodeError) -> Result<(), Reason> {
        let info = self.from.node.admin.info(Section::Replication).await?;
        if info.role() == Some(Role::Replica) { Ok(()) } else { Err(error.into()) }
    }

    /// For the sake of speed only: who cannot be told hears it by gossip.
    async fn tell_others(&self, cmds: Vec<Cmd>) {
        let pipeline = pipeline(cmds);
        join_all(self.others.iter().map(|other| other.node.admin.replies(&pipeline))).await;
    }
}

/// Cuts `slots` into waves.
fn waves(slots: &[u16], counts: &[u64], size: WaveSize) -> Vec<Vec<u16>> {
    let mut waves: Vec<Vec<u16>> = Vec::new();
    let mut keys = 0;
    for (&slot, &count) in slots.iter().zip(counts) {
        match waves.last_mut() {
            Some(wave) if wave.len() < size.slots && keys + count <= size.keys => {
                wave.push(slot);
                keys += count;
            }
            _ => {
                waves.push(vec![slot]);
                keys = count;
            }
        }
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_bounded_by_slots_and_by_keys() {
        let size = WaveSize { slots: 3, keys: 10, at_once: 1 };
        let cut = waves(&[1, 2, 3, 4, 5, 6, 7], &[0, 0, 0, 0, 99, 4, 6], size);
        assert_eq!(cut, [vec![1, 2, 3], vec![4], vec![5], vec![6, 7]]);
    }
}
