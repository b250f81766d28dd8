//! The seam behind which kinds of locks stand: how one is acquired, extended and given back on one
//! server, and how the account that it guards is written.

use std::fmt::Debug;
use std::time::Duration;

use redis::{Cmd, Value};

use super::names::account;
pub(super) use crate::load::client::script;
use crate::load::client::{Read, ReplyValue, of};

/// Commands for a lock `key`, by the session that `token` names. `ttl` is in whole milliseconds at
/// least one.
pub(in crate::load) trait Kind: Debug {
    /// The answer is a fencing token, or 0; nothing if somebody else has the lock.
    fn acquire(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read);

    /// The same as one of several readers, of a lock that knows such.
    fn share(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        self.acquire(key, token, ttl)
    }

    /// The answer is 1 if the session had it still.
    fn extend(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read);

    /// The answer is 1 if the session had it still.
    fn release(&self, key: &str, token: &[u8]) -> (Cmd, Read);

    /// Reads the account. The answer is its balance, or nothing if nobody has written it.
    fn read(&self, key: &str, _fence: u64) -> (Cmd, Read) {
        (of("GET", &account(key)), number)
    }

    /// Writes the account. The answer is 0 if it is refused.
    fn write(&self, key: &str, balance: u64, _fence: u64) -> (Cmd, Read) {
        let mut set = redis::cmd("SET");
        set.arg(account(key)).arg(balance);
        (set, done)
    }
}

pub(super) fn millis(ttl: Duration) -> u64 {
    ttl.as_millis() as u64
}

/// A number, or none.
pub(super) fn number(value: &Value) -> Option<ReplyValue> {
    let number = match value {
        Value::Nil => None,
        Value::Int(number) => Some(u64::try_from(*number).ok()?),
        Value::BulkString(text) => Some(std::str::from_utf8(text).ok()?.parse().ok()?),
        _ => return None,
    };
    Some(ReplyValue::Number(number))
}

/// It was done: as 1.
fn done(value: &Value) -> Option<ReplyValue> {
    (*value == Value::Okay).then_some(ReplyValue::Number(Some(1)))
}
