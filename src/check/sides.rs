//! Nodes that acknowledged writes on a side that lost.

use std::collections::HashMap;

use crate::model::Nanos;

/// When which node's acknowledgements were those of a side that lost: by load, as a load
/// knows the nodes of its own group, and a node's index there.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    spans: HashMap<(u8, u16), Vec<(Nanos, Nanos)>>,
    names: HashMap<(u8, u16), String>,
}

impl Sides {
    /// What a person calls the node.
    pub fn name(&mut self, node: (u8, u16), name: String) {
        self.names.insert(node, name);
    }

    /// From `from` until just before `to` the node was on a side that lost.
    pub fn add(&mut self, node: (u8, u16), from: Nanos, to: Nanos) {
        self.spans.entry(node).or_default().push((from, to));
    }

    /// Whether what the node acknowledged at `at` was.
    pub(super) fn lost(&self, node: (u8, u16), at: Nanos) -> bool {
        let spans = self.spans.get(&node).into_iter().flatten();
        spans.into_iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    pub(super) fn name_of(&self, node: (u8, u16)) -> Option<&str> {
        self.names.get(&node).map(String::as_str)
    }
}
