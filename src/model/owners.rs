//! Which shard owned each slot of a cluster, and since when.

use std::time::Duration;

use super::clock::Nanos;
use super::event::ShardView;
use super::slot::SLOTS;

/// So many changes are kept for each slot on average: a record from elsewhere may have any number.
const KEPT: usize = 64;

/// What the views of a cluster said one after the other.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// By slot: the shards that owned it, each from an instant on. Empty without slots.
    slots: Vec<Vec<(Nanos, u32)>>,
    changes: usize,
}

impl Owners {
    /// A slot that is in no shard of the view keeps its owner.
    pub fn hear(&mut self, at: Nanos, shards: &[ShardView]) {
        for shard in shards {
            for slot in shard.slots.iter().map(usize::from) {
                self.slots.resize(usize::from(SLOTS), Vec::new());
                let same = self.slots[slot].last().is_some_and(|(_, owner)| *owner == shard.shard);
                if !same && self.changes < KEPT * usize::from(SLOTS) {
                    self.slots[slot].push((at, shard.shard));
                    self.changes += 1;
                }
            }
        }
    }

    /// The shard that owned `slot` at `at`. The first known owner had it before, too.
    pub fn at(&self, slot: u16, at: Nanos) -> Option<u32> {
        let owners = self.slots.get(usize::from(slot))?;
        let begun = owners.partition_point(|(from, _)| *from <= at);
        owners.get(begun.saturating_sub(1)).map(|(_, shard)| *shard)
    }

    /// For how long of the time between `from` and `to` the slot was the shard's.
    pub fn held(&self, slot: u16, shard: u32, (from, to): (Nanos, Nanos)) -> Option<Duration> {
        let owners = self.slots.get(usize::from(slot)).filter(|owners| !owners.is_empty())?;
        let begins = |i: usize| if i == 0 { Nanos::ZERO } else { owners[i].0 };
        let ends = |i: usize| owners.get(i + 1).map_or(to, |(next, _)| *next);
        let own = (0..owners.len()).filter(|i| owners[*i].1 == shard);
        Some(own.map(|i| ends(i).min(to).since(begins(i).max(from))).sum())
    }

    /// When the shard lost the last of its slots; `None` if it has any, or never had one.
    pub fn lost_all(&self, shard: u32) -> Option<Nanos> {
        if self.slots.iter().any(|owners| owners.last().is_some_and(|(_, owner)| *owner == shard)) {
            return None;
        }
        let changes = self.slots.iter().flat_map(|owners| owners.windows(2));
        changes.filter(|change| change[0].1 == shard).map(|change| change[1].0).max()
    }

    /// Whether the slot was ever the shard's; `None` if nothing is known of it.
    pub fn ever(&self, slot: u16, shard: u32) -> Option<bool> {
        let owners = self.slots.get(usize::from(slot)).filter(|owners| !owners.is_empty())?;
        Some(owners.iter().any(|(_, owner)| *owner == shard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(slots: [&str; 2]) -> Vec<ShardView> {
        let shard = |(shard, slots): (u32, &str)| ShardView {
            shard,
            slots: slots.parse().unwrap(),
            primary: None,
            replicas: Vec::new(),
        };
        (0..).zip(slots).map(shard).collect()
    }

    #[test]
    fn a_slot_belongs_to_the_shard_that_was_last_seen_to_own_it() {
        let mut owners = Owners::default();
        assert_eq!((owners.at(5, Nanos(1)), owners.ever(5, 0)), (None, None), "nothing is known");
        owners.hear(Nanos(100), &view(["0-9", "10-16383"]));
        owners.hear(Nanos(200), &view(["", "6-16383"]));
        owners.hear(Nanos(300), &view(["0-5 7-9", "6 10-16383"]));
        let at = |slot, at| owners.at(slot, Nanos(at)).unwrap();
        assert_eq!([at(5, 50), at(5, 150), at(5, 250)], [0; 3], "nobody else had it");
        assert_eq!([at(6, 199), at(6, 200), at(6, 900)], [0, 1, 1]);
        assert_eq!([at(7, 250), at(7, 300)], [1, 0]);
        let held =
            |shard, from, to| owners.held(7, shard, (Nanos(from), Nanos(to))).unwrap().as_nanos();
        assert_eq!([held(0, 50, 400), held(1, 50, 400)], [250, 100]);
        assert_eq!([held(0, 210, 290), held(1, 210, 290)], [0, 80]);
        let ever = |slot, shard| owners.ever(slot, shard).unwrap();
        assert!(ever(7, 0) && ever(7, 1) && ever(5, 0) && !ever(5, 1));
        assert_eq!([0, 1, 2].map(|shard| owners.lost_all(shard)), [None; 3]);
        owners.hear(Nanos(400), &view(["", "0-16383"]));
        assert_eq!([0, 1].map(|shard| owners.lost_all(shard)), [Some(Nanos(400)), None]);
    }
}
