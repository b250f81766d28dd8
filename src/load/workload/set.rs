//! Elements that are added to sets, which are read at the end.

use redis::Value;

use super::{Draw, Plan, Sessions, Values};
use crate::load::client::{Commands, Read, ReplyValue, done, elements, of, with};
use crate::model::op::{Action, SetOp};

#[derive(Debug)]
pub(super) struct Set;

impl Sessions for Set {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Plan {
        match reads {
            true => Plan::bare(key, self.last()),
            false => draw.plan(key, |value| Action::Set(SetOp::Insert(value))),
        }
    }

    fn last(&self) -> Action {
        Action::Set(SetOp::Members(Box::default()))
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        match plan.action {
            Action::Set(SetOp::Insert(element)) => {
                (with("SADD", key, values.text(element, plan.size)).into(), done)
            }
            _ => (of("SMEMBERS", key).into(), members),
        }
    }
}

fn members(value: &Value) -> Option<ReplyValue> {
    elements(value).map(|members| ReplyValue::Found(Action::Set(SetOp::Members(members))))
}
