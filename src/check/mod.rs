//! Pure functions from a history to findings.
//!
//! A checker reads the rows of a history (see [`crate::model::op::Op`]) and says
//! what they prove. It never guesses: where rows overlap in time, or an outcome is
//! unknown, every order that could have happened is allowed, and only what no order
//! explains is called wrong. The same history always gives the same findings, so a
//! stored run can be judged again.
//!
//! Two of them rest on one idea. A key of the `register` workload holds what
//! the last write left. Say that a read answered with the value of write *f*. If
//! another write *w* was acknowledged, was sent only after *f* was done, and was
//! done before the read was sent, then *w* came between them and the read should
//! not have seen *f*: the read **missed** *w*. When the read is the final one, taken
//! after everything has settled, *w* is not merely late but [lost](LostWrites).
//! An ordinary read that missed a write is [stale](StaleReads), unless the write was lost by then.
//!
//! The outcome of *f* matters: a write whose outcome is unknown may take effect at
//! any later time, so it is never done and nothing can be said to come after it.
//!
//! [`Orders`] asks for more: whether all operations on a key have one order that explains
//! every answer, and what each client saw of it.
//!
//! A new checker is a file beside this one with a [`Checker`], a line in [`of`], and rows in
//! the catalogue of measures for what it counts.

mod cache;
mod causal;
mod checker;
mod conflicts;
mod counter;
mod deadlocks;
mod diverged;
mod dual_write;
mod expiry;
mod finding;
mod hidden;
mod ideal;
mod keepers;
mod linear;
mod locks;
mod lost;
mod orders;
mod parts;
mod per_key;
mod quantile;
mod queue;
mod recovery_point;
mod register;
mod sessions;
mod set;
mod stale;
mod transactions;
mod transfer;

pub use cache::Caches;
pub use causal::Causality;
pub use checker::{Checked, Checker, Context, Fault, OfLoad, OverTime, Sides, Windows};
pub use conflicts::Conflicts;
pub use counter::Counters;
pub use deadlocks::Deadlocks;
pub use diverged::Diverged;
pub use dual_write::DualWrites;
pub use expiry::Expiries;
pub use finding::{Example, Finding, Link, Proof, ProofAction, Zero};
pub use hidden::Hidden;
pub use ideal::{Order as EvictionOrder, Touch, belady, distances};
pub use keepers::{HitsByMemory, Keepers, Room};
pub use linear::{Call, Judged, Order, judge};
pub use locks::{LockFigures, Locks, LocksOfStep, LocksWrong};
pub use lost::LostWrites;
pub use orders::Orders;
pub use parts::{History, ReadError};
pub use queue::Queues;
pub use recovery_point::{Failure, Failures, RecoveryPoints};
pub use set::Sets;
pub use stale::StaleReads;
pub use transactions::Transactions;
pub use transfer::Transfers;

use std::thread;

use crate::model::op::{Op, OpHead, Purpose};
use crate::model::{KeySpan, Workload};

/// The checkers that judge the loads of a workload. Each is in it once.
pub fn of(workload: Workload) -> &'static [&'static dyn Checker] {
    match workload {
        Workload::Register | Workload::Cas => {
            &[&LostWrites, &StaleReads, &Orders, &Causality, &Conflicts]
        }
        Workload::Counter => &[&Counters],
        Workload::Set => &[&Sets],
        Workload::Queue => &[&Queues::AtMostOnce],
        Workload::Stream => &[&Queues::AtLeastOnce],
        Workload::Transfer => &[&Transfers],
        Workload::DualWrite => &[&DualWrites],
        Workload::Lock => &[&Locks, &Deadlocks],
        Workload::Cache => &[&Caches],
        Workload::Expiry => &[&Expiries],
    }
}

/// What all checkers of these loads say of a history. Each judges the rows of all loads that it
/// is registered for together.
///
/// # Errors
/// Those of the history's reader.
pub fn check(
    loads: &[Workload],
    history: &dyn History,
    context: &Context,
) -> Result<Checked, ReadError> {
    let mut asked: Vec<&dyn Checker> = Vec::new();
    for checker in loads.iter().flat_map(|workload| of(*workload)) {
        if asked.iter().all(|other| other.name() != checker.name()) {
            asked.push(*checker);
        }
    }
    // Each has a thread of its own, and all are added up in their order.
    let mut all = Checked::default();
    thread::scope(|scope| {
        let ask = |checker| scope.spawn(move || judged(checker, loads, history, context));
        let groups = context.same_data.iter().any(|groups| !groups.is_empty());
        let groups = groups.then(|| scope.spawn(|| compared(history, context)));
        let asked: Vec<_> = asked.into_iter().map(ask).chain(groups).collect();
        for thread in asked {
            all.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        all.measure("rpo", all.recovery_points.as_ref().and_then(RecoveryPoints::longest));
        Ok(all)
    })
}

/// What one checker says of the rows of the loads that it is registered for.
fn judged(
    checker: &dyn Checker,
    loads: &[Workload],
    history: &dyn History,
    context: &Context,
) -> Result<Checked, ReadError> {
    let judges = |workload: &Workload| of(*workload).iter().any(|c| c.name() == checker.name());
    let wanted: Vec<bool> = loads.iter().map(judges).collect();
    let mut context = context.clone();
    // What a checker does not judge it does not count over time either.
    let begins = context.windows.begins.iter_mut().zip(&wanted);
    begins.filter(|(_, wanted)| !**wanted).for_each(|(begins, _)| begins.clear());
    let of_load = |head: OpHead| wanted.get(usize::from(head.load)) == Some(&true);
    let is_elsewhere = |op: &Op| {
        let groups = context.same_data.get(usize::from(op.load));
        op.group > 0 && op.purpose == Purpose::Final && groups.is_some_and(|all| !all.is_empty())
    };
    let own = |op: &Op| checker.compares_groups() || !is_elsewhere(op);
    checker.check(&Filtered { history, heads: &of_load, rows: &own }, &context)
}

/// What final reads say of the loads whose keys several groups have.
fn compared(history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
    let has_groups = |head: OpHead| {
        context.same_data.get(usize::from(head.load)).is_some_and(|all| !all.is_empty())
    };
    Diverged.check(&Filtered { history, heads: &has_groups, rows: &|_| true }, context)
}

/// The rows of a history that concern a checker.
struct Filtered<'a> {
    history: &'a dyn History,
    heads: &'a (dyn Fn(OpHead) -> bool + Sync),
    rows: &'a (dyn Fn(&Op) -> bool + Sync),
}

impl History for Filtered<'_> {
    fn rows(&self) -> usize {
        self.history.rows()
    }

    fn each_in(
        &self,
        span: KeySpan,
        wanted: &dyn Fn(OpHead) -> bool,
        on_row: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError> {
        let wanted = |head| (self.heads)(head) && wanted(head);
        let mut on_own_row = |op: &Op| {
            if (self.rows)(op) {
                on_row(op);
            }
        };
        self.history.each_in(span, &wanted, &mut on_own_row)
    }
}

#[cfg(test)]
mod tests;
