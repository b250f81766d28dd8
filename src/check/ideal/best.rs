//! The most hits that any choice of what to keep allows.

use super::objects;
use super::positions::Positions;

/// It is not read any more.
const NEVER: u32 = u32::MAX;

/// The most hits of a cache with room for so many objects of one size: it keeps those that are read
/// again soonest, and does not keep what is read later than all of them, or never.
///
/// L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems
/// Journal 5 (1966). What it holds is known by when it is read next: a set of positions, so that no
/// object need be looked up.
pub fn belady(reads: &[u32], capacity: usize) -> u64 {
    let mut held = Positions::new(reads.len());
    let (mut count, mut hits) = (0, 0);
    for (at, next) in next_reads(reads).into_iter().enumerate() {
        if held.remove(at) {
            (count, hits) = (count - 1, hits + 1);
        }
        if next == NEVER {
            continue;
        }
        held.insert(next as usize);
        count += 1;
        if count > capacity {
            let last = held.last();
            count -= usize::from(last.is_some_and(|last| held.remove(last)));
        }
    }
    hits
}

/// No cache of so many bytes has more hits, whatever it keeps: each hit takes an object's size from
/// one read to the next one, and all together have no more than the whole cache for the whole time.
/// `sizes` are those of the objects, by their numbers.
///
/// D. S. Berger, N. Beckmann, M. Harchol-Balter, "Practical Bounds on Optimal Caching with Variable
/// Object Sizes", 2018 (PFOO-L): <https://arxiv.org/abs/1711.03709>
pub fn most_of_sizes(reads: &[u32], sizes: &[u32], capacity: u64) -> u64 {
    let next = next_reads(reads).into_iter().enumerate().filter(|(_, next)| *next != NEVER);
    let takes = |(at, next): (usize, u32)| {
        u128::from(sizes[reads[at] as usize]) * (u128::from(next) - at as u128)
    };
    let fits = |at: &usize| u64::from(sizes[reads[*at] as usize]) <= capacity;
    let mut all: Vec<u128> = next.filter(|(at, _)| fits(at)).map(takes).collect();
    all.sort_unstable();
    let mut room = u128::from(capacity) * reads.len().saturating_sub(1) as u128;
    let fitting = all.into_iter().map_while(|takes| {
        room = room.checked_sub(takes)?;
        Some(())
    });
    fitting.count() as u64
}

/// For each read, the next one of the same object.
fn next_reads(reads: &[u32]) -> Vec<u32> {
    let mut seen = vec![NEVER; objects(reads.iter().copied())];
    let mut next = vec![NEVER; reads.len()];
    for (at, object) in reads.iter().enumerate().rev() {
        next[at] = std::mem::replace(&mut seen[*object as usize], at as u32);
    }
    next
}
