//! What an answer that is no error says.

use redis::Value;

use crate::load::workload::number_of;

/// What an operation came to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplyValue {
    /// It was done.
    Done,
    /// What was read, counted or came out; `None` if there was nothing.
    Value(Option<u64>),
    /// Of a compare-and-set: what it found instead of what it was to find.
    Instead(Option<u64>),
    Members(Vec<u64>),
    /// Elements of a stream, with their ids.
    Entries(Vec<(String, u64)>),
}

/// Reads an answer; `None` if it is not of the kind that is looked for. A value that no load
/// wrote is not.
pub(crate) type Read = fn(&Value) -> Option<ReplyValue>;

/// Of commands whose answer says no more than that they were done.
pub(crate) fn done(value: &Value) -> Option<ReplyValue> {
    matches!(value, Value::Okay | Value::Int(_) | Value::BulkString(_)).then_some(ReplyValue::Done)
}

pub(crate) fn value(value: &Value) -> Option<ReplyValue> {
    element(value).map(ReplyValue::Value)
}

pub(crate) fn counted(value: &Value) -> Option<ReplyValue> {
    let total = match value {
        Value::Nil => return Some(ReplyValue::Value(None)),
        Value::Int(total) => u64::try_from(*total).ok(),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    };
    total.map(|total| ReplyValue::Value(Some(total)))
}

/// Of the script that compares and sets.
pub(crate) fn swapped(value: &Value) -> Option<ReplyValue> {
    match value {
        Value::Int(1) => Some(ReplyValue::Done),
        found => element(found).map(ReplyValue::Instead),
    }
}

pub(crate) fn members(value: &Value) -> Option<ReplyValue> {
    let (Value::Array(members) | Value::Set(members)) = value else { return None };
    let members: Option<Vec<u64>> = members.iter().map(|member| element(member)?).collect();
    members.map(ReplyValue::Members)
}

/// Of XREADGROUP on one stream: its name, then its entries, each an id and fields.
/// <https://redis.io/docs/latest/commands/xreadgroup/>
pub(crate) fn entries(value: &Value) -> Option<ReplyValue> {
    let entries = match value {
        Value::Nil => return Some(ReplyValue::Entries(Vec::new())),
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
    entries.iter().map(entry).collect::<Option<_>>().map(ReplyValue::Entries)
}

/// The number of a value that a load wrote, or that there is none.
fn element(value: &Value) -> Option<Option<u64>> {
    match value {
        Value::Nil => Some(None),
        Value::BulkString(text) => number_of(text).map(Some),
        _ => None,
    }
}

impl ReplyValue {
    /// The one value that it is about.
    pub(crate) fn value(&self) -> Option<u64> {
        match self {
            ReplyValue::Value(value) | ReplyValue::Instead(value) => *value,
            ReplyValue::Entries(entries) => entries.first().map(|(_, value)| *value),
            ReplyValue::Done | ReplyValue::Members(_) => None,
        }
    }

    /// Whether something was changed, by an operation that may change something.
    pub(crate) fn is_change(&self) -> bool {
        match self {
            ReplyValue::Done => true,
            ReplyValue::Value(value) => value.is_some(),
            ReplyValue::Instead(_) => false,
            ReplyValue::Members(members) => !members.is_empty(),
            ReplyValue::Entries(entries) => !entries.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    const FIVE: &str = "00000000000000000005:abc";

    #[test]
    fn each_kind_of_answer_is_read_as_what_it_is() {
        assert_eq!(value(&Value::Nil), Some(ReplyValue::Value(None)));
        assert_eq!(value(&bulk(FIVE)), Some(ReplyValue::Value(Some(5))));
        assert_eq!(value(&bulk("something else")), None, "no load wrote that");
        assert_eq!(counted(&bulk("12")), Some(ReplyValue::Value(Some(12))));
        assert_eq!(counted(&Value::Int(3)), Some(ReplyValue::Value(Some(3))));
        assert_eq!(counted(&bulk("12x")), None);
        assert_eq!(swapped(&Value::Int(1)), Some(ReplyValue::Done));
        assert_eq!(swapped(&Value::Nil), Some(ReplyValue::Instead(None)), "the key has gone");
        assert_eq!(swapped(&bulk(FIVE)), Some(ReplyValue::Instead(Some(5))));
        let set = Value::Array(vec![bulk(FIVE), bulk(FIVE)]);
        assert_eq!(members(&set), Some(ReplyValue::Members(vec![5, 5])));
        assert_eq!(members(&Value::Array(vec![bulk("x")])), None);
    }

    #[test]
    fn entries_of_a_stream_with_their_ids() {
        let entry = Value::Array(vec![bulk("7-0"), Value::Array(vec![bulk("v"), bulk(FIVE)])]);
        let stream = Value::Array(vec![bulk("app:1"), Value::Array(vec![entry])]);
        let told = entries(&Value::Array(vec![stream])).unwrap();
        assert_eq!(told, ReplyValue::Entries(vec![("7-0".to_owned(), 5)]));
        assert_eq!(told.value(), Some(5));
        assert_eq!(entries(&Value::Nil), Some(ReplyValue::Entries(Vec::new())), "nothing new");
    }
}
