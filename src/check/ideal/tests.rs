//! The simulators compared with their definitions, written a second time as plainly as possible.

use proptest::prelude::*;

use super::*;

fn reads() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..5_u32, 0..9)
}

fn touches() -> impl Strategy<Value = Vec<Touch>> {
    let touch = |(object, gone)| if gone { Touch::Gone(object) } else { Touch::Read(object) };
    prop::collection::vec((0..7_u32, prop::bool::weighted(0.2)).prop_map(touch), 0..60)
}

/// The most hits of all choices of what to keep after each read.
fn by_trying_all(reads: &[u32], held: &[u32], fits: &dyn Fn(&[u32]) -> bool) -> u64 {
    let Some((object, rest)) = reads.split_first() else { return 0 };
    let hit = u64::from(held.contains(object));
    let mut have: Vec<u32> = held.to_vec();
    if hit == 0 {
        have.push(*object);
    }
    let some = |bits: u32| -> Vec<u32> {
        let kept = have.iter().enumerate().filter(|(at, _)| bits & 1 << at != 0);
        kept.map(|(_, object)| *object).collect()
    };
    let choices = (0..1 << have.len()).map(some).filter(|kept| fits(kept));
    hit + choices.map(|kept| by_trying_all(rest, &kept, fits)).max().unwrap_or(0)
}

/// By keeping all that is there in a list.
fn by_a_list(touches: &[Touch], ends: &[u64], capacity: usize, order: Order) -> Vec<bool> {
    // Each with how often it was read, when last, and when its time ends.
    let mut list: Vec<(u32, u64, usize, u64)> = Vec::new();
    let mut told = Vec::new();
    for (at, touch) in touches.iter().enumerate() {
        let (Touch::Read(object) | Touch::Gone(object)) = *touch;
        let place = list.iter().position(|one| one.0 == object);
        told.push(place.is_some());
        let before = place.map(|place| list.remove(place));
        if matches!(touch, Touch::Gone(_)) || capacity == 0 {
            continue;
        }
        if list.len() == capacity {
            let first = |one: &&(u32, u64, usize, u64)| match order {
                Order::Lru => (one.2 as u64, 0),
                Order::Lfu => (one.1, one.2),
                Order::Ttl => (one.3, one.2),
            };
            let goes = list.iter().min_by_key(first).unwrap().0;
            list.retain(|one| one.0 != goes);
        }
        list.push((object, before.map_or(1, |one| one.1 + 1), at, ends[at]));
    }
    told
}

proptest! {
    #[test]
    fn no_choice_has_more_hits_than_belady(reads in reads(), capacity in 0..4_usize) {
        let most = by_trying_all(&reads, &[], &|kept| kept.len() <= capacity);
        prop_assert_eq!(belady(&reads, capacity), most);
    }

    #[test]
    fn no_choice_has_more_hits_than_the_bound_of_sizes(
        reads in reads(),
        sizes in prop::collection::vec(1..5_u32, 5),
        capacity in 0..8_u64,
    ) {
        let bytes = |kept: &[u32]| kept.iter().map(|at| u64::from(sizes[*at as usize])).sum::<u64>();
        let most = by_trying_all(&reads, &[], &|kept| bytes(kept) <= capacity);
        prop_assert!(most_of_sizes(&reads, &sizes, capacity) >= most);
    }

    #[test]
    fn each_order_is_what_a_list_has(
        touches in touches(),
        ends in prop::collection::vec(0..20_u64, 60),
        capacity in 0..5_usize,
    ) {
        for order in [Order::Lru, Order::Lfu, Order::Ttl] {
            let plain = by_a_list(&touches, &ends, capacity, order);
            prop_assert_eq!(held(&touches, &ends, capacity, order), plain, "{:?}", order);
        }
    }

    #[test]
    fn a_read_is_a_hit_by_lru_in_every_cache_that_is_as_large_as_its_depth(touches in touches()) {
        let mut depths = vec![None; touches.len()];
        distances(&touches, |at, depth| depths[at] = depth);
        for capacity in 0..8 {
            let plain = by_a_list(&touches, &[0; 60], capacity, Order::Lru);
            for (at, touch) in touches.iter().enumerate() {
                if matches!(touch, Touch::Read(_)) {
                    let is_hit = depths[at].is_some_and(|depth| depth as usize <= capacity);
                    prop_assert_eq!(is_hit, plain[at], "{} of {:?}", at, touches);
                }
            }
        }
    }

    #[test]
    fn the_last_of_a_set_is_its_largest(some in prop::collection::vec((0..9_000_usize, any::<bool>()), 0..200)) {
        let mut set = positions::Positions::new(9_000);
        let mut plain = std::collections::BTreeSet::new();
        for (at, comes) in some {
            if comes {
                set.insert(at);
                plain.insert(at);
            } else {
                prop_assert_eq!(set.remove(at), plain.remove(&at));
            }
            prop_assert_eq!(set.last(), plain.last().copied());
        }
    }
}

#[test]
fn where_sizes_are_one_the_bound_is_near_what_can_be_done() {
    let reads: Vec<u32> = (0..1_000_u32).map(|n| n.wrapping_mul(2_654_435_761) >> 26).collect();
    let (exact, bound) = (belady(&reads, 16), most_of_sizes(&reads, &[1; 64], 16));
    assert!(exact <= bound && bound < exact + exact / 4, "{exact} {bound}");
}
