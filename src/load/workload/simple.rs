//! Workloads whose sessions are one operation of one command, and whose clients remember nothing.

use redis::Value;
use smallvec::smallvec;

use super::{Draw, Plan, Sessions, Stage, Values};
use crate::load::client::{
    Commands, Read, ReplyValue, done, element, elements, of, set, value, with,
};
use crate::model::op::{Action, CounterOp, QueueOp, RegisterOp, SetOp};
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

/// Increments and reads of counters.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) outbox: bool,
}

impl Sessions for Counter {
    fn begin(&self, key: u64, reads: bool, _: &mut Draw) -> Stage {
        let action = if reads { CounterOp::Read(None) } else { CounterOp::Add(None) };
        smallvec![Plan::bare(key, Action::Counter(action))]
    }

    fn last(&self) -> Action {
        Action::Counter(CounterOp::Read(None))
    }

    fn command(&self, key: &str, plan: &Plan, _: &mut Values) -> (Commands, Read) {
        match plan.action {
            Action::Counter(CounterOp::Add(_)) if self.outbox => {
                (write("incr", key, b"").into(), added)
            }
            Action::Counter(CounterOp::Add(_)) => (of("INCR", key).into(), added),
            _ => (of("GET", key).into(), counted),
        }
    }
}

fn counted(value: &Value) -> Option<ReplyValue> {
    total(value).map(|total| ReplyValue::Found(Action::Counter(CounterOp::Read(total))))
}

fn added(value: &Value) -> Option<ReplyValue> {
    total(value).map(|total| ReplyValue::Found(Action::Counter(CounterOp::Add(total))))
}

fn total(value: &Value) -> Option<Option<u64>> {
    match value {
        Value::Nil => Some(None),
        Value::Int(total) => u64::try_from(*total).ok().map(Some),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok().map(Some),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_as_text_and_as_numbers() {
        assert_eq!(total(&Value::BulkString("12".into())), Some(Some(12)));
        assert_eq!(total(&Value::Int(3)), Some(Some(3)));
        assert_eq!(total(&Value::Nil), Some(None));
        assert_eq!(total(&Value::BulkString("12x".into())), None);
    }
}
