//! The lines of redrill 0.1's first histories: an action's word, and beside it whichever of
//! `value`, `expected` and `members` it had.

use serde::Deserialize;
use serde::de::Error as _;

use crate::model::op::{
    Action, CounterOp, Op, Outcome, Purpose, QueueOp, Redirects, RegisterOp, SetOp,
};
use crate::model::{Nanos, Workload};

#[derive(Deserialize)]
pub(super) struct OldOp {
    load: u8,
    process: u32,
    #[serde(default)]
    purpose: Purpose,
    action: Word,
    key: u64,
    value: Option<u64>,
    expected: Option<u64>,
    #[serde(default)]
    members: Box<[u64]>,
    by: Option<u16>,
    intended: Nanos,
    sent: Nanos,
    done: Nanos,
    outcome: Outcome,
    #[serde(flatten)]
    redirects: Redirects,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Read,
    Write,
    Cas,
    Add,
    Insert,
    Members,
    Push,
    Pop,
    Ack,
}

impl OldOp {
    /// The operation. Errors: one that brings no value along.
    pub fn op(self, loads: &[Workload]) -> serde_json::Result<Op> {
        let counts = loads.get(usize::from(self.load)) == Some(&Workload::Counter);
        let OldOp { load, process, purpose, key, by, intended, sent, done, outcome, .. } = self;
        let OldOp { value, redirects, .. } = self;
        let brought = || value.ok_or_else(|| serde_json::Error::missing_field("value"));
        let action = match self.action {
            Word::Read if counts => Action::Counter(CounterOp::Read(value)),
            Word::Read => Action::Register(RegisterOp::Read(value)),
            Word::Write => Action::Register(RegisterOp::Write(brought()?)),
            Word::Cas => Action::Register(RegisterOp::Cas { from: self.expected, to: brought()? }),
            Word::Add => Action::Counter(CounterOp::Add(value)),
            Word::Insert => Action::Set(SetOp::Insert(brought()?)),
            Word::Members => Action::Set(SetOp::Members(self.members)),
            Word::Push => Action::Queue(QueueOp::Push(brought()?)),
            // What was left at the end stood there one by one, and then an end.
            Word::Pop if purpose == Purpose::Final => {
                Action::Queue(QueueOp::Drain(value.into_iter().collect()))
            }
            Word::Pop => Action::Queue(QueueOp::Pop(value)),
            Word::Ack => Action::Queue(QueueOp::Ack(brought()?)),
        };
        let head = Op {
            load,
            process,
            purpose,
            by,
            outcome,
            redirects,
            ..Op::new(key, action, sent, done)
        };
        Ok(Op { intended, ..head })
    }
}
