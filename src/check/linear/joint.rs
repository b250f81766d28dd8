//! Searches for an order of transactions, each of which acts on several registers at once.
//!
//! The same search as [`super::search`], with a state of several values. It tries more, because
//! no load of redrill has transactions, and histories from elsewhere that have some are short.

use std::collections::HashSet;

use crate::check::register::NEVER;
use crate::model::Nanos;
use crate::model::op::RegisterOp;

use super::search::{Found, random, spend};

/// What was done at one instant between the two.
#[derive(Clone, Debug)]
pub(in crate::check) struct Txn {
    pub sent: Nanos,
    /// [`NEVER`] if it is unknown whether it took effect.
    pub done: Nanos,
    /// On each key, counted from 0, at most one.
    pub acts: Vec<(usize, RegisterOp)>,
}

/// Searches for an order in at most `steps` steps, and subtracts the steps it took.
pub(in crate::check) fn search(mut txns: Vec<Txn>, steps: &mut u64) -> Found {
    // Those that must be taken come first.
    txns.sort_by_key(|txn| (txn.done == NEVER, txn.sent, txn.done));
    let must = txns.iter().filter(|txn| txn.done != NEVER).count();
    let keys = txns.iter().flat_map(|txn| &txn.acts).map(|(key, _)| key + 1).max();
    let (taken, state) = (vec![false; txns.len()], vec![None; keys.unwrap_or(0)]);
    Search { txns, must, left: must, taken, prefix: 0, state, place: 0 }.run(steps)
}

struct Search {
    txns: Vec<Txn>,
    must: usize,
    left: usize,
    taken: Vec<bool>,
    /// All that must be taken before this index have been.
    prefix: usize,
    state: Vec<Option<u64>>,
    /// A sum of random numbers, one for each that is taken.
    place: u128,
}

struct Turn {
    /// What was taken, and the state before it.
    taken: Option<(usize, Vec<Option<u64>>)>,
    choices: Vec<usize>,
}

impl Search {
    fn run(mut self, steps: &mut u64) -> Found {
        let mut been = HashSet::new();
        let mut turns = vec![Turn { taken: None, choices: self.choices() }];
        while self.left > 0 {
            let Some(turn) = turns.last_mut() else { return Found::NoOrder };
            let Some(choice) = turn.choices.pop() else {
                let turn = turns.pop().expect("there is a last one");
                self.undo(turn);
                continue;
            };
            let before = self.take(choice);
            let choices = self.choices();
            if !spend(steps, choices.len() + self.state.len()) {
                return Found::Nothing;
            }
            let turn = Turn { taken: Some((choice, before)), choices };
            if been.insert((self.place, self.state.clone())) {
                turns.push(turn);
            } else {
                self.undo(turn);
            }
        }
        Found::Order
    }

    fn take(&mut self, i: usize) -> Vec<Option<u64>> {
        let before = self.state.clone();
        for (key, act) in &self.txns[i].acts {
            if let RegisterOp::Write(to) | RegisterOp::Cas { to, .. } = act {
                self.state[*key] = Some(*to);
            }
        }
        self.taken[i] = true;
        self.place = self.place.wrapping_add(random(i as u64, 0));
        self.left -= usize::from(i < self.must);
        while self.prefix < self.must && self.taken[self.prefix] {
            self.prefix += 1;
        }
        before
    }

    fn undo(&mut self, turn: Turn) {
        let Some((i, before)) = turn.taken else { return };
        self.state = before;
        self.taken[i] = false;
        self.place = self.place.wrapping_sub(random(i as u64, 0));
        if i < self.must {
            self.left += 1;
            self.prefix = self.prefix.min(i);
        }
    }

    /// What may come next; the most promising last. A read that may come next is the only
    /// choice: it changes nothing.
    fn choices(&self) -> Vec<usize> {
        let (mut next, mut end) = (Vec::new(), Nanos(u64::MAX));
        for i in self.prefix..self.must {
            if self.txns[i].sent > end {
                break;
            }
            if !self.taken[i] {
                end = end.min(self.txns[i].done);
                next.push(i);
            }
        }
        next.retain(|i| self.fits(*i));
        let only_reads = |i: &&usize| {
            self.txns[**i].acts.iter().all(|(_, act)| matches!(act, RegisterOp::Read(_)))
        };
        if let Some(read) = next.iter().find(only_reads) {
            return vec![*read];
        }
        next.sort_unstable_by_key(|i| self.txns[*i].done);
        let may = (self.must..self.txns.len())
            .filter(|i| !self.taken[*i] && self.txns[*i].sent <= end && self.fits(*i));
        next.extend(may);
        next.reverse();
        next
    }

    /// Whether it finds what is there.
    fn fits(&self, i: usize) -> bool {
        self.txns[i].acts.iter().all(|(key, act)| match act {
            RegisterOp::Read(from) | RegisterOp::Cas { from, .. } => *from == self.state[*key],
            RegisterOp::Write(_) => true,
        })
    }
}
