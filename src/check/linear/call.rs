//! An operation on a register, reduced to what matters for its order.

use crate::check::parts::Kept;
use crate::check::register::NEVER;
use crate::model::Nanos;
use crate::model::op::{Action, Op, Outcome, Purpose, RegisterOp};

/// An operation that took effect, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub process: u32,
    pub act: Act,
    pub sent: Nanos,
    /// Later than every other instant if it is unknown whether it took effect.
    pub done: Nanos,
}

/// What it did. `None` as a value means that there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Read(Option<u64>),
    Write(u64),
    /// It found `from` and left `to`.
    Cas {
        from: Option<u64>,
        to: u64,
    },
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
        let Action::Register(action) = op.action else { return None };
        let act = match action {
            RegisterOp::Read(value) if op.outcome == Outcome::Ok => Act::Read(value),
            RegisterOp::Read(_) => return None,
            RegisterOp::Write(value) => Act::Write(value),
            RegisterOp::Cas { from, to } => Act::Cas { from, to },
        };
        Some(Call { process: op.process, act, sent: op.sent, done })
    }

    /// Whether it certainly took effect.
    pub fn is_answered(&self) -> bool {
        self.done != NEVER
    }

    pub(in crate::check) fn written(&self) -> Option<u64> {
        match self.act {
            Act::Read(_) => None,
            Act::Write(value) | Act::Cas { to: value, .. } => Some(value),
        }
    }

    /// The state that it found, if it shows one.
    pub(in crate::check) fn found(&self) -> Option<Option<u64>> {
        match self.act {
            Act::Read(value) | Act::Cas { from: value, .. } => Some(value),
            Act::Write(_) => None,
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
            Purpose::Fill | Purpose::Load => &mut self.of_clients,
        };
        calls.extend(Call::of(op));
    }
}
