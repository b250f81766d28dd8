//! The seam behind which workloads stand: what a session is, and who decides how it goes on.

use std::fmt::Debug;
use std::time::Duration;

use redis::Cmd;

use super::draw::{Draw, Plan};
use super::values::Values;
use crate::load::client::{Commands, Read, ReplyValue};
use crate::model::op::{Action, Op};

/// What the clients of one workload do, and what they remember.
pub(crate) trait Sessions: Debug {
    /// The first operation of a session on `key`; one that changes nothing if it `reads`.
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Plan;

    /// What is written to a key before the load, if something is. `value` is the first of its own.
    fn fill(&self, _value: u64) -> Option<Action> {
        None
    }

    /// What reads the final state of a key. Asked for twice, it is the same.
    fn last(&self) -> Action;

    /// The operation as it is sent, and what reads its answer.
    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read);

    /// Makes ready what must be there before the first operation on a key. It may be done twice.
    fn prepare(&self, _key: &str) -> Option<Cmd> {
        None
    }

    /// `plan` with what only clients can know by now.
    fn complete(&mut self, plan: Plan) -> Plan {
        plan
    }

    /// Hears of an operation that ended ok.
    fn learn(&mut self, _op: &Op, _told: &ReplyValue) {}

    /// What the same client does after `op`, which was operation number `step` of its session,
    /// from 0; none if the session has ended.
    fn then(&self, _op: &Op, _step: u32) -> Option<Next> {
        None
    }
}

/// How a session goes on.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) plan: Plan,
    /// How long after the operation before.
    pub(crate) after: Duration,
}

impl Next {
    pub(crate) fn at_once(plan: Plan) -> Next {
        Next { plan, after: Duration::ZERO }
    }
}
