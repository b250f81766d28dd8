//! Reads and writes of single keys.

use super::{Draw, Plan, Sessions, Values};
use crate::load::client::{Commands, Read, done, of, set, value};
use crate::model::op::{Action, RegisterOp};

#[derive(Debug)]
pub(super) struct Register;

impl Sessions for Register {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Plan {
        match reads {
            true => Plan::bare(key, self.last()),
            false => draw.plan(key, |value| Action::Register(RegisterOp::Write(value))),
        }
    }

    fn fill(&self, value: u64) -> Option<Action> {
        Some(Action::Register(RegisterOp::Write(value)))
    }

    fn last(&self) -> Action {
        Action::Register(RegisterOp::Read(None))
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        match plan.action.written() {
            Some(number) => (set(key, values.text(number, plan.size)).into(), done),
            None => (of("GET", key).into(), value),
        }
    }
}
