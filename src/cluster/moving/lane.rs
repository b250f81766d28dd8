//! Moves slots from one primary to another, a wave at a time.
//!
//! A wave is opened (IMPORTING on the target, then MIGRATING on the source), emptied, and
//! closed (NODE on the target, on the source, on the others). After MIGRATING the source
//! creates no new key in the slot, so the keys that it has then are all there are to carry. The
//! target gets NODE first: a client that the source redirects must find an owner there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;

use super::keys::{self, OnBoth, migrate};
use super::layout::Member;
use super::marks::{Marks, pipeline, set_slot};
use super::pace::{Pacer, WaveSize};
use super::progress::{Reason, Tally};
use crate::model::event::{Moved, Role};
use crate::node::{Admin, NodeError, Section};

/// How often a wave's slots are listed before they count as stuck. Each listing takes many keys
/// of each slot, so this limits a slot to some ten million keys.
const PASSES: usize = 10_000;

/// Gossip brings a change to all nodes within this time, or something keeps them apart.
const GOSSIP: Duration = Duration::from_secs(5);

/// Slots that were opened and not closed, and the shards that they go to.
pub type OpenSlots = Mutex<BTreeMap<u16, u32>>;

/// The way of slots from `from` to `to`.
pub struct Lane<'a, P> {
    pub from: &'a Member,
    pub to: &'a Member,
    /// The other primaries. They get NODE last, so that they need not wait for gossip.
    pub others: Vec<&'a Member>,
    pub pacer: &'a Pacer<'a>,
    pub tally: &'a Tally<P>,
    /// Whether to open no more waves.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    pub open: &'a OpenSlots,
    /// The slots that count as moved when they arrive; others were left half moved by an
    /// earlier move.
    pub wanted: &'a BTreeMap<u16, u32>,
}

/// The connections and state that all waves of a lane share.
struct Wires {
    source: Admin,
    /// A separate connection, because MIGRATE delays every request behind it.
    carrier: Admin,
    source_marks: Marks,
    target_marks: Marks,
    /// The first error. After it, nothing new is begun.
    failure: Mutex<Option<Reason>>,
}

impl<P: Fn(Moved) + Sync> Lane<'_, P> {
    /// Moves `slots`. Waves in flight are finished even after `stop`.
    pub async fn run(&self, slots: &[u16]) -> Result<(), Reason> {
        let source = self.from.node.admin.apart();
        let wires = Wires {
            carrier: source.apart(),
            source_marks: Marks::new(&source).await?,
            target_marks: Marks::new(&self.to.node.admin).await?,
            source,
            failure: Mutex::new(None),
        };
        self.epoch_is_known().await?;
        let counts = keys::count(&wires.source, slots).await?;
        let size = self.pacer.wave_size(wires.source_marks.one_by_one());
        stream::iter(waves(slots, &counts, size))
            .for_each_concurrent(size.at_once, async |wave| {
                if wires.healthy().is_err() || (self.stop)() {
                    return;
                }
                if let Err(reason) = self.wave(&wires, &wave).await {
                    wires.fail(reason);
                }
            })
            .await;
        wires.healthy()
    }

    /// Waits until the target knows the source's epoch. When the target becomes the owner, it
    /// claims the slots with an epoch newer than all that it knows. If it does not know the
    /// source's epoch, because that is very new, the source's older claims win, and the slots
    /// have no owner.
    async fn epoch_is_known(&self) -> Result<(), Reason> {
        let epoch = self.from.line.epoch;
        let began = Instant::now();
        while self.to.node.admin.cluster_info().await?.current_epoch < epoch {
            if began.elapsed() > GOSSIP {
                let (from, to) = (self.from.node.name.clone(), self.to.node.name.clone());
                return Err(Reason::Unheard { epoch, from, to });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn wave(&self, wires: &Wires, slots: &[u16]) -> Result<(), Reason> {
        let shard = self.to.node.shard();
        self.open.lock().extend(slots.iter().filter_map(|&slot| Some((slot, shard?))));
        wires.target_marks.set("IMPORTING", self.from.id(), slots).await?;
        wires.source_marks.set("MIGRATING", self.to.id(), slots).await?;
        self.empty(wires, slots).await?;
        wires.target_marks.adopt(self.to.id(), slots).await?;
        if let Err(error) = wires.source_marks.set("NODE", self.to.id(), slots).await {
            self.forgive_replica(error).await?;
        }
        self.tell_others(slots).await;
        self.open.lock().retain(|slot, _| !slots.contains(slot));
        let arrived = slots.iter().filter(|slot| self.wanted.get(slot).copied() == shard);
        self.tally.add(arrived.count(), 0, 0);
        Ok(())
    }

    /// Carries keys until the source has none.
    async fn empty(&self, wires: &Wires, slots: &[u16]) -> Result<(), Reason> {
        let mut left = slots.to_vec();
        for _ in 0..PASSES {
            let counts = keys::count(&wires.source, &left).await?;
            left = left.into_iter().zip(counts).filter(|(_, n)| *n > 0).map(|(s, _)| s).collect();
            if left.is_empty() {
                return Ok(());
            }
            stream::iter(&left)
                .for_each_concurrent(self.pacer.depth(), async |&slot| {
                    if let Err(reason) = self.carry(wires, slot).await {
                        wires.fail(reason);
                    }
                })
                .await;
            wires.healthy()?;
        }
        Err(Reason::Stuck { slot: left[0], from: self.from.node.name.clone() })
    }

    /// Carries the keys of one slot, or the first of them if it has very many.
    async fn carry(&self, wires: &Wires, slot: u16) -> Result<(), Reason> {
        wires.healthy()?;
        let mut queue = keys::list(&wires.source, slot, self.pacer.listed()).await?;
        while let Some(batch) = queue.next(self.pacer.limits()) {
            let turn = self.pacer.turn().await;
            wires.healthy()?;
            migrate(&wires.carrier, &self.to.node, &batch, OnBoth::SourceWins).await?;
            turn.done(batch.keys.len());
            self.tally.add(0, batch.keys.len(), batch.bytes);
        }
        Ok(())
    }

    /// Ignores the refusal of a source that has become a replica of the target by giving away
    /// its last slot: it refuses SETSLOT then, and does not need it.
    async fn forgive_replica(&self, error: NodeError) -> Result<(), Reason> {
        let info = self.from.node.admin.info(Section::Replication).await?;
        if info.role() == Some(Role::Replica) { Ok(()) } else { Err(error.into()) }
    }

    /// This only saves time: nodes that cannot be reached learn it by gossip.
    async fn tell_others(&self, slots: &[u16]) {
        let pipeline = pipeline(slots.iter().map(|&s| set_slot(s, "NODE", Some(self.to.id()))));
        join_all(self.others.iter().map(|other| other.node.admin.replies(&pipeline))).await;
    }
}

impl Wires {
    fn fail(&self, reason: Reason) {
        self.failure.lock().get_or_insert(reason);
    }

    fn healthy(&self) -> Result<(), Reason> {
        self.failure.lock().clone().map_or(Ok(()), Err)
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
