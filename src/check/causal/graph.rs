//! The operations of a history, each with what came directly before it.
//!
//! Of two operations, one comes before the other in **causal order** if a chain of steps leads
//! there: to a later operation of the same session, or from a write to a read of its value. So
//! an operation has at most two direct predecessors, and the order itself is never written down.

use crate::check::linear::Call;

use super::lists::Lists;

/// An operation that took effect. Operations are called by their numbers, which are their places
/// in [`Graph::nodes`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub call: Call,
    /// A place in [`Graph::keys`].
    pub key: u32,
    pub session: u32,
    pub source: Source,
}

/// Where what an operation found comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It was no read, or its value may come from several writes: it shows nothing.
    Unknown,
    Write(u32),
    /// What was there before all operations: a filled key, or no key if none was filled.
    Beginning,
    /// No key although one was filled, or what was overwritten while keys were filled.
    BeforeBeginning,
    /// No write.
    Nowhere,
    /// A write that itself comes after the read.
    Circle,
}

/// All operations of clients.
#[derive(Debug)]
pub(super) struct Graph {
    /// Those of a session stand side by side, in its order.
    pub nodes: Vec<Node>,
    /// By the load that they bear the name of, and number.
    pub keys: Vec<(u8, u64)>,
    /// What was written before all operations, by keys, in the order of sending.
    pub fills: Vec<(u32, Call)>,
    /// Reads of a value that several writes may have left.
    pub ambiguous: u64,
    readers: Lists,
}

impl Graph {
    pub fn new(
        nodes: Vec<Node>,
        keys: Vec<(u8, u64)>,
        fills: Vec<(u32, Call)>,
        ambiguous: u64,
    ) -> Graph {
        let mut graph = Graph { nodes, keys, fills, ambiguous, readers: Lists::default() };
        graph.connect();
        graph
    }

    /// To be called when sources have changed.
    pub fn connect(&mut self) {
        let source = |(i, node): (usize, &Node)| match node.source {
            Source::Write(write) => Some((write, i as u32)),
            _ => None,
        };
        let readers = self.nodes.iter().enumerate().filter_map(source);
        self.readers = Lists::of(self.nodes.len(), readers);
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    pub fn is_write(&self, at: u32) -> bool {
        self.node(at).call.written().is_some()
    }

    /// The write whose value it found.
    pub fn source(&self, at: u32) -> Option<u32> {
        match self.node(at).source {
            Source::Write(write) => Some(write),
            _ => None,
        }
    }

    /// Those that found its value.
    pub fn readers(&self, write: u32) -> &[u32] {
        self.readers.get(write)
    }

    /// The operation of its session before it.
    pub fn previous(&self, at: u32) -> Option<u32> {
        at.checked_sub(1).filter(|before| self.node(*before).session == self.node(at).session)
    }

    /// The operation of its session after it.
    pub fn next(&self, at: u32) -> Option<u32> {
        let next = self.nodes.get(at as usize + 1)?;
        (next.session == self.node(at).session).then_some(at + 1)
    }

    /// Those that directly follow it in causal order.
    pub fn after(&self, at: u32) -> impl Iterator<Item = u32> + '_ {
        self.next(at).into_iter().chain(self.readers(at).iter().copied())
    }

    pub fn sessions(&self) -> usize {
        self.nodes.last().map_or(0, |last| last.session as usize + 1)
    }

    /// What was written to the key before all operations.
    pub fn fills(&self, key: u32) -> &[(u32, Call)] {
        let begin = self.fills.partition_point(|(other, _)| *other < key);
        let end = self.fills.partition_point(|(other, _)| *other <= key);
        &self.fills[begin..end]
    }
}

/// That the write `earlier` comes before the write `later`, in any order of all writes to a key
/// that all sessions could agree on: `reader` knew of `earlier`, and found `later`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Conflict {
    pub earlier: u32,
    pub later: u32,
    pub reader: u32,
}
