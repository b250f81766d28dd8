//! The lines that redrill and an adapter exchange: one JSON object a line, each way.
//!
//! Both greet first. redrill then gives orders, each with an id, and the adapter answers each
//! order once, in any order. `docs/adapters.md` shows every line, and how to write an adapter.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::load::client::{ReplyValue, number_of};
use crate::load::workload::{Plan, Values};
use crate::model::op::{Action, CounterOp, QueueOp, RegisterOp, SetOp};

/// Raised by a change after which an adapter of before would misunderstand redrill.
pub const VERSION: u32 = 1;

/// The first line, both ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Greeting {
    pub protocol: u32,
    /// Of the program, or of the library behind it: `redis-py`.
    pub name: String,
    pub version: String,
    /// The orders that the adapter carries out. redrill's own greeting has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub does: Vec<String>,
}

/// A line from redrill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub id: u64,
    #[serde(flatten)]
    pub work: Work,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Work {
    /// The first order, and the only one that must be answered before the next is given.
    Connect(Connect),
    /// Nothing: how long the answer takes is the protocol's own cost.
    Noop,
    /// The text that a key holds; a counter's is its number.
    Get {
        key: String,
    },
    Set {
        key: String,
        value: String,
    },
    /// Sets the key, if it holds a text that begins with `expect`, or nothing if that is null.
    Cas {
        key: String,
        expect: Option<String>,
        value: String,
    },
    /// INCR.
    Incr {
        key: String,
    },
    /// SADD.
    Add {
        key: String,
        value: String,
    },
    /// LPUSH.
    Push {
        key: String,
        value: String,
    },
    /// RPOP.
    Pop {
        key: String,
    },
}

/// Where to connect to, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    pub mode: Mode,
    /// The group's name, by which sentinels know it.
    pub group: String,
    /// `ADDRESS:PORT` of nodes; in the modes `standalone` and `replication` the primary first.
    /// In the mode `sentinel`, of the sentinels.
    pub nodes: Vec<String>,
    /// Logical clients: so many orders are to be worked at at once.
    pub clients: u32,
    /// How long a client waits for an answer.
    pub timeout_ms: u64,
    /// What all nodes and sentinels ask of clients (AUTH); not there if they ask nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Cluster,
    Sentinel,
    Replication,
    Standalone,
}

/// A line from the adapter, after its greeting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub id: u64,
    #[serde(flatten)]
    pub came: Came,
    /// How long the adapter's library took, by the adapter's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns: Option<u64>,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Came {
    /// It was done once, and this was learned.
    Ok(Json),
    /// The servers certainly did not do it, and will not. The error as text.
    Fail(String),
    /// It may have been done, or may still be. The error as text.
    Unknown(String),
}

impl Work {
    /// The order for `plan` on `key`; none if adapters do no such thing.
    pub(in crate::load) fn of(key: String, plan: &Plan, values: &mut Values) -> Option<Work> {
        let mut text = |number, size| String::from_utf8_lossy(values.text(number, size)).into();
        Some(match plan.action {
            Action::Register(RegisterOp::Read(_)) | Action::Counter(CounterOp::Read(_)) => {
                Work::Get { key }
            }
            Action::Register(RegisterOp::Write(value)) => {
                Work::Set { key, value: text(value, plan.size) }
            }
            Action::Register(RegisterOp::Cas { from, to }) => {
                let expect = from.map(|number| text(number, 0));
                Work::Cas { key, expect, value: text(to, plan.size) }
            }
            Action::Counter(CounterOp::Add(_)) => Work::Incr { key },
            Action::Set(SetOp::Insert(element)) => {
                Work::Add { key, value: text(element, plan.size) }
            }
            Action::Queue(QueueOp::Push(value)) => {
                Work::Push { key, value: text(value, plan.size) }
            }
            Action::Queue(QueueOp::Pop(_)) => Work::Pop { key },
            Action::Set(SetOp::Members(_)) | Action::Queue(_) | Action::Transfer(_) => return None,
        })
    }
}

/// What the adapter learned when it did `action`; `None` if it makes no sense.
pub(in crate::load) fn learned(action: &Action, learned: &Json) -> Option<ReplyValue> {
    let found = match action {
        Action::Register(RegisterOp::Read(_)) => read(learned)?,
        Action::Register(RegisterOp::Cas { .. }) if *learned != Json::Bool(true) => {
            read(learned.get("found")?)?
        }
        Action::Counter(CounterOp::Read(_)) => Action::Counter(CounterOp::Read(total(learned)?)),
        Action::Counter(CounterOp::Add(_)) => Action::Counter(CounterOp::Add(total(learned)?)),
        Action::Queue(QueueOp::Pop(_)) => Action::Queue(QueueOp::Pop(number(learned)?)),
        _ => return Some(ReplyValue::Done),
    };
    Some(ReplyValue::Found(found))
}

