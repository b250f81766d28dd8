//! From the rows of a history to a [`Graph`].
//!
//! - A **session** here is what one process did, by the instants of sending. It ends with an
//!   operation of unknown outcome: that may take effect at any later time, so nothing comes
//!   after it but what reads it.
//! - A write of unknown outcome took effect if an operation that took effect found its value.
//!   Otherwise it is left out, and proves nothing. What was refused is left out as well.
//! - Writes that filled the keys come before all others.
//! - Final reads are left out. They are redrill's own, sent side by side, and belong to nobody's
//!   session: taken one by one they know nothing but the write that they found, so they could
//!   never be wrong. What they lack is counted as lost.

use std::collections::{HashMap, HashSet};

use crate::check::linear::Call;
use crate::check::parts::{History, ReadError};
use crate::model::op::{Action, BEGINNING, Op, Purpose};

use super::graph::{Graph, Node, Source};

pub(super) fn graph(history: &dyn History) -> Result<Graph, ReadError> {
    let mut rows = Rows::default();
    history.each(&mut |op| rows.add(op))?;
    Ok(rows.into_graph())
}

#[derive(Default)]
struct Rows {
    numbers: HashMap<(u8, u64), u32>,
    keys: Vec<(u8, u64)>,
    nodes: Vec<Node>,
    fills: Vec<(u32, Call)>,
}

impl Rows {
    fn add(&mut self, op: &Op) {
        if op.purpose == Purpose::Final || !matches!(op.action, Action::Register(_)) {
            return;
        }
        let Some(call) = Call::of(op) else { return };
        let (name, next) = ((op.keyspace(), op.key), self.keys.len() as u32);
        let key = *self.numbers.entry(name).or_insert(next);
        if key == next {
            self.keys.push(name);
        }
        let first = op.purpose == Purpose::Fill || call.process == BEGINNING;
        if first && call.is_answered() && call.written().is_some() {
            self.fills.push((key, call));
        } else {
            // Until sessions are counted: processes of loads without common keys may have one
            // number.
            let session = u32::from(op.keyspace());
            self.nodes.push(Node { call, key, session, source: Source::Unknown });
        }
    }

    fn into_graph(mut self) -> Graph {
        self.numbers = HashMap::new();
        self.leave_out();
        let order = |node: &Node| (node.session, node.call.process, node.call.sent, node.call.done);
        self.nodes.sort_by_key(order);
        count_sessions(&mut self.nodes);
        self.fills.sort_by_key(|(key, call)| (*key, call.sent, call.done));
        let ambiguous = find_sources(&mut self.nodes, &self.fills);
        Graph::new(self.nodes, self.keys, self.fills, ambiguous)
    }

    /// Leaves out writes of unknown outcome that nobody found.
    fn leave_out(&mut self) {
        let unknown = |node: &&Node| !node.call.is_answered();
        let mut open: HashMap<(u32, u64), Vec<Option<u64>>> = HashMap::new();
        for node in self.nodes.iter().filter(unknown) {
            let found = node.call.found().flatten();
            open.entry((node.key, node.call.written().unwrap_or_default()))
                .or_default()
                .push(found);
        }
        let mut happened: HashSet<(u32, u64)> = HashSet::new();
        let mut found: Vec<(u32, u64)> = Vec::new();
        for node in self.nodes.iter().filter(|node| node.call.is_answered()) {
            found.extend(node.call.found().flatten().map(|value| (node.key, value)));
            // One that was found has itself found what it changed.
            while let Some((key, value)) = found.pop() {
                if let Some(finds) = open.get(&(key, value))
                    && happened.insert((key, value))
                {
                    found.extend(finds.iter().flatten().map(|value| (key, *value)));
                }
            }
        }
        self.nodes.retain(|node| {
            let written = node.call.written().unwrap_or_default();
            node.call.is_answered() || happened.contains(&(node.key, written))
        });
        self.nodes.shrink_to_fit();
    }
}

/// Numbers the sessions of sorted operations.
fn count_sessions(nodes: &mut [Node]) {
    let mut last: Option<(u32, Call)> = None;
    let mut number = 0;
    for node in nodes {
        if let Some((space, call)) = last {
            let same = (space, call.process) == (node.session, node.call.process);
            number += u32::from(!same || !call.is_answered());
        }
        last = Some((node.session, node.call));
        node.session = number;
    }
}

/// Says of each read where its value comes from, and returns how many may have several sources.
fn find_sources(nodes: &mut [Node], fills: &[(u32, Call)]) -> u64 {
    let writer = |(i, node): (usize, &Node)| Some((node.key, node.call.written()?, i as u32));
    let mut writers: Vec<(u32, u64, u32)> = nodes.iter().enumerate().filter_map(writer).collect();
    writers.sort_unstable();
    let writers = |key: u32, value: u64| {
        let begin = writers.partition_point(|(k, v, _)| (*k, *v) < (key, value));
        let same = writers[begin..].iter().take_while(move |(k, v, _)| (*k, *v) == (key, value));
        same.map(|(_, _, node)| *node)
    };
    let mut ambiguous = 0;
    for node in nodes {
        let Some(found) = node.call.found() else { continue };
        let begin = fills.partition_point(|(key, _)| *key < node.key);
        let filled = fills[begin..].iter().take_while(|(key, _)| *key == node.key);
        let fills: Vec<Option<u64>> = filled.map(|(_, call)| call.written()).collect();
        let in_fills = fills.iter().rposition(|value| *value == found);
        let by_clients = || found.into_iter().flat_map(|value| writers(node.key, value));
        node.source = match (in_fills, by_clients().next(), by_clients().nth(1)) {
            (None, None, _) if found.is_some() => Source::Nowhere,
            (None, None, _) if fills.is_empty() => Source::Beginning,
            (None, None, _) => Source::BeforeBeginning,
            (Some(place), None, _) if place + 1 == fills.len() => Source::Beginning,
            (Some(_), None, _) => Source::BeforeBeginning,
            (None, Some(write), None) => Source::Write(write),
            _ => {
                ambiguous += 1;
                Source::Unknown
            }
        };
        // If another one wrote the same value, it may not have taken effect.
        let is_sure = |value: u64| writers(node.key, value).nth(1).is_none();
        if !node.call.is_answered() && !node.call.written().is_some_and(is_sure) {
            node.source = Source::Unknown;
        }
    }
    ambiguous
}
