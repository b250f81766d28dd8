//! What servers answer.

use redis::Value;

use crate::load::client::{ReplyValue, done};

/// A text, or none.
pub(super) fn text(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Nil => Some(ReplyValue::Bytes(None)),
        Value::BulkString(text) => Some(ReplyValue::Bytes(Some(text.clone()))),
        _ => None,
    }
}

/// That it was done, or a number, or that there was nothing to do.
pub(super) fn any(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Int(number) => Some(ReplyValue::Number(u64::try_from(*number).ok())),
        Value::Nil => Some(ReplyValue::Done),
        value => done(value),
    }
}