fn read(learned: &Json) -> Option<Action> {
    number(learned).map(|found| Action::Register(RegisterOp::Read(found)))
}

/// The number of a value that a load wrote, or that there is none.
fn number(learned: &Json) -> Option<Option<u64>> {
    match learned {
        Json::Null => Some(None),
        value => number_of(value.as_str()?.as_bytes()).map(Some),
    }
}

/// A counter's total, as a number or as text.
fn total(learned: &Json) -> Option<Option<u64>> {
    match learned {
        Json::Null => Some(None),
        Json::String(total) => total.parse().ok().map(Some),
        total => total.as_u64().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(order: &Order) -> String {
        let text = serde_json::to_string(order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), *order);
        text
    }

    #[test]
    fn orders_are_what_the_document_says() {
        let of = |action| {
            let plan = Plan { size: 24, ..Plan::bare(1, action) };
            Work::of("app:1".to_owned(), &plan, &mut Values::new(24))
        };
        let get = Order { id: 7, work: of(Action::Register(RegisterOp::Read(None))).unwrap() };
        assert_eq!(written(&get), r#"{"id":7,"do":"get","key":"app:1"}"#);
        assert_eq!(written(&Order { id: 2, work: Work::Noop }), r#"{"id":2,"do":"noop"}"#);
        let cas = |from| of(Action::Register(RegisterOp::Cas { from, to: 2 })).unwrap();
        let text = written(&Order { id: 8, work: cas(Some(1)) });
        let head = r#"{"id":8,"do":"cas","key":"app:1","expect":"00000000000000000001:","value":"00000000000000000002:"#;
        assert!(text.starts_with(head) && text.len() == head.len() + 5, "{text}");
        assert!(matches!(cas(None), Work::Cas { expect: None, .. }), "there must be no key");
        assert_eq!(of(Action::Queue(QueueOp::Ack(1))), None);
        let connect = Connect {
            mode: Mode::Sentinel,
            group: "cache".to_owned(),
            nodes: vec!["127.0.0.1:26379".to_owned()],
            clients: 32,
            timeout_ms: 1000,
            password: Some("5ec2e7".to_owned()),
        };
        let open = Connect { password: None, ..connect.clone() };
        let open = written(&Order { id: 1, work: Work::Connect(open) });
        assert!(open.ends_with(r#","timeout_ms":1000}"#), "{open}");
        assert_eq!(
            written(&Order { id: 1, work: Work::Connect(connect) }),
            r#"{"id":1,"do":"connect","mode":"sentinel","group":"cache","nodes":["127.0.0.1:26379"],"clients":32,"timeout_ms":1000,"password":"5ec2e7"}"#
        );
    }

    #[test]
    fn a_reply_has_one_outcome() {
        let read = |text: &str| serde_json::from_str::<Reply>(text);
        let ok = read(r#"{"id":7,"ok":null}"#).unwrap();
        assert_eq!((ok.id, ok.came, ok.ns), (7, Came::Ok(Json::Null), None));
        let unknown = read(r#"{"id":7,"unknown":"TimeoutError: x","ns":12}"#).unwrap();
        assert_eq!(unknown.came, Came::Unknown("TimeoutError: x".to_owned()));
        assert_eq!(unknown.ns, Some(12));
        assert!(read(r#"{"id":7}"#).is_err());
        assert!(read(r#"{"ok":1}"#).is_err());
    }

    #[test]
    fn what_was_learned_is_what_the_load_learns() {
        let read = |found| Some(ReplyValue::Found(Action::Register(RegisterOp::Read(found))));
        let get = |json: Json| learned(&Action::Register(RegisterOp::Read(None)), &json);
        assert_eq!(get(Json::Null), read(None));
        assert_eq!(get("00000000000000000012:ab".into()), read(Some(12)));
        assert_eq!(get("12".into()), None, "no load wrote that");
        assert_eq!(get(12.into()), None);
        let cas = Action::Register(RegisterOp::Cas { from: None, to: 2 });
        assert_eq!(learned(&cas, &true.into()), Some(ReplyValue::Done));
        assert_eq!(learned(&cas, &serde_json::json!({ "found": null })), read(None));
        assert_eq!(learned(&cas, &false.into()), None, "what was found is missing");
        let total = |total| Some(ReplyValue::Found(Action::Counter(CounterOp::Add(Some(total)))));
        for json in [Json::from(12), Json::from("12")] {
            assert_eq!(learned(&Action::Counter(CounterOp::Add(None)), &json), total(12));
        }
        let pop = Action::Queue(QueueOp::Pop(None));
        assert_eq!(learned(&pop, &serde_json::json!([])), None);
    }
}
