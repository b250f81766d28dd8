//! One operation as one line.
//!
//! [`Op`] flattens its redirects, and serde reads and writes flattened structs
//! by way of a map. This is the same text without that detour.

use serde::{Deserialize, Serialize};

use crate::model::Nanos;
use crate::model::op::{Action, Op, Outcome, Purpose, Redirects};

#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    load: u8,
    process: u32,
    #[serde(default, skip_serializing_if = "is_load")]
    purpose: Purpose,
    action: Action,
    key: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected: Option<u64>,
    #[serde(default, skip_serializing_if = "<[u64]>::is_empty")]
    members: Box<[u64]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<u16>,
    intended: Nanos,
    sent: Nanos,
    done: Nanos,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "is_zero")]
    moved: u16,
    #[serde(default, skip_serializing_if = "is_zero")]
    ask: u16,
    #[serde(default, skip_serializing_if = "is_zero")]
    try_again: u16,
}

fn is_load(purpose: &Purpose) -> bool {
    *purpose == Purpose::Load
}

fn is_zero(n: &u16) -> bool {
    *n == 0
}

impl From<&Op> for Line {
    fn from(op: &Op) -> Line {
        let Op { load, process, purpose, action, key, value, intended, sent, done, .. } = *op;
        let Op { expected, by, outcome, redirects, .. } = *op;
        let (members, Redirects { moved, ask, try_again }) = (op.members.clone(), redirects);
        Line {
            load,
            process,
            purpose,
            action,
            key,
            value,
            expected,
            members,
            by,
            intended,
            sent,
            done,
            outcome,
            moved,
            ask,
            try_again,
        }
    }
}

impl From<Line> for Op {
    fn from(line: Line) -> Op {
        let Line { load, process, purpose, action, key, value, expected, members, .. } = line;
        let Line { by, intended, sent, done, outcome, moved, ask, try_again, .. } = line;
        Op {
            load,
            process,
            purpose,
            action,
            key,
            value,
            expected,
            members,
            by,
            intended,
            sent,
            done,
            outcome,
            redirects: Redirects { moved, ask, try_again },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::Cause;

    #[test]
    fn a_line_is_what_the_model_says() {
        let plain = Op {
            load: 1,
            process: 7,
            purpose: Purpose::Load,
            action: Action::Read,
            key: 3,
            value: None,
            intended: Nanos(10),
            sent: Nanos(11),
            done: Nanos(12),
            outcome: Outcome::Ok,
            expected: None,
            members: Box::default(),
            by: None,
            redirects: Redirects::default(),
        };
        let full = Op {
            purpose: Purpose::Final,
            action: Action::Cas,
            value: Some(u64::MAX),
            expected: Some(5),
            members: [2, 3, 2].into(),
            by: Some(4),
            outcome: Outcome::Unknown(Cause::ConnectionLost),
            redirects: Redirects { moved: 1, ask: 2, try_again: 3 },
            ..plain.clone()
        };
        let failed = Op { outcome: Outcome::Fail(Cause::Shed), ..plain.clone() };
        for op in [plain, full, failed] {
            let by_model = serde_json::to_value(&op).unwrap();
            let by_line = serde_json::to_string(&Line::from(&op)).unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&by_line).unwrap(), by_model);
            assert_eq!(serde_json::from_str::<Op>(&by_line).unwrap(), op);
            let model_text = serde_json::to_string(&op).unwrap();
            assert_eq!(Op::from(serde_json::from_str::<Line>(&model_text).unwrap()), op);
        }
    }
}
