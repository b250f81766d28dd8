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
//! - [`comeback`]: if values repeat, as in histories from elsewhere. It finds a value that was
//!   found when it was over, whatever else there is: stale reads, for one.
//! - [`search`]: if values repeat, for all that is left. It may give up.
//! - [`joint`]: transactions on several keys, which are judged together.
//! - [`shrink`]: finds a few operations that prove that there is no order.
//!
//! A read of a value that nobody wrote has no place in any order. It is reported separately: if a
//! history breaks off, the write may be among the missing rows.

mod call;
mod comeback;
mod joint;
mod search;
mod shrink;
mod zones;

use std::borrow::Cow;

use crate::model::op::RegisterOp;

use call::Writers;

pub use call::Call;
pub(in crate::check) use call::Calls;
pub(in crate::check) use joint::{Txn, search as search_together};
pub(in crate::check) use search::Found;

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

/// Judges the calls to one register, in any sequence. It takes its steps from `steps` and gives
/// up when none are left. A step takes about a microsecond.
pub fn judge(calls: &[Call], steps: &mut u64) -> Judged {
    let (calls, unwritten) = explained(calls);
    Judged { order: order(&calls, steps), unwritten }
}

fn order(calls: &[Call], steps: &mut u64) -> Order {
    let writers = Writers::of(calls);
    let few = if writers.are_unique() {
        let Some(few) = zones::conflict(calls, &writers) else { return Order::Exists };
        few.into_iter().map(|i| calls[i as usize]).collect()
    } else if let Some(few) = comeback::comeback(calls) {
        return Order::Impossible(few);
    } else {
        match search::search(calls, steps) {
            Found::Order => return Order::Exists,
            Found::Nothing => return Order::Undecided,
            Found::NoOrder => calls.to_vec(),
        }
    };
    Order::Impossible(smallest(few, steps))
}

/// How often a smaller window is tried.
const TRIES: u32 = 300;

fn smallest(calls: Vec<Call>, steps: &mut u64) -> Vec<Call> {
    shrink::shrink(calls, TRIES, |calls| {
        let writers = Writers::of(calls);
        match writers.are_unique() {
            true => zones::conflict(calls, &writers).is_some(),
            false => search::search(calls, steps) == Found::NoOrder,
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
        let written =
            odd.iter().filter_map(|c| Some(Call { act: RegisterOp::Write(c.written()?), ..*c }));
        left.extend(written);
        unwritten.extend(odd);
        calls = Cow::Owned(left);
    }
}

#[cfg(test)]
mod tests;
