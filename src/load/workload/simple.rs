//! Workloads whose sessions are one operation of one command, and whose clients remember nothing.

use redis::Value;

use super::{Draw, Plan, Sessions, Stage, Values};
use crate::load::client::{
    Commands, Read, ReplyValue, done, element, elements, of, set, value, with,
};
use crate::model::op::{Action, QueueOp, RegisterOp, SetOp};
use crate::sync::functions::write;

/// Reads and writes of single keys.
#[derive(Debug)]
pub(super) struct Register {
    /// As of [`Load::outbox`](crate::spec::scenario::Load).
    pub(super) outbox: bool,
}

impl Register {
    /// On a group that is in no `sync`.
    pub(super) const ALONE: Register = Register { outbox: false };
}

impl Sessions for Register {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        let write = |value| Action::Register(RegisterOp::Write(value));
        draw.one(key, reads.then(|| self.last()), write)
    }

    fn fill(&self, value: u64) -> Option<Action> {
        Some(Action::Register(RegisterOp::Write(value)))
    }

    fn last(&self) -> Action {
        Action::Register(RegisterOp::Read(None))
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        match plan.action.written() {
            Some(number) => {
                let value = values.text(number, plan.size);
                let set = if self.outbox { write("set", key, value) } else { set(key, value) };
                (set.into(), done)
            }
            None => (of("GET", key).into(), value),
        }
    }
}

/// The same on two groups: what is written goes to both at once, and reads go to the first.
#[derive(Debug)]
pub(super) struct DualWrite;

impl Sessions for DualWrite {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        let mut stage = Register::ALONE.begin(key, reads, draw);
        if !reads {
            stage.push(Plan { group: 1, ..stage[0].clone() });
        }
        stage
    }

    fn fill(&self, value: u64) -> Option<Action> {
        Register::ALONE.fill(value)
    }

    fn last(&self) -> Action {
        Register::ALONE.last()
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        Register::ALONE.command(key, plan, values)
    }
}

/// Elements that are added to sets, which are read at the end.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) outbox: bool,
}

impl Sessions for Set {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        let insert = |element| Action::Set(SetOp::Insert(element));
        draw.one(key, reads.then(|| self.last()), insert)
    }

    fn last(&self) -> Action {
        Action::Set(SetOp::Members(Box::default()))
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        match plan.action {
            Action::Set(SetOp::Insert(element)) => {
                let element = values.text(element, plan.size);
                let add = if self.outbox {
                    write("sadd", key, element)
                } else {
                    with("SADD", key, element)
                };
                (add.into(), done)
            }
            _ => (of("SMEMBERS", key).into(), members),
        }
    }
}

fn members(value: &Value) -> Option<ReplyValue> {
    elements(value).map(|members| ReplyValue::Found(Action::Set(SetOp::Members(members))))
}

/// Elements that go into lists and come out.
#[derive(Debug)]
pub(super) struct Queue;

impl Sessions for Queue {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        let pop = reads.then_some(Action::Queue(QueueOp::Pop(None)));
        draw.one(key, pop, |value| Action::Queue(QueueOp::Push(value)))
    }

    fn last(&self) -> Action {
        Action::Queue(QueueOp::Drain(Box::default()))
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        match plan.action {
            Action::Queue(QueueOp::Push(value)) => {
                (with("LPUSH", key, values.text(value, plan.size)).into(), done)
            }
            Action::Queue(QueueOp::Drain(_)) => {
                let mut range = of("LRANGE", key);
                range.arg(0).arg(-1);
                (range.into(), drained)
            }
            _ => (of("RPOP", key).into(), popped),
        }
    }
}

fn popped(value: &Value) -> Option<ReplyValue> {
    element(value).map(|out| ReplyValue::Found(Action::Queue(QueueOp::Pop(out))))
}

fn drained(value: &Value) -> Option<ReplyValue> {
    elements(value).map(|left| ReplyValue::Found(Action::Queue(QueueOp::Drain(left))))
}
