//! Elements that go into lists and come out.

use redis::Value;

use super::{Draw, Plan, Sessions, Values};
use crate::load::client::{Commands, Read, ReplyValue, done, element, elements, of, with};
use crate::model::op::{Action, QueueOp};

#[derive(Debug)]
pub(super) struct Queue;

impl Sessions for Queue {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Plan {
        match reads {
            true => Plan::bare(key, Action::Queue(QueueOp::Pop(None))),
            false => draw.plan(key, |value| Action::Queue(QueueOp::Push(value))),
        }
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
