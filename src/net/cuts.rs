//! The cuts between nodes that are active, whoever makes them: the relay or the kernel. Who
//! judges what nodes report asks here which of them could know better.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::pairs::Pairs;
use crate::model::traffic::End;

/// All clones share one list.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By number, which is the version of the list that first had it.
    active: Mutex<BTreeMap<u64, Pairs>>,
    version: AtomicU64,
}

/// Keeps a cut on the list until it is dropped.
#[derive(Debug)]
#[must_use = "the cut leaves the list as soon as this is dropped"]
pub struct CutEntry {
    inner: Arc<Inner>,
    number: u64,
}

impl Cuts {
    pub fn add(&self, pairs: Pairs) -> CutEntry {
        let mut active = self.inner.active.lock();
        let number = self.inner.version.fetch_add(1, Ordering::Release) + 1;
        active.insert(number, pairs);
        CutEntry { inner: self.inner.clone(), number }
    }

    /// A number that changes whenever a cut comes or goes.
    pub fn version(&self) -> u64 {
        self.inner.version.load(Ordering::Acquire)
    }

    /// For each of `ends`, and each other one, whether the way to it is cut; `None` if nothing is.
    pub fn matrix(&self, ends: &[End]) -> Option<Vec<Vec<bool>>> {
        let active = self.inner.active.lock();
        let is_cut = |from: &End, to: &End| active.values().any(|pairs| pairs.has(from, to));
        let row = |from: &End| ends.iter().map(|to| is_cut(from, to)).collect();
        (!active.is_empty()).then(|| ends.iter().map(row).collect())
    }
}

impl Drop for CutEntry {
    fn drop(&mut self) {
        let mut active = self.inner.active.lock();
        active.remove(&self.number);
        self.inner.version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;
    use crate::net::Ends;

    #[test]
    fn a_cut_is_on_the_list_until_it_is_dropped() {
        let cuts = Cuts::default();
        let ends = [0, 1].map(|ordinal| End::from(NodeName::new("c", 0, ordinal)));
        let [one, other] = ends.each_ref().map(|end| Ends::only([end.clone()]));
        let before = cuts.version();
        assert_eq!(cuts.matrix(&ends), None);
        let one_way = cuts.clone().add(Pairs::one_way(one.clone(), other.clone()));
        assert_eq!(cuts.matrix(&ends), Some(vec![vec![false, true], vec![false, false]]));
        let both = cuts.add(Pairs::between(one, other));
        drop(one_way);
        assert_eq!(cuts.matrix(&ends), Some(vec![vec![false, true], vec![true, false]]));
        let last = cuts.version();
        drop(both);
        assert_eq!(cuts.matrix(&ends), None);
        assert!(before < last && last < cuts.version());
    }
}
