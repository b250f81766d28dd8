//! Which operations of a load are answers that its users wait for: a silence lasts until the next one.
//!
//! Of a load that takes locks these are the acquisitions alone. That a release was answered, or a
//! try by "somebody else has it", gives nobody a lock. A lock on several servers is acquired when a
//! quorum of them has granted it, whatever the others do.

use rustc_hash::FxHashMap;

use crate::model::LockRules;
use crate::model::event::LoadInfo;
use crate::model::op::{Action, LockOp, Op, Outcome};

/// Of each load.
#[derive(Debug)]
pub(super) struct Acquisitions(Vec<Option<LockTries>>);

/// The tries on several servers that have not all been answered.
#[derive(Debug)]
struct LockTries {
    rules: LockRules,
    /// By session and stage.
    open: FxHashMap<(u64, u32), Try>,
}

#[derive(Debug, Default)]
struct Try {
    ended: usize,
    granted: usize,
}

impl Acquisitions {
    pub fn new(loads: &[LoadInfo]) -> Acquisitions {
        let tries = |rules| LockTries { rules, open: FxHashMap::default() };
        Acquisitions(loads.iter().map(|load| load.lock_rules().map(tries)).collect())
    }

    /// Whether `op` is a good answer to somebody who waits. `None` if nobody waits for it.
    pub fn answer(&mut self, op: &Op) -> Option<bool> {
        let locks = self.0.get_mut(usize::from(op.load)).and_then(Option::as_mut);
        match (locks, &op.action) {
            (Some(locks), Action::Lock(action)) => locks.answer(op, *action),
            _ => Some(op.outcome == Outcome::Ok),
        }
    }

    /// Whether the load's locks are on several servers, so that no answer belongs to one of them.
    pub fn is_on_several(&self, load: u8) -> bool {
        let locks = self.0.get(usize::from(load)).and_then(Option::as_ref);
        locks.is_some_and(|locks| locks.rules.servers > 1)
    }
}

impl LockTries {
    fn answer(&mut self, op: &Op, action: LockOp) -> Option<bool> {
        let granted = is_granted(action)? && op.outcome == Outcome::Ok;
        let (Some(part), true) = (op.part, self.rules.servers > 1) else { return Some(granted) };
        let of_try = self.open.entry((part.session, part.step)).or_default();
        let was_decided = of_try.is_decided(self.rules);
        of_try.ended += 1;
        of_try.granted += usize::from(granted);
        let is_acquired = of_try.granted >= self.rules.quorum;
        if of_try.ended >= self.rules.servers {
            self.open.remove(&(part.session, part.step));
        }
        (!was_decided).then_some(is_acquired)
    }
}

impl Try {
    /// Whether a quorum has granted the lock, or cannot any more. The client waits for no other
    /// server then.
    fn is_decided(&self, rules: LockRules) -> bool {
        let open = rules.servers.saturating_sub(self.ended);
        self.granted >= rules.quorum || self.granted + open < rules.quorum
    }
}

/// Whether the server granted the lock; `None` if it was not asked to.
fn is_granted(action: LockOp) -> Option<bool> {
    match action {
        LockOp::Acquire { got, .. } => Some(got.is_some()),
        LockOp::Wait { .. }
        | LockOp::Extend { .. }
        | LockOp::Release { .. }
        | LockOp::Abort { .. }
        | LockOp::Read { .. }
        | LockOp::Write { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::op::{Cause, Part};

    const RULES: LockRules = LockRules { servers: 3, quorum: 2, take: 1 };

    fn answers(rules: LockRules, ops: &[(u32, LockOp, bool)]) -> Vec<Option<bool>> {
        let mut tries = LockTries { rules, open: FxHashMap::default() };
        let answer = |&(step, action, ok): &(u32, LockOp, bool)| {
            let part = Part { session: 1, step, began: Nanos(0), late: Nanos(0), last: false };
            let outcome = if ok { Outcome::Ok } else { Outcome::Fail(Cause::Refused) };
            let op = Op::new(3, Action::Lock(action), Nanos(0), Nanos(1));
            tries.answer(&Op { part: Some(part), outcome, ..op }, action)
        };
        ops.iter().map(answer).collect()
    }

    fn acquire(got: Option<u64>) -> LockOp {
        LockOp::Acquire { token: 7, shared: false, got }
    }

    #[test]
    fn of_one_server_acquisitions_alone_are_answers() {
        let release = LockOp::Release { token: 7, held: false };
        let ops = [
            (0, acquire(None), false),
            (1, release, true),
            (2, acquire(None), true),
            (3, release, false),
            (4, acquire(Some(0)), true),
            (5, LockOp::Read { token: 7, balance: None }, true),
        ];
        let one = LockRules { servers: 1, quorum: 1, take: 1 };
        let told = [Some(false), None, Some(false), None, Some(true), None];
        assert_eq!(answers(one, &ops), told);
    }

    #[test]
    fn a_dead_server_of_three_is_waited_for_by_nobody() {
        let late = [
            (0, acquire(Some(0)), true),
            (0, acquire(Some(0)), true),
            (0, acquire(None), false),
            (1, acquire(None), false),
            (1, acquire(Some(0)), true),
            (1, acquire(Some(0)), true),
        ];
        let told = [Some(false), Some(true), None, Some(false), Some(false), Some(true)];
        assert_eq!(answers(RULES, &late), told);
        let two_dead =
            [(0, acquire(None), false), (0, acquire(None), false), (0, acquire(Some(0)), true)];
        assert_eq!(answers(RULES, &two_dead), [Some(false), Some(false), None]);
    }
}
