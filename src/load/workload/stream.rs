//! The same with streams and a consumer group: what came out is dealt with before the next
//! comes out.

use std::collections::VecDeque;

use redis::{Cmd, Value};

use super::simple::Queue;
use super::{Draw, Plan, Sessions, Stage, Values};
use crate::load::client::{Commands, Read, ReplyValue, done, element, of, script};
use crate::model::op::{Action, Op, QueueOp};

/// The group, and the one consumer, of every stream: whose a pending element is does not matter.
const GROUP: &str = "redrill";

/// A group that is there already is as good.
const OPEN: &str = "\
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
return 1";

/// Delivers what was never delivered, and gives all that was not dealt with. Done twice it
/// gives the same. A group that was lost with its stream is made anew.
const DRAIN: &str = "\
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[1], 'STREAMS', KEYS[1], '>')
return redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[1], 'STREAMS', KEYS[1], '0')";

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Elements that came out and are still to be dealt with: key, id, value.
    undealt: VecDeque<(u64, String, u64)>,
}

impl Sessions for Stream {
    fn begin(&self, key: u64, reads: bool, draw: &mut Draw) -> Stage {
        Queue.begin(key, reads, draw)
    }

    /// What must be there before the first operation on a key.
    fn fill(&self, _: u64) -> Option<Action> {
        Some(Action::Queue(QueueOp::Open))
    }

    fn last(&self) -> Action {
        Queue.last()
    }

    fn command(&self, key: &str, plan: &Plan, values: &mut Values) -> (Commands, Read) {
        match plan.action {
            Action::Queue(QueueOp::Push(value)) => {
                let mut add = of("XADD", key);
                add.arg("*").arg("v").arg(values.text(value, plan.size));
                (add.into(), done)
            }
            Action::Queue(QueueOp::Open) => {
                (script(OPEN, &[key], &[GROUP.as_bytes()]).into(), done)
            }
            Action::Queue(QueueOp::Ack(_)) => {
                let mut ack = of("XACK", key);
                ack.arg(GROUP).arg(plan.entry.as_deref().unwrap_or_default());
                (ack.into(), done)
            }
            Action::Queue(QueueOp::Drain(_)) => {
                (script(DRAIN, &[key], &[GROUP.as_bytes()]).into(), drained)
            }
            _ => {
                let mut read = Cmd::new();
                read.arg("XREADGROUP").arg("GROUP").arg(GROUP).arg(GROUP).arg("COUNT").arg(1);
                read.arg("STREAMS").arg(key).arg(">");
                (read.into(), delivered)
            }
        }
    }

    fn complete(&mut self, plan: Plan) -> Plan {
        if !matches!(plan.action, Action::Queue(QueueOp::Pop(_))) {
            return plan;
        }
        let Some((key, entry, value)) = self.undealt.pop_front() else { return plan };
        Plan { entry: Some(entry), ..Plan::bare(key, Action::Queue(QueueOp::Ack(value))) }
    }

    fn learn(&mut self, op: &Op, told: &ReplyValue) {
        if let ReplyValue::Delivered(Some((entry, value))) = told {
            self.undealt.push_back((op.key, entry.clone(), *value));
        }
    }
}

/// One element at most was asked for.
fn delivered(value: &Value) -> Option<ReplyValue> {
    entries(value).map(|entries| ReplyValue::Delivered(entries.into_iter().next()))
}

fn drained(value: &Value) -> Option<ReplyValue> {
    let left = entries(value)?.into_iter().map(|(_, value)| value).collect();
    Some(ReplyValue::Found(Action::Queue(QueueOp::Drain(left))))
}

/// Of XREADGROUP on one stream: its name, then its entries, each an id and fields.
/// <https://redis.io/docs/latest/commands/xreadgroup/>
fn entries(value: &Value) -> Option<Vec<(String, u64)>> {
    let entries = match value {
        Value::Nil => return Some(Vec::new()),
        Value::Array(streams) => match streams.as_slice() {
            [Value::Array(stream)] => stream.get(1)?,
            _ => return None,
        },
        _ => return None,
    };
    let Value::Array(entries) = entries else { return None };
    let entry = |entry: &Value| {
        let Value::Array(parts) = entry else { return None };
        let [Value::BulkString(id), Value::Array(fields)] = parts.as_slice() else { return None };
        Some((String::from_utf8(id.clone()).ok()?, element(fields.get(1)?)??))
    };
    entries.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn entries_of_a_stream_with_their_ids() {
        let fields = vec![bulk("v"), bulk("00000000000000000005:abc")];
        let entry = Value::Array(vec![bulk("7-0"), Value::Array(fields)]);
        let stream = Value::Array(vec![bulk("app:1"), Value::Array(vec![entry])]);
        let told = entries(&Value::Array(vec![stream]));
        assert_eq!(told, Some(vec![("7-0".to_owned(), 5)]));
        assert_eq!(entries(&Value::Nil), Some(Vec::new()), "nothing new");
    }

    #[test]
    fn what_came_out_of_a_stream_is_dealt_with_before_the_next_comes_out() {
        let mut clients = Stream::default();
        let pop = Plan::bare(3, Action::Queue(QueueOp::Pop(None)));
        assert_eq!(clients.complete(pop.clone()), pop);
        let op = Op::new(3, Action::Queue(QueueOp::Pop(Some(12))), Nanos(0), Nanos(1));
        clients.learn(&op, &ReplyValue::Delivered(Some(("7-0".to_owned(), 12))));
        let ack = clients.complete(Plan::bare(9, Action::Queue(QueueOp::Pop(None))));
        assert_eq!((ack.key, ack.action), (3, Action::Queue(QueueOp::Ack(12))));
        assert_eq!(ack.entry.as_deref(), Some("7-0"));
        assert_eq!(clients.complete(pop.clone()), pop, "each is dealt with once");
    }
}
