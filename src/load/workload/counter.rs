//! Counters that are counted up by one, and read.
//!
//! INCR does it in one command. Applications that compute the new total themselves read it first,
//! and what keeps two of them from writing the same total is a script, WATCH or a lock, or nothing.

use std::rc::Rc;
use std::time::Duration;

use redis::{Cmd, Value};
use smallvec::smallvec;

use super::locks::{Kind, Mutex, beside};
use super::session::again;
use super::{Draw, Next, Plan, Sessions, Stage, Values};
use crate::load::client::{Commands, Locked, Read, ReplyValue, Then, done, of, script};
use crate::model::op::{Action, CounterOp, Op};
use crate::spec::scenario::By;
use crate::sync::functions::write;

/// Answers with the total.
const SCRIPT: &str = "\
local total = (redis.call('GET', KEYS[1]) or 0) + 1
redis.call('SET', KEYS[1], total)
return total";

/// Increments and reads of counters.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) by: By,
    /// How long a lock is kept from others, if nobody gives it back.
    pub(super) lease: Duration,
    /// As of [`Load::outbox`](crate::spec::scenario::Load).
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
            Action::Counter(CounterOp::Add(_)) => self.add(key),
            _ => (of("GET", key).into(), counted),
        }
    }

    fn then(&self, ended: &[Op], step: u32) -> Option<Next> {
        again(ended.first()?, step)
    }
}

impl Counter {
    fn add(&self, key: &str) -> (Commands, Read) {
        match self.by {
            By::Incr if self.outbox => (write("incr", key, b"").into(), added),
            By::Script => (script(SCRIPT, &[key], &[]).into(), added),
            By::Watch => {
                let (watch, read) = (of("WATCH", key), of("GET", key));
                (Commands::Watched { watch, read, then: then(key) }, moved)
            }
            By::GetSet => (Commands::Followed { read: of("GET", key), then: then(key) }, done),
            By::Lock => (self.locked(key), done),
            By::Incr | By::Multi | By::Pipeline => (of("INCR", key).into(), added),
        }
    }

    fn locked(&self, key: &str) -> Commands {
        let lock = beside(key, "lock");
        let token = rand::random::<u64>().to_string().into_bytes();
        Commands::Locked(Box::new(Locked {
            acquire: Mutex.acquire(&lock, &token, self.lease),
            read: of("GET", key),
            then: then(key),
            release: Mutex.release(&lock, &token),
        }))
    }
}

/// The total that follows from what was read.
fn next(key: &str, read: &Value) -> Option<Cmd> {
    let mut set = redis::cmd("SET");
    set.arg(key).arg(total(read)?.unwrap_or(0) + 1);
    Some(set)
}

/// Sets it, and nothing else.
fn then(key: &str) -> Then {
    let key = key.to_owned();
    Rc::new(move |read| Some(vec![next(&key, read)?]))
}

fn counted(value: &Value) -> Option<ReplyValue> {
    total(value).map(|total| ReplyValue::Found(Action::Counter(CounterOp::Read(total))))
}

fn added(value: &Value) -> Option<ReplyValue> {
    total(value).map(|total| ReplyValue::Found(Action::Counter(CounterOp::Add(total))))
}

/// Of EXEC.
fn moved(value: &Value) -> Option<ReplyValue> {
    matches!(value, Value::Array(_)).then_some(ReplyValue::Done)
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

    #[test]
    fn a_total_that_is_read_is_written_with_one_more() {
        let then = then("app:3");
        let set = then(&Value::BulkString("41".into())).unwrap();
        let [set] = &set[..] else { panic!("{} commands", set.len()) };
        assert_eq!(set.get_packed_command(), b"*3\r\n$3\r\nSET\r\n$5\r\napp:3\r\n$2\r\n42\r\n");
        assert!(then(&Value::BulkString("x".into())).is_none(), "no total");
    }
}
