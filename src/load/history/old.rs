//! The lines of redrill 0.1's first histories: an action's word, and beside it whichever of
//! `value`, `expected` and `members` it had; and what it met of redirects.

use serde::de::Error as _;
use serde_json::{Error, Result, Value, json};

use crate::model::Workload;
use crate::model::op::Op;

/// The operation. Errors: a line that is none, or one that brings no value along.
pub(super) fn op(line: &[u8], loads: &[Workload]) -> Result<Op> {
    let mut op: Value = serde_json::from_slice(line)?;
    let load = op["load"].as_u64().and_then(|load| loads.get(load as usize));
    let (found, is_last) = (op["value"].clone(), op["purpose"] == "final");
    let brought = || match found {
        Value::Null => Err(Error::missing_field("value")),
        ref value => Ok(value.clone()),
    };
    let members = match &op["members"] {
        Value::Null => json!([]),
        members => members.clone(),
    };
    let action = match op["action"].as_str().unwrap_or_default() {
        "read" if load == Some(&Workload::Counter) => json!({ "counter": { "read": found } }),
        "read" => json!({ "register": { "read": found } }),
        "write" => json!({ "register": { "write": brought()? } }),
        "cas" => json!({ "register": { "cas": { "from": op["expected"], "to": brought()? } } }),
        "add" => json!({ "counter": { "add": found } }),
        "insert" => json!({ "set": { "insert": brought()? } }),
        "members" => json!({ "set": { "members": members } }),
        "push" => json!({ "queue": { "push": brought()? } }),
        // Old histories list the remaining elements one by one, and then an empty pop.
        "pop" if is_last && found.is_null() => json!({ "queue": { "drain": [] } }),
        "pop" if is_last => json!({ "queue": { "drain": [found] } }),
        "pop" => json!({ "queue": { "pop": found } }),
        "ack" => json!({ "queue": { "ack": brought()? } }),
        _ => return Err(Error::missing_field("action")),
    };
    // The counts of redirects were keys of the operation itself.
    op["redirects"] = op.clone();
    op["action"] = action;
    serde_json::from_value(op)
}
