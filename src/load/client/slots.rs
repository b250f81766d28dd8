//! Which node owns which slot, as far as the client knows.

use crate::model::slot::SLOTS;

const NOBODY: u16 = u16::MAX;

/// Nodes are numbers that the client assigns.
#[derive(Debug)]
pub(crate) struct SlotMap {
    owners: Vec<u16>,
    /// Slots that a MOVED has named since the map was requested last. This is newer than what a
    /// node that is about to answer may know.
    corrected: Vec<u16>,
}

impl SlotMap {
    pub(crate) fn new() -> SlotMap {
        SlotMap { owners: vec![NOBODY; usize::from(SLOTS)], corrected: Vec::new() }
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<u16> {
        self.owners.get(usize::from(slot)).copied().filter(|&node| node != NOBODY)
    }

    /// A MOVED said that `slot` is at `node`.
    pub(crate) fn correct(&mut self, slot: u16, node: u16) {
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = node;
            if self.corrected.len() < usize::from(SLOTS) {
                self.corrected.push(slot);
            }
        }
    }

    /// A node is being asked for the whole map.
    pub(crate) fn asked(&mut self) {
        self.corrected.clear();
    }

    /// The whole map as a node gave it: first slot, last slot, owner. Slots that it leaves out
    /// keep their owner, because any node will do for them.
    pub(crate) fn learned(&mut self, ranges: &[(u16, u16, u16)]) {
        let newer: Vec<(u16, u16)> =
            self.corrected.iter().map(|&slot| (slot, self.owners[usize::from(slot)])).collect();
        for &(first, last, node) in ranges {
            if first <= last && last < SLOTS {
                self.owners[usize::from(first)..=usize::from(last)].fill(node);
            }
        }
        for (slot, node) in newer {
            self.owners[usize::from(slot)] = node;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_redirect_said_outlives_an_older_map() {
        let mut map = SlotMap::new();
        assert_eq!(map.owner(5), None);
        map.asked();
        map.learned(&[(0, 99, 0), (100, SLOTS - 1, 1)]);
        assert_eq!((map.owner(5), map.owner(100)), (Some(0), Some(1)));
        map.correct(5, 1);
        map.asked();
        map.correct(6, 2);
        map.learned(&[(0, 99, 0), (100, SLOTS - 1, 1)]);
        assert_eq!((map.owner(5), map.owner(6), map.owner(7)), (Some(0), Some(2), Some(0)));
    }
}
