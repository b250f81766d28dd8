//! Short proofs: a few operations, each with the reason why it comes before the next one, and
//! the last one before the first. So each comes before itself, which cannot be.

use std::collections::{HashMap, VecDeque};

use crate::check::finding::Link;

use super::graph::{Conflict, Graph};
use super::order::Order;

/// An operation, and why it comes before the next one of the proof.
pub(super) type Step = (u32, Link);

/// Of several possible proofs, at most so many are compared.
const TRIES: usize = 8;
/// So many operations are looked at for each. A proof is to be short, so it is near.
const NEAR: usize = 20_000;

/// Why one operation comes before another.
#[derive(Clone, Copy)]
enum Way {
    Causal(Link),
    Conflict(Conflict),
}

/// Conflicts by their later writes.
type Conflicts = HashMap<u32, Vec<Conflict>>;

/// The shortest way from `from` to `to` over operations `within`, without `to`. Any earlier
/// operation of a session is one step away. None if there is no way, or if more than `most`
/// operations would have to be looked at.
fn way(
    graph: &Graph,
    (from, to): (u32, u32),
    conflicts: &Conflicts,
    within: impl Fn(u32) -> bool,
    most: usize,
) -> Option<Vec<(u32, Way)>> {
    let mut next: HashMap<u32, (u32, Way)> = HashMap::new();
    // By session: all operations before this one have been reached.
    let mut reached: HashMap<u32, u32> = HashMap::new();
    let mut queue = VecDeque::from([to]);
    while !next.contains_key(&from) && next.len() <= most {
        let node = queue.pop_front()?;
        let mut reach = |other: u32, way: Way| {
            if other != to && within(other) && !next.contains_key(&other) {
                next.insert(other, (node, way));
                queue.push_back(other);
            }
        };
        let source = graph.source(node);
        source.into_iter().for_each(|write| reach(write, Way::Causal(Link::Read)));
        for conflict in conflicts.get(&node).into_iter().flatten() {
            reach(conflict.earlier, Way::Conflict(*conflict));
        }
        let reached = reached.entry(graph.node(node).session).or_default();
        let earlier = std::iter::successors(graph.previous(node), |at| graph.previous(*at));
        for other in earlier.take_while(|other| other >= reached && within(*other)) {
            reach(other, Way::Causal(Link::Process));
        }
        *reached = node.max(*reached);
    }
    let (mut steps, mut at) = (Vec::new(), from);
    while at != to {
        let (after, way) = *next.get(&at)?;
        steps.push((at, way));
        at = after;
    }
    Some(steps)
}

/// The same over causal steps only, from one operation to one that follows it.
fn causal(
    graph: &Graph,
    ends: (u32, u32),
    within: impl Fn(u32) -> bool,
    most: usize,
) -> Option<Vec<Step>> {
    let steps = way(graph, ends, &Conflicts::new(), within, most)?;
    let causal = |(node, way)| match way {
        Way::Causal(link) => Some((node, link)),
        Way::Conflict(_) => None,
    };
    Some(steps.into_iter().filter_map(causal).collect())
}

/// Why operations of a sorted group come before themselves in causal order.
pub(super) fn circle(graph: &Graph, group: &[u32]) -> Vec<Step> {
    let inside = |node: u32| group.binary_search(&node).is_ok();
    let read = |read: &u32| Some((*read, graph.source(*read).filter(|write| inside(*write))?));
    let ways = group.iter().filter_map(read).take(TRIES).filter_map(|(read, write)| {
        let mut steps = causal(graph, (read, write), inside, usize::MAX)?;
        steps.push((write, Link::Read));
        Some(steps)
    });
    ways.min_by_key(Vec::len).unwrap_or_default()
}

/// Looks for proofs in a graph without circles.
pub(super) struct Proofs<'a> {
    pub graph: &'a Graph,
    pub order: &'a Order,
}

impl Proofs<'_> {
    fn way(&self, (from, to): (u32, u32), most: usize) -> Option<Vec<Step>> {
        let first = self.order.place(from);
        causal(self.graph, (from, to), |node| self.order.place(node) >= first, most)
    }

    /// Other writes to the key of `reader` that it may know: the last ones, and the first ones
    /// behind `since`.
    fn others(&self, reader: u32, since: Option<u32>) -> Vec<u32> {
        let (graph, place) = (self.graph, |node: u32| self.order.place(node));
        let since = since.map(place);
        let is_between = |node: &u32| {
            let key = graph.node(*node).key == graph.node(reader).key;
            key && graph.is_write(*node)
                && Some(place(*node)) > since
                && place(*node) < place(reader)
        };
        let mut writes: Vec<u32> = (0..graph.len() as u32).filter(is_between).collect();
        writes.sort_unstable_by_key(|write| place(*write));
        if writes.len() > 2 * TRIES {
            writes.drain(TRIES..writes.len() - TRIES);
        }
        writes
    }

    /// A write, one that overwrote it, and a read that knew the second one and found the first.
    pub fn old(&self, conflict: Conflict) -> Vec<Step> {
        let Conflict { earlier: known, later: write, reader } = conflict;
        let proof = |known: u32, most: usize| {
            let mut steps = self.way((write, known), most)?;
            steps.extend(self.way((known, reader), most)?);
            steps.push((reader, Link::Found));
            Some(steps)
        };
        let others = self.others(reader, Some(write));
        let best = others.into_iter().filter_map(|known| proof(known, NEAR)).min_by_key(Vec::len);
        best.or_else(|| proof(known, usize::MAX)).unwrap_or_default()
    }

    /// A write, and a read that knew it and found what was there before all writes. The last
    /// link leads to what that was.
    pub fn beginning(&self, reader: u32, known: u32, last: Link) -> Vec<Step> {
        let others = self.others(reader, None);
        let ways = others.into_iter().filter_map(|known| self.way((known, reader), NEAR));
        let best = ways.min_by_key(Vec::len).or_else(|| self.way((known, reader), usize::MAX));
        best.into_iter().flatten().chain([(reader, last)]).collect()
    }

    /// Why a sorted group of operations has no order on which sessions could agree.
    pub fn knot(&self, group: &[u32], conflicts: &[Conflict]) -> Vec<Step> {
        let inside = |node: u32| group.binary_search(&node).is_ok();
        let mut by_later = Conflicts::new();
        let is_inside = |conflict: &&Conflict| inside(conflict.earlier) && inside(conflict.later);
        for conflict in conflicts.iter().filter(is_inside) {
            by_later.entry(conflict.later).or_default().push(*conflict);
        }
        let mut all: Vec<Conflict> = by_later.values().flatten().copied().collect();
        all.sort_unstable_by_key(|conflict| self.order.place(conflict.reader));
        let proofs = all.into_iter().take(TRIES).filter_map(|last| {
            let steps = way(self.graph, (last.later, last.earlier), &by_later, inside, usize::MAX)?;
            let steps = steps.into_iter().chain([(last.earlier, Way::Conflict(last))]);
            steps.map(|(node, way)| self.told(node, way)).collect::<Option<Vec<_>>>()
        });
        proofs.map(|steps| steps.concat()).min_by_key(Vec::len).unwrap_or_default()
    }

    /// A conflict is told by its reader, which knew one write and found the other.
    fn told(&self, node: u32, way: Way) -> Option<Vec<Step>> {
        match way {
            Way::Causal(link) => Some(vec![(node, link)]),
            Way::Conflict(conflict) => {
                let mut steps = self.way((conflict.earlier, conflict.reader), usize::MAX)?;
                steps.push((conflict.reader, Link::Found));
                Some(steps)
            }
        }
    }
}
