//! What a cache holds that evicts by an exact order, where servers draw a few keys and take the one
//! of them that should go first.

use std::collections::{BTreeSet, HashMap};

use super::Touch;

/// Which object goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The one that was not read for longest.
    Lru,
    /// The one that was read least often since it came; of equals, the one that was not read for
    /// longest.
    Lfu,
    /// The one whose own time ends first.
    Ttl,
}

/// For each touch, whether the object was held before it, with room for so many objects. `ends` says
/// of each touch when the object's own time ends, if the order is by that.
pub fn held(touches: &[Touch], ends: &[u64], capacity: usize, order: Order) -> Vec<bool> {
    // What has the lowest rank goes first.
    type Rank = (u64, u64);
    let mut ranks: HashMap<u32, Rank> = HashMap::new();
    let mut queue: BTreeSet<(Rank, u32)> = BTreeSet::new();
    let mut hear = |(at, touch): (usize, &Touch)| {
        let (Touch::Read(object) | Touch::Gone(object)) = *touch;
        let before = ranks.remove(&object);
        if let Some(rank) = before {
            queue.remove(&(rank, object));
        }
        if matches!(touch, Touch::Read(_)) && capacity > 0 {
            // Room is made before the new one is there.
            if queue.len() == capacity
                && let Some((_, evicted)) = queue.pop_first()
            {
                ranks.remove(&evicted);
            }
            let now = at as u64;
            let rank = match order {
                Order::Lru => (now, now),
                Order::Lfu => (before.map_or(1, |(times, _)| times + 1), now),
                Order::Ttl => (ends[at], now),
            };
            ranks.insert(object, rank);
            queue.insert((rank, object));
        }
        before.is_some()
    };
    touches.iter().enumerate().map(&mut hear).collect()
}
