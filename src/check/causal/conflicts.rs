//! The order of the writes to a key that reads show.
//!
//! A session that knew of a write, and then found another one, shows that the one it found is the
//! later one ([`Conflict`]). There may be very many such pairs. So only those are looked for that
//! contradict an order of all operations; if there are none, that order is one on which all
//! sessions could agree.

use std::collections::HashMap;

use super::graph::{Conflict, Graph, Source};
use super::lists::Lists;
use super::order::Order;
use super::sweep::{Known, Limits, Stopped, sweep};

/// What a pass found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub conflicts: Vec<Conflict>,
    /// A read of what was there before all operations, and a write that it knew.
    pub overdue: Vec<(u32, u32)>,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Also so many of the writes before the one that was found, which the order already has in
    /// the right place: so that the next order keeps them there.
    pub before: usize,
    /// Reads of what was there before all operations are looked at.
    pub beginnings: bool,
    /// Readers that are passed over.
    pub without: &'a [bool],
}

/// How often the keys are divided, at most, so that clocks are small enough.
const PARTS: u32 = 64;

/// Looks for writes that a reader knew, and that stand in `order` behind the one that it found.
/// Of those of one session the last one is enough.
pub(super) fn contradictions(
    (graph, order): (&Graph, &Order),
    wanted: Wanted,
    limits: &mut Limits,
) -> Result<Found, Stopped> {
    let writes = Writes::new(graph, order);
    let mut parts = 1;
    loop {
        let mut found = Found::default();
        let part = |part| Pass { graph, order, writes: &writes, wanted, parts: (part, parts) };
        let done = (0..parts).try_for_each(|number| part(number).run(&mut found, limits));
        match done {
            Ok(()) => return Ok(found),
            Err(Stopped::TooLarge) if parts < PARTS => parts *= 2,
            Err(stopped) => return Err(stopped),
        }
    }
}

/// The writes to each key, as they stand in an order.
struct Writes {
    of_key: Lists,
    /// Of each write, how many are before it.
    ranks: Vec<u32>,
}

impl Writes {
    fn new(graph: &Graph, order: &Order) -> Writes {
        let writes = order.nodes.iter().filter(|node| graph.is_write(**node));
        let writes = writes.map(|node| (graph.node(*node).key, *node));
        let of_key = Lists::of(graph.keys.len(), writes);
        let mut ranks = vec![0; graph.len()];
        for key in 0..graph.keys.len() as u32 {
            for (rank, write) in (0..).zip(of_key.get(key)) {
                ranks[*write as usize] = rank;
            }
        }
        Writes { of_key, ranks }
    }
}

struct Pass<'a> {
    graph: &'a Graph,
    order: &'a Order,
    writes: &'a Writes,
    wanted: Wanted<'a>,
    /// Only keys whose number leaves the first when divided by the second.
    parts: (u32, u32),
}

