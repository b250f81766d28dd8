//! Which keys are probed.
//!
//! A canary stands for its slot: a slot is served as a whole or not at all, so one key shows
//! the state of all keys in it. The slots of one shard share their fate unless they move. So a
//! few canaries, spread over a shard, are enough for it, and the slots that a step moves get
//! some more.

use std::collections::BTreeMap;

use crate::model::event::Canary;
use crate::model::slot::{SLOTS, SlotSet, slot_of};

/// Canaries in the slots that one step moves.
pub const PER_STEP: usize = 8;

/// How many keys are tried before a slot is given up. A random key misses a given slot 64 times
/// the number of slots in a row once in 10^27.
const KEYS: u32 = 64 * SLOTS as u32;

/// The canaries of a cluster: `per_shard` in each shard's slots, and [`PER_STEP`] in each of
/// `moving`, the slots that one step is going to move.
///
/// `owners` are the shards' slots at the drill's start. A slot has at most one canary, also
/// where a shard's and a step's fall on the same slot.
pub fn of_cluster(
    group: &str,
    owners: &[SlotSet],
    per_shard: u32,
    moving: &[SlotSet],
) -> Vec<Canary> {
    let mut slots: BTreeMap<u16, Option<String>> = BTreeMap::new();
    let shards = owners.iter().flat_map(|owned| spread(owned, per_shard as usize));
    let steps = moving.iter().flat_map(|set| spread(set, PER_STEP));
    slots.extend(shards.chain(steps).map(|slot| (slot, None)));
    let mut missing = slots.len();
    for key in (0..KEYS).map(key) {
        if missing == 0 {
            break;
        }
        if let Some(free @ None) = slots.get_mut(&slot_of(key.as_bytes())) {
            *free = Some(key);
            missing -= 1;
        }
    }
    let canary = |(slot, key): (u16, Option<String>)| {
        let shard = owners.iter().position(|owned| owned.contains(slot))? as u32;
        let moves = moving.iter().any(|set| set.contains(slot));
        Some(Canary { group: group.to_owned(), shard, slot, key: key?, moves, region: None })
    };
    slots.into_iter().filter_map(canary).collect()
}

/// The canaries of a group that is no cluster: one shard and no slots.
///
/// Its keys have its name: where groups have the same data, those of the others come to it.
pub fn of_shard(group: &str, count: u32) -> Vec<Canary> {
    let canary = |n| Canary {
        group: group.to_owned(),
        shard: 0,
        slot: 0,
        key: format!("{}:{group}", key(n)),
        moves: false,
        region: None,
    };
    (0..count).map(canary).collect()
}

/// If clients are in several regions, the same slots are probed from each, with keys of its own.
pub fn from_each(canaries: Vec<Canary>, regions: &[Option<String>]) -> Vec<Canary> {
    if regions.len() < 2 {
        return canaries;
    }
    let from = |canary: &Canary, region: &Option<String>| Canary {
        // What stands in braces decides the slot.
        key: format!("{{{}}}:{}", canary.key, region.as_deref().unwrap_or_default()),
        region: region.clone(),
        ..canary.clone()
    };
    regions.iter().flat_map(|region| canaries.iter().map(|one| from(one, region))).collect()
}

/// No load has such keys: a load's keys begin with its name, which has no colon.
fn key(n: u32) -> String {
    format!("redrill:canary:{n}")
}

/// `count` slots of `set`, as far from each other and from the ends of the set as possible.
fn spread(set: &SlotSet, count: usize) -> Vec<u16> {
    let slots: Vec<u16> = set.iter().collect();
    let count = count.min(slots.len());
    (0..count).map(|i| slots[(2 * i + 1) * slots.len() / (2 * count)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thirds() -> Vec<SlotSet> {
        vec![(0..=5460).into(), (5461..=10922).into(), (10923..=16383).into()]
    }

    #[test]
    fn every_shard_has_its_canaries_and_moving_slots_have_more() {
        let moving: SlotSet = (0..=1819).into();
        let canaries = of_cluster("cache", &thirds(), 4, std::slice::from_ref(&moving));
        for canary in &canaries {
            assert_eq!(slot_of(canary.key.as_bytes()), canary.slot);
            assert!(thirds()[canary.shard as usize].contains(canary.slot));
            assert_eq!(canary.moves, moving.contains(canary.slot));
        }
        let of_shard = |n| canaries.iter().filter(|c| c.shard == n && !c.moves).count();
        // One of shard 0's four stands in the third of it that moves.
        assert_eq!([of_shard(0), of_shard(1), of_shard(2)], [3, 4, 4]);
        assert_eq!(canaries.iter().filter(|c| c.moves).count(), 9);
    }

    #[test]
    fn each_region_with_clients_has_canaries_in_the_same_slots() {
        let canaries = of_cluster("cache", &thirds(), 2, &[]);
        assert_eq!(
            from_each(canaries.clone(), &[Some("east".to_owned())]),
            canaries,
            "it is alone"
        );
        let both = from_each(canaries.clone(), &["east", "west"].map(|name| Some(name.to_owned())));
        let of = |region: &str| -> Vec<&Canary> {
            both.iter().filter(|canary| canary.region.as_deref() == Some(region)).collect()
        };
        for (east, west) in of("east").into_iter().zip(of("west")) {
            assert_eq!((east.slot, slot_of(east.key.as_bytes())), (west.slot, west.slot));
            assert_eq!(slot_of(west.key.as_bytes()), west.slot);
            assert_ne!(east.key, west.key, "each has a counter of its own");
        }
        assert_eq!((of("east").len(), of("west").len()), (canaries.len(), canaries.len()));
    }

    #[test]
    fn any_slot_has_a_key() {
        let all: Vec<SlotSet> = vec![(0..=SLOTS - 1).into()];
        let canaries = of_cluster("cache", &all, u32::from(SLOTS), &[]);
        assert_eq!(canaries.len(), usize::from(SLOTS));
    }

    #[test]
    fn few_slots_have_few_canaries() {
        let owners: Vec<SlotSet> = vec![(0..=1).into(), SlotSet::default()];
        let slots: Vec<u16> = of_cluster("c", &owners, 4, &[]).iter().map(|c| c.slot).collect();
        assert_eq!(slots, [0, 1]);
        assert_eq!(of_shard("c", 3).len(), 3);
    }
}
