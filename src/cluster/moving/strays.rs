//! Keys on nodes that do not own their slots: finds them, and carries them to the owners.

use std::collections::{BTreeMap, BTreeSet};

use super::keys;
use super::layout::Layout;
use super::leftovers;
use super::progress::Reason;
use crate::log::OrLogged;
use crate::model::slot::SlotSet;
use crate::node::Node;

/// What could not be finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Slots that are still open: their keys are on two nodes, or on one that does not answer.
    pub open: SlotSet,
    /// Slots of which a node has keys although it does not own them, and no mark leads there.
    pub stranded: SlotSet,
    /// The keys on nodes that do not own their slots.
    pub keys: u64,
}

impl Remains {
    pub fn is_none(&self) -> bool {
        self.open.is_empty() && self.stranded.is_empty()
    }
}

/// Carries keys of the slots that are open now, if `open_too`, and of `slots` to the slots'
/// owners. While it does, clients may miss keys.
pub async fn collect(nodes: &[Node], slots: &SlotSet, open_too: bool) -> Remains {
    let mut once_open: BTreeSet<u16> = slots.iter().collect();
    let layout = Layout::of(nodes).await;
    once_open.extend(layout.marked().filter(|_| open_too));
    gather(&layout, &once_open).await.or_logged("gather the keys of slots that were open");
    remains(&Layout::of(nodes).await, &once_open).await
}

/// Carries the keys of `slots` that are on others to the slots' owners. All are tried.
async fn gather(layout: &Layout, slots: &BTreeSet<u16>) -> Result<(), Reason> {
    let mut outcome = Ok(());
    for (slot, at) in strays(layout, slots).await.into_keys() {
        let Some(owner) = layout.owner(slot) else { continue };
        let [owner, at] = [owner, at].map(|index| &layout.members[index]);
        outcome = outcome.and(leftovers::take_back(owner, at, slot).await);
    }
    outcome
}

/// How many keys of which of `slots` are on which primary that does not own the slot.
async fn strays(layout: &Layout, slots: &BTreeSet<u16>) -> BTreeMap<(u16, usize), u64> {
    let mut strays = BTreeMap::new();
    for (index, member) in layout.primaries() {
        let others = slots.iter().copied().filter(|slot| layout.owner(*slot) != Some(index));
        let others: Vec<u16> = others.collect();
        let Ok(counts) = keys::count(&member.node.admin, &others).await else { continue };
        let counted = others.into_iter().zip(counts).filter(|(_, keys)| *keys > 0);
        strays.extend(counted.map(|(slot, keys)| ((slot, index), keys)));
    }
    strays
}

async fn remains(layout: &Layout, slots: &BTreeSet<u16>) -> Remains {
    let marked: BTreeSet<u16> = layout.marked().filter(|slot| slots.contains(slot)).collect();
    let strays = strays(layout, slots).await;
    let stranded = strays.keys().map(|(slot, _)| *slot).filter(|slot| !marked.contains(slot));
    Remains {
        stranded: stranded.collect(),
        keys: strays.values().sum(),
        open: marked.into_iter().collect(),
    }
}
