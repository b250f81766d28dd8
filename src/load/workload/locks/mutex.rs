//! The lock that the documentation of SET describes: SET NX PX with a token that no other session
//! has, and a script that gives it back only to whoever has that token.
//!
//! <https://redis.io/docs/latest/commands/set/#patterns>

use std::time::Duration;

use redis::{Cmd, Value};

use super::kind::{Kind, millis, number, script};
use crate::load::client::{Read, ReplyValue};

/// Gives back, if ARGV[1] is who has it.
pub(super) const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// The lease begins anew, if ARGV[1] is who has it.
pub(super) const EXTEND: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

#[derive(Debug)]
pub(in crate::load) struct Mutex;

impl Kind for Mutex {
    fn acquire(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        let mut set = redis::cmd("SET");
        set.arg(key).arg(token).arg("NX").arg("PX").arg(millis(ttl));
        (set, got)
    }

    fn extend(&self, key: &str, token: &[u8], ttl: Duration) -> (Cmd, Read) {
        let ttl = millis(ttl).to_string();
        (script(EXTEND, &[key], &[token, ttl.as_bytes()]), number)
    }

    fn release(&self, key: &str, token: &[u8]) -> (Cmd, Read) {
        (script(RELEASE, &[key], &[token]), number)
    }
}

/// Of SET with NX: nil if there was such a key.
fn got(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Okay => Some(ReplyValue::Number(Some(0))),
        Value::Nil => Some(ReplyValue::Number(None)),
        _ => None,
    }
}
