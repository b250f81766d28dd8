//! An order of all operations in which nothing stands before what it follows; and, if there is
//! none, the circles.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::{Conflict, Graph};
use super::lists::Lists;

/// Every operation stands behind all that come before it in causal order.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub nodes: Vec<u32>,
    /// Of each operation, its place among them.
    pub places: Vec<u32>,
}

impl Order {
    pub fn place(&self, node: u32) -> u32 {
        self.places[node as usize]
    }
}

/// The edges of a graph and those of conflicts.
pub(super) struct Edges<'a> {
    graph: &'a Graph,
    later: Lists,
}

impl<'a> Edges<'a> {
    pub fn new(graph: &'a Graph, conflicts: &[Conflict]) -> Edges<'a> {
        let pairs = conflicts.iter().map(|conflict| (conflict.earlier, conflict.later));
        Edges { graph, later: Lists::of(graph.len(), pairs) }
    }

    pub fn after(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        self.graph.after(node).chain(self.later.get(node).iter().copied())
    }

    /// As near as possible to the order in which operations took effect. If there is none: the
    /// operations that are on a circle or behind one.
    pub fn order(&self) -> Result<Order, Vec<u32>> {
        let count = self.graph.len();
        let mut before = vec![0_u32; count];
        for node in 0..count as u32 {
            self.after(node).for_each(|after| before[after as usize] += 1);
        }
        let ready = (0..count as u32).filter(|node| before[*node as usize] == 0);
        let key = |node: u32| Reverse((effect(self.graph, node), node));
        let mut ready: BinaryHeap<_> = ready.map(key).collect();
        let mut order = Order { nodes: Vec::with_capacity(count), places: vec![0; count] };
        while let Some(Reverse((_, node))) = ready.pop() {
            order.places[node as usize] = order.nodes.len() as u32;
            order.nodes.push(node);
            for after in self.after(node) {
                before[after as usize] -= 1;
                if before[after as usize] == 0 {
                    ready.push(key(after));
                }
            }
        }
        match order.nodes.len() == count {
            true => Ok(order),
            false => Err((0..count as u32).filter(|node| before[*node as usize] > 0).collect()),
        }
    }
}

/// When it took effect, as far as one can tell: halfway.
fn effect(graph: &Graph, node: u32) -> u64 {
    let call = &graph.node(node).call;
    match call.is_answered() {
        true => call.sent.0 / 2 + call.done.0 / 2,
        false => call.sent.0,
    }
}

/// Groups of operations each of which comes before all others of its group, and so before
/// itself. They are searched for among `nodes`, by the algorithm of Tarjan, "Depth-first search
/// and linear graph algorithms" (1972).
pub(super) fn knots(edges: &Edges, nodes: &[u32]) -> Vec<Vec<u32>> {
    let mut search = Search { low: vec![0; edges.graph.len()], ..Search::default() };
    nodes.iter().for_each(|node| search.low[*node as usize] = NEW);
    for node in nodes {
        if search.low[*node as usize] == NEW {
            search.from(*node, |node| edges.after(node));
        }
    }
    let is_knot = |knot: &Vec<u32>| knot.len() > 1 || edges.after(knot[0]).any(|to| to == knot[0]);
    search.knots.retain(is_knot);
    search.knots.iter_mut().for_each(|knot| knot.sort_unstable());
    search.knots.sort_unstable();
    search.knots
}

/// Not looked at yet.
const NEW: u32 = u32::MAX;

#[derive(Default)]
struct Search {
    /// The number of the earliest operation that is known to be reachable; 0 of those that
    /// are not searched, or done with.
    low: Vec<u32>,
    count: u32,
    open: Vec<u32>,
    knots: Vec<Vec<u32>>,
}

impl Search {
    fn from<I: Iterator<Item = u32>>(&mut self, first: u32, after: impl Fn(u32) -> I) {
        let mut path = vec![self.enter(first, &after)];
        while let Some((node, number, rest)) = path.last_mut() {
            let (node, number) = (*node, *number);
            match rest.next() {
                Some(next) if self.low[next as usize] == NEW => path.push(self.enter(next, &after)),
                Some(next) if self.low[next as usize] > 0 => self.lower(node, next),
                Some(_) => {}
                None => {
                    path.pop();
                    if self.low[node as usize] == number {
                        self.close(node);
                    } else if let Some((before, ..)) = path.last() {
                        self.lower(*before, node);
                    }
                }
            }
        }
    }

    fn enter<I>(&mut self, node: u32, after: &impl Fn(u32) -> I) -> (u32, u32, I) {
        self.count += 1;
        self.low[node as usize] = self.count;
        self.open.push(node);
        (node, self.count, after(node))
    }

    fn lower(&mut self, node: u32, to: u32) {
        self.low[node as usize] = self.low[node as usize].min(self.low[to as usize]);
    }

    /// All that were entered since `node` are its group.
    fn close(&mut self, node: u32) {
        let begin = self.open.iter().rposition(|open| *open == node).unwrap_or_default();
        let knot = self.open.split_off(begin);
        knot.iter().for_each(|node| self.low[*node as usize] = 0);
        self.knots.push(knot);
    }
}
