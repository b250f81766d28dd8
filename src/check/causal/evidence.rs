//! The operations that prove a violation, in words and for a drawing.

use crate::check::finding::{Example, Examples, Link, Proof, Zero};
use crate::check::linear::Call;

use super::graph::{Conflict, Graph};
use super::judge::Judged;
use super::path::{Proofs, Step};

/// A violation of causal consistency.
#[derive(Clone, Copy, Debug)]
pub(super) enum Violation {
    ThinAir,
    /// A place in [`Judged::circles`].
    Circle(usize),
    Old(Conflict),
    /// The read knew this write; none if nobody had to know.
    Beginning(Option<u32>),
}

/// An operation of a proof.
struct Piece {
    call: Call,
    key: u64,
    link: Option<Link>,
}

/// Makes examples of violations.
pub(super) struct Evidence<'a> {
    pub graph: &'a Graph,
    pub judged: &'a Judged,
}

impl Evidence<'_> {
    /// Offers the violation that `node` stands for.
    pub fn show(&self, examples: &mut Examples, rank: u64, node: u32, violation: Violation) {
        let key = self.key(node);
        let (what, pieces) = match violation {
            Violation::ThinAir => {
                let call = self.graph.node(node).call;
                (format!("nobody wrote what key {key} held"), vec![Piece { call, key, link: None }])
            }
            Violation::Circle(i) => {
                let steps = &self.judged.circles[i].1;
                ("these operations come before themselves".to_owned(), self.pieces(steps))
            }
            Violation::Old(conflict) => {
                let what = format!("what was read of key {key} was known to be overwritten");
                (what, self.pieces(&self.proofs().old(conflict)))
            }
            Violation::Beginning(known) => self.beginning(node, known),
        };
        self.offer(examples, rank, node, &what, &pieces);
    }

    /// Offers a knot.
    pub fn show_knot(&self, examples: &mut Examples, rank: u64, knot: &[u32]) {
        let Some(first) = knot.first() else { return };
        let pieces = self.pieces(&self.proofs().knot(knot, &self.judged.conflicts));
        let what = "no order of the writes to each key explains what was found";
        self.offer(examples, rank, *first, what, &pieces);
    }

    /// A read of what was there before all operations, or even before that.
    fn beginning(&self, read: u32, known: Option<u32>) -> (String, Vec<Piece>) {
        let (node, key) = (self.graph.node(read), self.key(read));
        let found_nothing = node.call.found() == Some(None);
        let (last, what) = match found_nothing {
            true => (Link::FoundNothing, format!("no key {key} was found")),
            false => (Link::Found, format!("key {key} was found as it was before the load")),
        };
        // What was found, if it was there before; and what nobody had to know, if there is that.
        let fills = self.graph.fills(node.key).iter().map(|(_, call)| *call);
        let is_found = |call: &Call| Some(call.written()) == node.call.found();
        let newest = fills.clone().next_back().filter(|_| known.is_none());
        let link = Some(Link::Filled);
        let fills = fills.filter(is_found).chain(newest);
        let mut pieces: Vec<Piece> = fills.map(|call| Piece { call, key, link }).collect();
        let steps = match known {
            Some(write) => self.proofs().beginning(read, write, last),
            None => vec![(read, last)],
        };
        pieces.extend(self.pieces(&steps));
        (format!("{what}, although a write to it was known"), pieces)
    }

    fn proofs(&self) -> Proofs<'_> {
        Proofs { graph: self.graph, order: &self.judged.order }
    }

    fn pieces(&self, steps: &[Step]) -> Vec<Piece> {
        let piece = |(node, link): &Step| {
            let (call, key) = (self.graph.node(*node).call, self.key(*node));
            Piece { call, key, link: Some(*link) }
        };
        steps.iter().map(piece).collect()
    }

    fn offer(&self, examples: &mut Examples, rank: u64, node: u32, what: &str, pieces: &[Piece]) {
        let node = self.graph.node(node);
        let (load, key) = self.graph.keys[node.key as usize];
        let at = if node.call.is_answered() { node.call.done } else { node.call.sent };
        examples.offer((rank, 0, load, key), |zero| {
            let text = format!("{what}: {}", sentence(pieces, zero));
            let proof =
                |p: &Piece| Proof { key: Some(p.key), link: p.link, ..Proof::from(&p.call) };
            let window = pieces.iter().map(proof).collect();
            Example { window, ..Example::new(load, key, at, text) }
        });
    }

    fn key(&self, node: u32) -> u64 {
        self.graph.keys[self.graph.node(node).key as usize].1
    }
}

/// The operations with the reasons between them. The last reason leads back to the first.
fn sentence(pieces: &[Piece], zero: Zero) -> String {
    let mut text = String::new();
    for (i, piece) in pieces.iter().enumerate() {
        let is_last = i + 1 == pieces.len();
        text += &format!("{} on key {}", piece.call.told(zero), piece.key);
        text += match (piece.link, is_last) {
            (None, _) => "",
            (Some(Link::Process), false) => " → and then: ",
            (Some(Link::Process), true) => " → and then the first of these",
            (Some(Link::Read), false) => " → whose value was found: ",
            (Some(Link::Read), true) => " → whose value the first of these found",
            (Some(Link::Filled), _) => " → before all of the load: ",
            (Some(Link::Found), false) => " → so what it knew was overwritten by: ",
            (Some(Link::Found), true) => " → so what it knew was overwritten by the first of these",
            (Some(Link::FoundNothing), _) => " → so it came before every write",
        };
    }
    text
}
