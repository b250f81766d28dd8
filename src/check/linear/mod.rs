//! Linearizability: is there an order of all operations that explains every answer?
//!
//! A history is **linearizable** (Herlihy and Wing, 1990) if every operation can be
//! given one instant between its sending and its answer, so that all of them, done one by
//! one at these instants, give the answers that were given. That is what one server
//! without a replica does, and what users take for granted. Keys do not concern each other:
//! a history is linearizable if that of each key is.
//!
//! Stale reads and lost writes are two ways to fail, and the checks beside this one
//! find those where one read and two writes prove them. Here every way counts: two clients
//! that saw two writes in different orders, a value that came back, two compare-and-sets
//! that both found the same value.
//!
//! - [`zones`]: where no value was written to a key twice, which is so in every history that
//!   redrill itself makes. It is exact, whatever outcomes are unknown and with compare-and-set as
//!   well, and sorts once.
//! - [`search`]: where values repeat, as in histories that come from elsewhere. It may give up.
//! - [`shrink`]: a few operations that prove it where there is no order.
//!
//! A read of a value that nobody wrote has no place in any order. It is told apart: where a
//! history breaks off, its write may be among the rows that are missing.

mod call;
mod search;
mod shrink;
mod sweep;
mod writers;
mod zones;

use std::borrow::Cow;

use search::Found;
use writers::Writers;

pub(in crate::check) use call::Calls;
pub use call::{Act, Call};

/// Whether calls to one register can be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Exists,
    /// These, a few of them, have none. They stand as they were sent.
    Impossible(Vec<Call>),
    /// The search was given up.
    Undecided,
}

/// How the calls to one register stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub order: Order,
    /// Calls that found a value that nobody wrote. They are left out of the order.
    pub unwritten: Vec<Call>,
}

/// Judges the calls to one register, in any sequence. A search takes at most so many steps.
pub fn judge(calls: &[Call], steps: u64) -> Judged {
    let (calls, unwritten) = explained(calls);
    let order = match first_proof(&calls, steps) {
        Proof::Order => Order::Exists,
        Proof::Nothing => Order::Undecided,
        Proof::NoOrder(few) => Order::Impossible(smallest(few, steps)),
    };
    Judged { order, unwritten }
}

enum Proof {
    Order,
    NoOrder(Vec<Call>),
    Nothing,
}

fn first_proof(calls: &[Call], mut steps: u64) -> Proof {
    let writers = Writers::of(calls);
    if writers.are_unique() {
        let few = zones::conflict(calls, &writers);
        let few = few.map(|few| few.into_iter().map(|i| calls[i as usize]).collect());
        return few.map_or(Proof::Order, Proof::NoOrder);
    }
    match search::search(calls, &mut steps) {
        Found::Order => Proof::Order,
        Found::NoOrder => Proof::NoOrder(calls.to_vec()),
        Found::Nothing => Proof::Nothing,
    }
}

/// Questions that are asked to make a window smaller.
const TRIES: u32 = 300;

fn smallest(calls: Vec<Call>, steps: u64) -> Vec<Call> {
    let mut steps = steps;
    shrink::shrink(calls, TRIES, |calls| {
        let writers = Writers::of(calls);
        match writers.are_unique() {
            true => zones::conflict(calls, &writers).is_some(),
            false => search::search(calls, &mut steps) == Found::NoOrder,
        }
    })
}

/// The calls without those that found what nobody wrote, and these. Of a compare-and-set
/// that did, the write stays; but one of unknown outcome cannot have happened.
fn explained(calls: &[Call]) -> (Cow<'_, [Call]>, Vec<Call>) {
    let (mut calls, mut unwritten) = (Cow::Borrowed(calls), Vec::new());
    loop {
        let writers = Writers::of(&calls);
        let strange = |call: &Call| {
            call.found().flatten().is_some_and(|value| writers.place(value).is_none())
        };
        if !calls.iter().any(strange) {
            return (calls, unwritten);
        }
        let (odd, mut left): (Vec<Call>, Vec<Call>) = calls.iter().partition(|call| strange(call));
        let odd: Vec<Call> = odd.into_iter().filter(Call::is_answered).collect();
        let written = odd.iter().filter_map(|c| Some(Call { act: Act::Write(c.written()?), ..*c }));
        left.extend(written);
        unwritten.extend(odd);
        calls = Cow::Owned(left);
    }
}

#[cfg(test)]
mod tests;
