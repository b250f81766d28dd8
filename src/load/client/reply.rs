//! What an answer that is no error says.

use redis::Value;

use crate::model::op::{Action, QueueOp, RegisterOp};

/// What an operation came to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplyValue {
    /// It was done.
    Done,
    /// It was done, or something else was: with what was found.
    Found(Action),
    /// An element came out of a stream, with its id there; none if there was none.
    Delivered(Option<(String, u64)>),
}

/// Reads an answer; `None` if it is not of the kind that is looked for. A value that no load
/// wrote is not.
pub(crate) type Read = fn(&Value) -> Option<ReplyValue>;

/// Of commands whose answer says no more than that they were done.
pub(crate) fn done(value: &Value) -> Option<ReplyValue> {
    matches!(value, Value::Okay | Value::Int(_) | Value::BulkString(_)).then_some(ReplyValue::Done)
}

/// Of a register.
pub(crate) fn value(value: &Value) -> Option<ReplyValue> {
    element(value).map(|found| ReplyValue::Found(Action::Register(RegisterOp::Read(found))))
}

/// The number of a value that a load wrote, or that there is none.
pub(crate) fn element(value: &Value) -> Option<Option<u64>> {
    match value {
        Value::Nil => Some(None),
        Value::BulkString(text) => number_of(text).map(Some),
        _ => None,
    }
}

/// The numbers of several.
pub(crate) fn elements(value: &Value) -> Option<Box<[u64]>> {
    let (Value::Array(elements) | Value::Set(elements)) = value else { return None };
    elements.iter().map(|one| element(one)?).collect()
}

/// The number of a value as the server gave it: 20 digits before a colon.
pub(crate) fn number_of(text: &[u8]) -> Option<u64> {
    let (digits, _) = text.split_at_checked(20).filter(|(_, rest)| rest.starts_with(b":"))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl ReplyValue {
    /// What `planned` has become.
    pub(crate) fn action(&self, planned: Action) -> Action {
        match self {
            ReplyValue::Done => planned,
            ReplyValue::Found(action) => action.clone(),
            ReplyValue::Delivered(out) => {
                Action::Queue(QueueOp::Pop(out.as_ref().map(|(_, value)| *value)))
            }
        }
    }

    /// What was read of a register.
    pub(crate) fn value(&self) -> Option<u64> {
        match self {
            ReplyValue::Found(Action::Register(RegisterOp::Read(value))) => *value,
            ReplyValue::Found(_) | ReplyValue::Done | ReplyValue::Delivered(_) => None,
        }
    }

    /// Whether something was changed, by an operation that may change something.
    pub(crate) fn is_change(&self) -> bool {
        match self {
            ReplyValue::Done => true,
            ReplyValue::Found(action) => action.changed(),
            ReplyValue::Delivered(out) => out.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_loads_are_read_and_others_are_not() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let five = bulk("00000000000000000005:abc");
        let read = |found| Some(ReplyValue::Found(Action::Register(RegisterOp::Read(found))));
        assert_eq!((value(&Value::Nil), value(&five)), (read(None), read(Some(5))));
        assert_eq!(value(&bulk("something else that is long")), None, "no load wrote that");
        assert_eq!(number_of(b"12"), None);
        let twice = Value::Array(vec![five.clone(), five]);
        assert_eq!(elements(&twice).as_deref(), Some(&[5, 5][..]));
        assert_eq!(elements(&Value::Array(vec![bulk("x")])), None);
    }
}
