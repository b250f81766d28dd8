//! The steps of the judgement, on a graph without rows.

use super::conflicts::{Wanted, contradictions, overwritten, plain};
use super::graph::{Conflict, Graph, Source};
use super::order::{Edges, Order, knots};
use super::path::{self, Step};
use super::sweep::{Limits, Stopped};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Reads of values that nobody wrote.
    pub thin_air: Vec<u32>,
    /// Groups of operations that come before themselves in causal order; of the first ones with
    /// a few that prove it.
    pub circles: Vec<(Vec<u32>, Vec<Step>)>,
    /// A read, and a write that it knew and whose value it did not find, although what it found
    /// comes before that write. One for each such read.
    pub old: Vec<Conflict>,
    /// Reads of what was there before all operations, and a write that each knew; none if the
    /// key had been filled with something newer.
    pub beginnings: Vec<(u32, Option<u32>)>,
    /// Groups of operations on whose order sessions do not agree.
    pub knots: Vec<Vec<u32>>,
    /// What the knots are made of, besides the causal order.
    pub conflicts: Vec<Conflict>,
    /// Why not everything could be looked at.
    pub stopped: Option<Stopped>,
    /// An order that agrees with the causal one.
    pub order: Order,
}

/// By how many times more conflicts are looked for in each round, and in the first one that looks
/// beyond contradictions.
const MORE: usize = 4;

/// Of so many circles there is a proof.
const TOLD: usize = 20;

/// Judges the operations. Takes out of the graph what stands on circles.
pub(super) fn judge(graph: &mut Graph, limits: &mut Limits) -> Judged {
    let mut judged = Judged::default();
    judged.order = open_circles(graph, &mut judged);
    for (node, found) in (0..).zip(&graph.nodes) {
        match found.source {
            Source::Nowhere => judged.thin_air.push(node),
            Source::BeforeBeginning => judged.beginnings.push((node, None)),
            _ => {}
        }
    }
    judged.stopped = agree(graph, &mut judged, limits).err();
    judged
}

/// An order that agrees with the causal one, once reads on circles show nothing any more.
fn open_circles(graph: &mut Graph, judged: &mut Judged) -> Order {
    loop {
        let edges = Edges::new(graph, &[]);
        let rest = match edges.order() {
            Ok(order) => return order,
            Err(rest) => rest,
        };
        let circles = knots(&edges, &rest);
        let told = judged.circles.len();
        for circle in circles {
            let is_told = judged.circles.len() < TOLD;
            let proof = if is_told { path::circle(graph, &circle) } else { Vec::new() };
            judged.circles.push((circle, proof));
        }
        for (circle, _) in &judged.circles[told..] {
            for node in circle {
                let is_inside = |write: u32| circle.binary_search(&write).is_ok();
                if graph.source(*node).is_some_and(is_inside) {
                    graph.nodes[*node as usize].source = Source::Circle;
                }
            }
        }
        graph.connect();
    }
}

/// Whether there is an order of all writes on which sessions could agree. Each order that is
/// tried has all conflicts that contradicted those before it, and later ones have more: in the
/// end all, and then nothing can contradict.
fn agree(graph: &Graph, judged: &mut Judged, limits: &mut Limits) -> Result<(), Stopped> {
    let mut conflicts = plain(graph);
    let mut without = Vec::new();
    // If what single sessions show goes in a circle, that is found in the end.
    let plain = Edges::new(graph, &conflicts).order();
    let mut agrees = plain.is_ok();
    judged.order = plain.unwrap_or_else(|_| std::mem::take(&mut judged.order));
    let mut round = 0;
    loop {
        // Two rounds without more: most histories need no others.
        let before = if round < 2 { 0 } else { MORE.saturating_pow(round - 1) };
        let wanted = Wanted { before, beginnings: round == 0, without: &without };
        let found = contradictions((graph, &judged.order), wanted, limits)?;
        if round == 0 {
            let overdue = found.overdue.iter().map(|(reader, write)| (*reader, Some(*write)));
            judged.beginnings.extend(overdue);
        }
        let place = |node: u32| judged.order.place(node);
        let is_new = |conflict: &Conflict| place(conflict.earlier) > place(conflict.later);
        if agrees && !found.conflicts.iter().any(is_new) {
            return Ok(());
        }
        agrees = true;
        conflicts.extend(found.conflicts);
        loop {
            let edges = Edges::new(graph, &conflicts);
            match edges.order() {
                Ok(next) => judged.order = next,
                Err(rest) => {
                    let knots = knots(&edges, &rest);
                    if without.is_empty() {
                        without = old(graph, (&knots, &conflicts), judged, limits)?;
                        conflicts.retain(|conflict| !without[conflict.reader as usize]);
                        continue;
                    }
                    (judged.knots, judged.conflicts) = (knots, conflicts);
                    return Ok(());
                }
            }
            break;
        }
        round += 1;
    }
}

/// Finds the readers of something older than what they knew. All are on knots: what they found
/// comes before what they knew.
fn old(
    graph: &Graph,
    (knots, conflicts): (&[Vec<u32>], &[Conflict]),
    judged: &mut Judged,
    limits: &mut Limits,
) -> Result<Vec<bool>, Stopped> {
    let mut knot_of = vec![0; graph.len()];
    for (number, knot) in (1_u32..).zip(knots) {
        knot.iter().for_each(|node| knot_of[*node as usize] = number);
    }
    let knot = |node: u32| knot_of[node as usize];
    let inside = |conflict: &&Conflict| {
        knot(conflict.earlier) > 0 && knot(conflict.earlier) == knot(conflict.later)
    };
    let mut inside: Vec<Conflict> = conflicts.iter().filter(inside).copied().collect();
    inside.sort_unstable();
    let mut without = vec![false; graph.len()];
    for conflict in overwritten((graph, &judged.order), &inside, limits)? {
        if !std::mem::replace(&mut without[conflict.reader as usize], true) {
            judged.old.push(conflict);
        }
    }
    Ok(without)
}
