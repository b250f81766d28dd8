//! The same lock as a mutex, by commands that compare: newer servers extend and delete a key only
//! if it has a certain value, without a script.
//!
//! Redis 8.4: <https://redis.io/docs/latest/commands/delex/>, <https://redis.io/docs/latest/commands/set/>.
//! Valkey 9.0: <https://valkey.io/commands/delifeq/>, <https://valkey.io/commands/set/>.

use std::time::Duration;

use redis::{Cmd, Value};

use super::kind::{Kind, millis, number};
use super::mutex::Mutex;
use crate::load::client::{Read, ReplyValue, of, with};
use crate::spec::lock::Comparing;

#[derive(Debug)]
pub(super) struct Compared(pub(super) Comparing);

impl Kind for Compared {
    fn acquire(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        Mutex.acquire(key, token, ttl)
    }

    fn extend(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        let mut set = with("SET", key, token);
        set.arg("IFEQ").arg(token).arg("PX").arg(millis(ttl));
        (set, held)
    }

    fn release(&self, key: &str, token: &[u8]) -> (Cmd, Read) {
        let mut delete = of(self.0.deletes(), key);
        match self.0 {
            Comparing::Redis => delete.arg("IFEQ").arg(token),
            Comparing::Valkey => delete.arg(token),
        };
        (delete, number)
    }
}

/// Of SET with IFEQ: nil if the key had another value, or was not there.
fn held(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Okay => Some(ReplyValue::Number(Some(1))),
        Value::Nil => Some(ReplyValue::Number(None)),
        _ => None,
    }
}
