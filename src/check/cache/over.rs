//! Counts over time.

use std::collections::BTreeMap;

use crate::check::checker::{OverTime, Windows};
use crate::model::Nanos;

/// How much of which measure falls into each window.
pub(super) struct Over<'a> {
    windows: &'a Windows,
    pub(super) all: BTreeMap<&'static str, OverTime>,
}

impl Over<'_> {
    pub(super) fn new(windows: &Windows) -> Over<'_> {
        Over { windows, all: BTreeMap::new() }
    }

    pub(super) fn count(&mut self, name: &'static str, load: u8, at: Nanos) {
        let new = || OverTime::new(self.windows);
        self.all.entry(name).or_insert_with(new).count(load, at);
    }
}
