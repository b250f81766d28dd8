//! Linearizability: is there an order of all operations that explains every answer?
//!
//! A history is **linearizable** (Herlihy and Wing, 1990) if every operation can be given one
//! instant between its sending and its answer, so that all of them, done one by one at these
//! instants, give the answers that were given. A single server without a replica behaves like
//! this, and users take it for granted. Keys are independent: a history is linearizable if the
//! history of each key is.
//!
//! Stale reads and lost writes are two ways to fail. Their checks find cases that one read and
//! two writes prove. Here every way counts: two clients that saw two writes in different orders,
//! a value that came back, two compare-and-sets that both found the same value.
//!
//! - [`zones`]: if no value was written to a key twice, which is true of all histories by redrill.
//!   It is exact, with unknown outcomes and with compare-and-set, and needs one sorting.
//! - [`search`]: if values repeat, as in histories from elsewhere. It may give up.
//! - [`shrink`]: finds a few operations that prove that there is no order.
//!
//! A read of a value that nobody wrote has no place in any order. It is reported separately: if a
//! history breaks off, the write may be among the missing rows.

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

/// Whether the calls to one register have an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Exists,
    /// These few have none. They are in the order in which they were sent.
    Impossible(Vec<Call>),
    /// The search was given up.
    Undecided,
}

/// The result for the calls to one register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub order: Order,
    /// Calls that found a value which nobody wrote. They are not part of the order.
    pub unwritten: Vec<Call>,
}

/// Judges the calls to one register, in any sequence. A search takes at most `steps` steps.
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

/// How often a smaller window is tried.
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

/// The calls without those that found a value which nobody wrote, and these. If such a call was
/// a compare-and-set, its write stays, unless its outcome is unknown: then it cannot have
/// happened.
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
