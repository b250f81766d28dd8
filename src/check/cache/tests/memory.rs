//! What memory was worth: efficiency, and whether servers evict what their order says.

use proptest::prelude::*;

use super::*;
use crate::check::ideal::{self, Order, Touch};
use crate::check::keepers::Room;

/// Reads of entities of one size, one after the other, through a cache with room for so many that
/// evicts by LRU or, if not `right`, what was used last.
fn through_a_cache(reads: &[u64], room: usize, right: bool) -> Vec<Op> {
    let mut list: Vec<u64> = Vec::new();
    let step = |(at, entity): (usize, &u64)| {
        let sent = at as u64 * 10;
        let found = list.iter().position(|held| held == entity).map(|place| list.remove(place));
        if found.is_none() && list.len() == room {
            list.remove(if right { 0 } else { room - 1 });
        }
        list.push(*entity);
        let op = match found {
            Some(_) => read(1, FoundIn::Group, (sent, sent + 1)),
            None => asked(1, (sent, sent + 1), 1 << 40),
        };
        Op { key: *entity, by: Some(0), ..op }
    };
    reads.iter().enumerate().map(step).collect()
}

fn figures_of(ops: &[Op], room: usize) -> Checked {
    let (keys, order) = (room as u64, Some(Order::Lru));
    figures_in(Room { keys, bytes: 0, evicted: 1, limited: true, order, alone: true }, ops)
}

fn figures_in(room: Room, ops: &[Op]) -> Checked {
    let mut keepers = keepers(&[vec![(0, 1 << 30)], vec![]], &Spans::default());
    keepers.add_room(0, room);
    told_of(CacheInfo { copies: Some((10, 10)), ..CACHE }, keepers, ops)
}

proptest! {
    #[test]
    fn efficiency_is_hits_against_those_of_the_best_choice(
        reads in prop::collection::vec(0..8_u64, 1..80),
        room in 1..5_usize,
    ) {
        let ops = through_a_cache(&reads, room, true);
        let told = figures_of(&ops, room);
        let hits = ops.iter().filter(|op| !is_asked(op)).count() as f64;
        let plain: Vec<u32> = reads.iter().map(|entity| *entity as u32).collect();
        let best = ideal::belady(&plain, room) as f64;
        let efficiency = (best > 0.0).then(|| hits / best * 100.0);
        prop_assert_eq!(told.measures.get("cache.efficiency").copied(), efficiency);
        // What LRU evicts, LRU would not hold.
        prop_assert!(told.measures.get("eviction.accuracy").is_none_or(|share| *share == 100.0));
        let by_memory = &told.by_memory[&0];
        let touches: Vec<Touch> = plain.iter().map(|entity| Touch::Read(*entity)).collect();
        for share in [100.0, 200.0] {
            let room = (room as f64 * share / 100.0) as usize;
            let held = ideal::held(&touches, &[0; 80], room, Order::Lru);
            let hits = held.iter().filter(|held| **held).count() as f64 / reads.len() as f64 * 100.0;
            let (_, told) = by_memory.points.iter().find(|(at, _)| *at == share).unwrap();
            prop_assert!((told - hits).abs() < 1e-9, "{} against {} at {}", told, hits, share);
        }
    }
}

#[test]
fn a_server_that_evicts_what_was_used_last_is_not_accurate() {
    let reads: Vec<u64> = (0..200_u64).map(|n| if n % 2 == 0 { n % 3 } else { n % 17 }).collect();
    let accuracy = |right| {
        let ops = through_a_cache(&reads, 6, right);
        figures_of(&ops, 6).measures["eviction.accuracy"]
    };
    assert_eq!(accuracy(true), 100.0);
    assert!(accuracy(false) < 60.0, "{}", accuracy(false));
}

#[test]
fn what_expired_or_was_deleted_no_memory_would_have_had() {
    let entity = |key, op: Op| Op { key, by: Some(0), ..op };
    let ops = [
        entity(1, asked(1, (10, 11), 100)),
        entity(1, asked(1, (110, 111), 1_000)),
        entity(1, write(2, 205, (200, 206))),
        entity(1, asked(2, (210, 211), 1_000)),
        entity(1, read(2, FoundIn::Group, (220, 221))),
    ];
    assert_eq!(figures_of(&ops, 1).measures["cache.efficiency"], 100.0);
}

#[test]
fn a_server_that_takes_no_copy_is_no_better_than_one_that_evicts() {
    let unkept = |at: u64| {
        let action = CacheOp::Read {
            version: Some(1),
            from: FoundIn::Origin,
            asked: Some((Nanos(at), Nanos(at + 1))),
            kept: None,
            met: None,
        };
        Op::new(1, Action::Cache(action), Nanos(at), Nanos(at + 1))
    };
    let hit = Op { key: 2, ..read(1, FoundIn::Group, (90, 91)) };
    let left = Op { key: 2, ..asked(1, (5, 6), 1_000) };
    let efficiency = |more: &[Op]| {
        let ops = [&[left.clone(), hit.clone()], more].concat();
        figures_of(&ops, 2).measures["cache.efficiency"]
    };
    assert_eq!(efficiency(&[unkept(10)]), 100.0, "nobody could have had it");
    assert_eq!(efficiency(&[unkept(10), unkept(20)]), 50.0);
    let unlimited =
        Room { keys: 2, bytes: 0, evicted: 0, limited: false, order: None, alone: true };
    let ops = [left.clone(), hit.clone(), unkept(10), unkept(20)];
    let down = figures_in(unlimited, &ops).measures["cache.efficiency"];
    assert_eq!(down, 100.0, "it had room, and did not answer");
    let written = write(2, 15, (14, 16));
    assert_eq!(efficiency(&[unkept(10), written, unkept(20)]), 100.0, "it is another version");
}
