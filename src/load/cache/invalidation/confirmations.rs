//! Who has dropped its copies of what was written, as writers hear it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// Of one process, as a writer.
#[derive(Debug, Default)]
pub(in crate::load::cache) struct Confirmations {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// By the number of a write that is not confirmed yet: the processes that have.
    have: HashMap<u64, HashSet<u16>>,
}

impl Confirmations {
    /// The number of a write.
    pub(in crate::load::cache) fn begin(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        state.last += 1;
        let number = state.last;
        state.have.insert(number, HashSet::new());
        number
    }

    /// A process has dropped its copy. What nobody waits for is nothing.
    pub(in crate::load::cache) fn confirmed(&self, number: u64, by: u16) {
        if let Some(have) = self.state.borrow_mut().have.get_mut(&number) {
            have.insert(by);
        }
    }

    /// How many have.
    pub(in crate::load::cache) fn count(&self, number: u64) -> usize {
        self.state.borrow().have.get(&number).map_or(0, HashSet::len)
    }

    pub(in crate::load::cache) fn end(&self, number: u64) {
        self.state.borrow_mut().have.remove(&number);
    }
}
