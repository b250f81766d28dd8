//! Transfers: no amount is made or lost, whoever looks and when.
//!
//! A bank is a key whose accounts are all read at once. A read whose sum is not what the bank was
//! opened with saw half of a transfer: it is **torn**. At the end the balances must be what the
//! bank was opened with and all transfers that were acknowledged, and any of those without an
//! answer. Where the last sum is wrong, a transfer was left **half done**; where it is right and
//! no choice of transfers gives the balances, acknowledged transfers are **lost**.
//!
//! A transfer one of whose commands failed is carried out **in part**: a server takes the others not
//! back. Whether that tore it, the sums tell.

use std::collections::HashSet;

use smallvec::SmallVec;

use crate::model::Nanos;
use crate::model::op::{Action, Cause, Op, Outcome, Purpose, TransferOp};

use super::parts::Kept;
use super::per_key::{Found, PerKey, Words};

/// Steps of the search for the transfers without an answer that were done, for each bank.
const STEPS: usize = 200_000;

/// Judges every bank.
pub struct Transfers;

#[derive(Debug, Default)]
pub struct Bank {
    /// What each account was opened with.
    opened: Option<Box<[i64]>>,
    moves: Vec<Move>,
    reads: Vec<Sum>,
    /// Transfers of which some commands were carried out and others failed.
    in_part: u64,
    /// The last answered read of the final state.
    last: Option<(Sum, Box<[i64]>)>,
}

/// A transfer that may have been done.
#[derive(Clone, Debug)]
struct Move {
    from: usize,
    /// Each of them gets so much.
    to: SmallVec<[u16; 4]>,
    amount: i64,
    sent: Nanos,
    /// None if nobody knows whether it was done.
    done: Option<Nanos>,
}

#[derive(Clone, Copy, Debug)]
struct Sum {
    sum: i64,
    sent: Nanos,
    done: Nanos,
}

impl Kept for Bank {
    fn wants(op: &Op) -> bool {
        matches!(op.action, Action::Transfer(_)) && !matches!(op.outcome, Outcome::Fail(_))
    }

    fn keep(&mut self, op: &Op) {
        let Action::Transfer(action) = &op.action else { return };
        let ok = op.outcome == Outcome::Ok;
        match action {
            TransferOp::Open(balances) => self.opened = Some(balances.clone()),
            TransferOp::Move { from, to, amount, others, fails: _ } => {
                self.in_part += u64::from(op.outcome == Outcome::Unknown(Cause::Partial));
                self.moves.push(Move {
                    from: usize::from(*from),
                    to: [&[*to][..], others].concat().into(),
                    amount: i64::from(*amount),
                    sent: op.sent,
                    done: ok.then_some(op.done),
                });
            }
            TransferOp::Balances(balances) if ok => {
                let sum = Sum { sum: balances.iter().sum(), sent: op.sent, done: op.done };
                if op.purpose != Purpose::Final {
                    self.reads.push(sum);
                } else if self.last.as_ref().is_none_or(|(last, _)| last.sent < sum.sent) {
                    self.last = Some((sum, balances.clone()));
                }
            }
            TransferOp::Balances(_) => {}
        }
    }
}

/// Whether the balances of a bank can be what its transfers left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Explained {
    Yes,
    No,
    /// The search took too long.
    Undecided,
}

const WORDS: Words = Words {
    name: "transfers",
    family: "transfer",
    known: &["acknowledged", "torn", "partial"],
    sums: &[("transactions.torn", &["torn", "half_done"]), ("transactions.partial", &["partial"])],
    text: "{torn} of {reads} reads torn, {half_done} banks with a half-done transfer, {lost} banks \
           that lost some of {acknowledged} acknowledged transfers",
    unread: "nothing is known of {unread} banks at the end",
};

