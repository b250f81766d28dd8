//! Reads and compare-and-sets of single keys: each expects what its application saw last.

use std::collections::HashMap;

use redis::Value;

use super::simple::Register;
use super::{Draw, Plan, Sessions, Stage, Values};
use crate::load::client::{Commands, Read, ReplyValue, done, script, value};
use crate::model::op::{Action, Op, RegisterOp};

/// Compares the number at the beginning of a value, and answers with what it found instead.
const CAS: &str = "\
local found = redis.call('GET', KEYS[1])
local number = found and string.sub(found, 1, 21)
if (number or '') == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
return number";

#[derive(Debug, Default)]
pub(super) struct Cas {
    /// What each key held when it was seen last.
    seen: HashMap<u64, Option<u64>>,
}

impl Sessions for Cas {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        let cas = |to| Action::Register(RegisterOp::Cas { from: None, to });
        draw.one(key, reads.then(|| self.last()), cas)
    }

    fn fill(&self, value: u64) -> Option<Action> {
        Register::ALONE.fill(value)
    }

    fn last(&self) -> Action {
        Register::ALONE.last()
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        let Action::Register(RegisterOp::Cas { from, to }) = plan.action else {
            return Register::ALONE.command(key, plan, values);
        };
        let expected = from.map(|number| values.text(number, 0).to_vec()).unwrap_or_default();
        let command = script(CAS, &[key], &[&expected, values.text(to, plan.size)]);
        (command.into(), swapped)
    }

    fn complete(&mut self, mut plan: Plan) -> Plan {
        if let Action::Register(RegisterOp::Cas { from, .. }) = &mut plan.action {
            *from = self.seen.get(&plan.key).copied().flatten();
        }
        plan
    }

    fn learn(&mut self, op: &Op, _: &ReplyValue) {
        if let Action::Register(action) = op.action {
            let held = match action {
                RegisterOp::Read(found) => found,
                RegisterOp::Write(value) | RegisterOp::Cas { to: value, .. } => Some(value),
            };
            self.seen.insert(op.key, held);
        }
    }
}

/// One that found another value did what a read does: it looked, and left all as it was.
fn swapped(reply: &Value) -> Option<ReplyValue> {
    match reply {
        Value::Int(1) => done(reply),
        found => value(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;

    fn cas(from: Option<u64>, to: u64) -> Plan {
        Plan::bare(3, Action::Register(RegisterOp::Cas { from, to }))
    }

    fn ended(plan: &Plan) -> Op {
        Op::new(plan.key, plan.action.clone(), Nanos(0), Nanos(1))
    }

    #[test]
    fn a_compare_and_set_expects_what_was_seen_last() {
        let mut clients = Cas::default();
        assert_eq!(clients.complete(cas(None, 7)), cas(None, 7), "nothing was seen yet");
        clients.learn(&ended(&cas(None, 7)), &ReplyValue::Done);
        assert_eq!(clients.complete(cas(None, 8)), cas(Some(7), 8));
        let read = Plan::bare(3, Action::Register(RegisterOp::Read(Some(6))));
        clients.learn(&ended(&read), &ReplyValue::Done);
        assert_eq!(clients.complete(cas(None, 9)), cas(Some(6), 9));
    }

    #[test]
    fn one_that_finds_another_value_has_read_it() {
        let read = |found| Some(ReplyValue::Found(Action::Register(RegisterOp::Read(found))));
        assert_eq!(swapped(&Value::Int(1)), Some(ReplyValue::Done));
        assert_eq!(swapped(&Value::Nil), read(None), "the key has gone");
        let five = Value::BulkString("00000000000000000005:abc".into());
        assert_eq!(swapped(&five), read(Some(5)));
    }
}
