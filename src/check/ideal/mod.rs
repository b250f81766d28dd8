//! What a cache of a given size could have done with a sequence of reads: the best that anybody can
//! do, and what the known orders of eviction do.
//!
//! - `best`: the most hits that any choice of what to keep allows.
//! - `stack`: how far down each read is in the order of last use, which says for every size at once
//!   whether it is a hit by LRU.
//! - `ordered`: what a cache holds that evicts by an exact order: LRU, LFU, or the nearest end.
//! - `positions`: a set of numbers, of which the last one is found fast.

mod best;
mod ordered;
mod positions;
mod stack;

pub use best::{belady, most_of_sizes};
pub use ordered::{Order, held};
pub use stack::distances;

/// What happens to an object of a sequence. Objects are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It is asked for, and is kept from then on if it was not there.
    Read(u32),
    /// It is deleted, or its time is over.
    Gone(u32),
}

/// One more than the largest number of an object.
fn objects(numbers: impl Iterator<Item = u32>) -> usize {
    numbers.max().map_or(0, |most| most as usize + 1)
}

#[cfg(test)]
mod tests;