impl PerKey for Transfers {
    type Key = Bank;

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn judge(&self, at: (u8, u64), bank: &Bank, found: &mut Found) {
        let key = at.1;
        let done = bank.moves.iter().filter(|one| one.done.is_some()).count();
        found.add("acknowledged", done as u64);
        found.add("partial", bank.in_part);
        found.add("reads", bank.reads.len() as u64 + u64::from(bank.last.is_some()));
        let rank = |read: &Sum| (read.sent.0, read.sum.unsigned_abs());
        if let Some(opened) = &bank.opened {
            let total: i64 = opened.iter().sum();
            for read in bank.reads.iter().filter(|read| read.sum != total) {
                found.add("torn", 1);
                found.show(at, rank(read), read.done, |zero| {
                    let at = zero.tell(read.done);
                    format!("bank {key} had {} instead of {total} at {at}", read.sum)
                });
            }
        }
        let (Some(opened), Some((last, balances))) = (&bank.opened, &bank.last) else {
            if !bank.moves.is_empty() {
                found.unread();
            }
            return;
        };
        let total: i64 = opened.iter().sum();
        if last.sum != total {
            found.add("half_done", 1);
            return found.show(at, rank(last), last.done, |_| {
                format!(
                    "bank {key} ended with {} instead of {total}: a transfer is half done",
                    last.sum
                )
            });
        }
        match explained(opened, &bank.moves, last, balances) {
            Explained::Yes => {}
            Explained::Undecided => found.unread(),
            Explained::No => {
                found.add("lost", 1);
                found.show(at, rank(last), last.done, |_| {
                    format!(
                        "bank {key} ended with its sum right and balances that its acknowledged \
                         transfers do not give: some of them are lost"
                    )
                });
            }
        }
    }
}

/// Whether some of the transfers that may have been done give `balances`, with all of those that
/// had been acknowledged before the read was sent.
fn explained(opened: &[i64], moves: &[Move], last: &Sum, balances: &[i64]) -> Explained {
    if opened.len() != balances.len() {
        return Explained::No;
    }
    let mut left: Vec<i64> = balances.iter().zip(opened).map(|(now, then)| now - then).collect();
    let sure = |one: &&Move| one.done.is_some_and(|done| done < last.sent);
    moves.iter().filter(sure).for_each(|one| one.undo(&mut left));
    let maybe: Vec<&Move> =
        moves.iter().filter(|one| !sure(one) && one.sent <= last.done).collect();
    Search::new(maybe, left.len()).run(left)
}

impl Move {
    /// Takes the transfer away from what is left to explain.
    fn undo(&self, left: &mut [i64]) {
        left[self.from] += self.amount * self.to.len() as i64;
        self.to.iter().for_each(|to| left[usize::from(*to)] -= self.amount);
    }
}

/// A search for those among `maybe` that explain what is left.
struct Search<'a> {
    maybe: Vec<&'a Move>,
    /// By the place in `maybe`: the least and the most that all from there on can do to each
    /// account.
    bounds: Vec<Vec<(i64, i64)>>,
    /// What has been tried in vain.
    seen: HashSet<(usize, Vec<i64>)>,
}

impl<'a> Search<'a> {
    fn new(maybe: Vec<&'a Move>, accounts: usize) -> Search<'a> {
        let mut bounds = vec![vec![(0, 0); accounts]; maybe.len() + 1];
        for (place, one) in maybe.iter().enumerate().rev() {
            let mut now = bounds[place + 1].clone();
            now[one.from].0 -= one.amount * one.to.len() as i64;
            one.to.iter().for_each(|to| now[usize::from(*to)].1 += one.amount);
            bounds[place] = now;
        }
        Search { maybe, bounds, seen: HashSet::new() }
    }

    fn run(mut self, left: Vec<i64>) -> Explained {
        // Depth first, without recursion: a bank may have many transfers without an answer.
        let mut open = vec![(0, left)];
        while let Some((place, left)) = open.pop() {
            let within =
                |(left, (least, most)): (&i64, &(i64, i64))| (*least..=*most).contains(left);
            if !left.iter().zip(&self.bounds[place]).all(within) {
                continue;
            }
            let Some(one) = self.maybe.get(place) else { return Explained::Yes };
            if self.seen.len() >= STEPS {
                return Explained::Undecided;
            }
            if !self.seen.insert((place, left.clone())) {
                continue;
            }
            let mut with = left.clone();
            one.undo(&mut with);
            open.push((place + 1, left));
            open.push((place + 1, with));
        }
        Explained::No
    }
}

#[cfg(test)]
mod tests;