impl Pass<'_> {
    fn run(&self, found: &mut Found, limits: &mut Limits) -> Result<(), Stopped> {
        let until = self.until();
        sweep((self.graph, self.order), &until, limits, |node, known, limits| {
            let is_wanted = self.is_mine(self.graph.node(node).key)
                && !self.wanted.without.get(node as usize).is_some_and(|without| *without);
            match self.graph.node(node).source {
                Source::Write(write) if is_wanted => {
                    limits.spend(self.read(node, write, known, found))
                }
                Source::Beginning if is_wanted && self.wanted.beginnings => {
                    limits.spend(self.read_beginning(node, known, found))
                }
                _ => Ok(()),
            }
        })
    }

    fn is_mine(&self, key: u32) -> bool {
        key % self.parts.1 == self.parts.0
    }

    /// Until when each write is asked for: as long as reads of earlier ones are to come, and of
    /// as many later ones as are wanted.
    fn until(&self) -> Vec<u32> {
        let mut last = vec![0; self.graph.len()];
        let mut beginnings = vec![0; self.graph.keys.len()];
        for (node, place) in self.graph.nodes.iter().zip(&self.order.places) {
            let last = match node.source {
                Source::Write(write) => &mut last[write as usize],
                Source::Beginning if self.wanted.beginnings => &mut beginnings[node.key as usize],
                _ => continue,
            };
            *last = (*place).max(*last);
        }
        let mut until = vec![0; self.graph.len()];
        for key in (0..self.graph.keys.len() as u32).filter(|key| self.is_mine(*key)) {
            let writes = self.writes.of_key.get(key);
            let mut latest = beginnings[key as usize];
            for (rank, write) in writes.iter().enumerate() {
                let next = writes[rank + 1..].iter().take(self.wanted.before);
                let next = next.map(|next| last[*next as usize]).max();
                until[*write as usize] = latest.max(next.unwrap_or(0));
                latest = latest.max(last[*write as usize]);
            }
        }
        until
    }

    /// Returns how many writes it looked at.
    fn read(&self, reader: u32, write: u32, known: &Known, found: &mut Found) -> usize {
        let (graph, order) = (self.graph, self.order);
        let (writes, rank) =
            (self.writes.of_key.get(graph.node(reader).key), self.writes.ranks[write as usize]);
        let place = order.place(reader);
        let behind = &writes[rank as usize + 1..];
        let behind = &behind[..behind.partition_point(|other| order.place(*other) < place)];
        let before = rank.saturating_sub(self.wanted.before as u32);
        let before = &writes[before as usize..rank as usize];
        let first = found.conflicts.len();
        for &earlier in behind.iter().rev().chain(before.iter().rev()) {
            let session = |write: u32| graph.node(write).session;
            let is_told = |other: &Conflict| session(other.earlier) == session(earlier);
            if known.holds(earlier) && !found.conflicts[first..].iter().any(is_told) {
                found.conflicts.push(Conflict { earlier, later: write, reader });
            }
        }
        let told = found.conflicts.len() - first;
        1 + behind.len() + before.len() + told * told
    }

    fn read_beginning(&self, reader: u32, known: &Known, found: &mut Found) -> usize {
        let place = self.order.place(reader);
        let writes = self.writes.of_key.get(self.graph.node(reader).key);
        let writes = &writes[..writes.partition_point(|write| self.order.place(*write) < place)];
        let overdue = writes.iter().position(|write| known.holds(*write));
        found.overdue.extend(overdue.map(|at| (reader, writes[at])));
        1 + overdue.unwrap_or(writes.len())
    }
}

/// Those that a session shows by itself: it found or wrote a value, and then found another one.
pub(super) fn plain(graph: &Graph) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    // By key: the last write that a session met.
    let mut met: HashMap<u32, u32> = HashMap::new();
    for (reader, node) in (0..).zip(&graph.nodes) {
        if graph.previous(reader).is_none() {
            met.clear();
        }
        if let Some(later) = graph.source(reader)
            && let Some(earlier) = met.insert(node.key, later)
            && earlier != later
        {
            conflicts.push(Conflict { earlier, later, reader });
        }
        if graph.is_write(reader) {
            met.insert(node.key, reader);
        }
    }
    conflicts
}

/// Of sorted `conflicts`, those whose later write in truth comes before the earlier one, in
/// causal order: their readers found what they knew to be overwritten.
pub(super) fn overwritten(
    (graph, order): (&Graph, &Order),
    conflicts: &[Conflict],
    limits: &mut Limits,
) -> Result<Vec<Conflict>, Stopped> {
    let mut until = vec![0; graph.len()];
    for conflict in conflicts {
        let until = &mut until[conflict.later as usize];
        *until = order.place(conflict.earlier).max(*until);
    }
    let mut found = Vec::new();
    sweep((graph, order), &until, limits, |write, known, limits| {
        let begin = conflicts.partition_point(|conflict| conflict.earlier < write);
        let own = conflicts[begin..].iter().take_while(|conflict| conflict.earlier == write);
        let before = found.len();
        // A write that stands behind it is not watched yet, and does not come before it.
        let is_before = |later: u32| order.place(later) < order.place(write) && known.holds(later);
        found.extend(own.clone().filter(|conflict| is_before(conflict.later)));
        limits.spend(1 + found.len() - before)
    })?;
    Ok(found)
}
