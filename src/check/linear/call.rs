//! An operation on a register, reduced to what matters for its order; and who wrote which value.

use crate::check::parts::Kept;
use crate::check::register::NEVER;
use crate::model::Nanos;
use crate::model::op::{Action, Op, Outcome, Purpose, RegisterOp};

/// An operation that took effect, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub process: u32,
    /// A compare-and-set found what it expected.
    pub act: RegisterOp,
    pub sent: Nanos,
    /// Later than every other instant if it is unknown whether it took effect.
    pub done: Nanos,
}

impl Call {
    /// `None` for operations without a part in the order: those that certainly did not happen,
    /// and reads without an answer.
    pub fn of(op: &Op) -> Option<Call> {
        let done = match op.outcome {
            Outcome::Ok => op.done,
            Outcome::Unknown(_) => NEVER,
            Outcome::Fail(_) => return None,
        };
        let Action::Register(act) = op.action else { return None };
        let saw_nothing = matches!(act, RegisterOp::Read(_)) && op.outcome != Outcome::Ok;
        (!saw_nothing).then_some(Call { process: op.process, act, sent: op.sent, done })
    }

    /// Whether it certainly took effect.
    pub fn is_answered(&self) -> bool {
        self.done != NEVER
    }

    pub(in crate::check) fn written(&self) -> Option<u64> {
        match self.act {
            RegisterOp::Read(_) => None,
            RegisterOp::Write(value) | RegisterOp::Cas { to: value, .. } => Some(value),
        }
    }

    /// The state that it found, if it shows one.
    pub(in crate::check) fn found(&self) -> Option<Option<u64>> {
        match self.act {
            RegisterOp::Read(value) | RegisterOp::Cas { from: value, .. } => Some(value),
            RegisterOp::Write(_) => None,
        }
    }
}

/// The calls of one key.
#[derive(Debug, Default)]
pub(in crate::check) struct Calls {
    pub of_clients: Vec<Call>,
    /// Reads of the final state. They are redrill's own, by any process.
    pub last: Vec<Call>,
}

impl Kept for Calls {
    fn wants(op: &Op) -> bool {
        matches!(op.action, Action::Register(_))
    }

    fn keep(&mut self, op: &Op) {
        let calls = match op.purpose {
            Purpose::Final => &mut self.last,
            Purpose::Fill | Purpose::Load | Purpose::Beside => &mut self.of_clients,
        };
        calls.extend(Call::of(op));
    }
}

/// The writes and the compare-and-sets of one key, by the values that they write.
#[derive(Debug)]
pub(super) struct Writers {
    /// Value and index of the call, sorted.
    by_value: Vec<(u64, u32)>,
}

impl Writers {
    pub fn of(calls: &[Call]) -> Writers {
        let writer = |(i, call): (usize, &Call)| Some((call.written()?, i as u32));
        let mut by_value: Vec<(u64, u32)> = calls.iter().enumerate().filter_map(writer).collect();
        by_value.sort_unstable();
        Writers { by_value }
    }

    /// Whether no value was written twice.
    pub fn are_unique(&self) -> bool {
        self.by_value.windows(2).all(|pair| pair[0].0 != pair[1].0)
    }

    /// In the order of their values, the indices of their calls.
    pub fn calls(&self) -> impl Iterator<Item = u32> {
        self.by_value.iter().map(|(_, call)| *call)
    }

    /// The place in that order of the first writer of `value`.
    pub fn place(&self, value: u64) -> Option<usize> {
        let place = self.by_value.partition_point(|(other, _)| *other < value);
        self.by_value.get(place).filter(|(found, _)| *found == value).map(|_| place)
    }
}
