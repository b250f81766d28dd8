//! Which answers may be kept that are on their way: what changes meanwhile may be older.

use std::collections::HashMap;
use std::hash::Hash;

/// Questions for keys that have not been answered yet.
#[derive(Debug)]
pub(crate) struct Asked<K> {
    /// The question whose answer may be kept.
    valid: HashMap<K, u64>,
    questions: u64,
}

impl<K> Default for Asked<K> {
    fn default() -> Asked<K> {
        Asked { valid: HashMap::new(), questions: 0 }
    }
}

impl<K: Eq + Hash> Asked<K> {
    /// The number of a question that is about to be asked. One that is asked already is the same.
    pub(crate) fn ask(&mut self, key: K) -> u64 {
        self.questions += 1;
        *self.valid.entry(key).or_insert(self.questions)
    }

    /// Whether the answer may be kept.
    pub(crate) fn answered(&mut self, key: &K, question: u64) -> bool {
        let is_valid = self.valid.get(key) == Some(&question);
        if is_valid {
            self.valid.remove(key);
        }
        is_valid
    }

    pub(crate) fn changed(&mut self, key: &K) {
        self.valid.remove(key);
    }

    /// Anything may have changed.
    pub(crate) fn all_changed(&mut self) {
        self.valid.clear();
    }
}
