//! Increments and reads of counters.

use redis::Value;

use super::{Draw, Plan, Sessions, Values};
use crate::load::client::{Commands, Read, ReplyValue, of};
use crate::model::op::{Action, CounterOp};

#[derive(Debug)]
pub(super) struct Counter;

impl Sessions for Counter {
    fn begin(&self, key: u64, reads: bool, _: &mut Draw) -> Plan {
        let action = if reads { CounterOp::Read(None) } else { CounterOp::Add(None) };
        Plan::bare(key, Action::Counter(action))
    }

    fn last(&self) -> Action {
        Action::Counter(CounterOp::Read(None))
    }

    fn command(&self, key: &str, plan: &Plan, _: &mut Values) -> (Commands, Read) {
        match plan.action {
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
