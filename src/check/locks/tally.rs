//! What was found on the locks of one load.

use std::collections::BTreeMap;

use super::figures::{LockFigures, LocksOfStep, LocksWrong};
use super::lacked::Lacked;
use super::leases::Leases;
use super::waits::Waits;
use crate::check::checker::{Checked, Context};
use crate::model::Nanos;
use crate::model::catalogue::known;

#[derive(Default)]
pub(super) struct Tally {
    pub waits: Waits,
    pub leases: Leases,
    pub lacked: Lacked,
    pub wrong: LocksWrong,
    pub updates: u64,
    /// Accounts that could not be read at the end.
    pub unread: u64,
    /// Writes of an older holder that the account took.
    pub unfenced: u64,
    /// Readers that saw the account change.
    pub changed: u64,
    by_step: BTreeMap<usize, LocksWrong>,
}

impl Tally {
    /// Something was wrong at this instant.
    pub(super) fn wrong(&mut self, context: &Context, at: Nanos, wrong: LocksWrong) {
        self.wrong.add(wrong);
        if let Some(fault) = context.fault_before(at) {
            self.by_step.entry(fault.step).or_default().add(wrong);
        }
    }

    /// Faults explain nothing of it.
    pub(super) fn wrong_anyhow(&mut self, wrong: LocksWrong) {
        self.wrong.add(wrong);
    }

    pub(super) fn figures(&mut self) -> LockFigures {
        let by_step = self.by_step.iter().map(|(step, wrong)| (*step, *wrong));
        LockFigures {
            updates: self.updates,
            wrong: self.wrong,
            by_step: by_step.map(|(step, wrong)| LocksOfStep { step, wrong }).collect(),
            ..self.waits.figures()
        }
    }

    pub(super) fn told(&mut self, told: &mut Checked) {
        let wrong = self.wrong;
        told.of_final_state(self.unread, "lock.updates.lost", wrong.lost as f64);
        // Where nobody had a lock, nothing is known of that.
        let had = self.waits.acquired() > 0;
        told.measure("lock.overlaps", had.then_some(wrong.overlaps as f64));
        told.measure("lock.overlaps.possible", had.then_some(wrong.possible as f64));
        for (name, value) in [
            ("lock.updates", self.updates),
            ("lock.reads.changed", self.changed),
            ("lock.fencing.caught", wrong.caught),
            ("lock.fencing.missed", self.unfenced),
        ] {
            debug_assert!(known(name).is_some(), "{name} is not in the catalogue");
            told.measure(name, Some(value as f64));
        }
        self.waits.told(told);
        self.leases.told(told);
        self.lacked.told(told);
    }

    pub(super) fn join(&mut self, other: Tally) {
        let Tally { waits, leases, lacked, wrong, updates, unread, unfenced, changed, by_step: _ } =
            other;
        self.waits.join(waits);
        self.leases.join(leases);
        self.lacked.join(lacked);
        self.wrong.add(wrong);
        self.updates += updates;
        self.unread += unread;
        self.unfenced += unfenced;
        self.changed += changed;
    }
}
