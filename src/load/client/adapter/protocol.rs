//! The lines that redrill and an adapter exchange: one JSON object a line, each way.
//!
//! Both greet first. redrill then gives orders, each with an id, and the adapter answers each
//! order once, in any order. `docs/adapters.md` shows every line, and how to write an adapter.

use redis::{Cmd, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

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
    /// The order that asks for what `command` asks of a server.
    pub fn of(command: &Cmd) -> Option<Work> {
        let args = command.args_iter().map(|arg| match arg {
            redis::Arg::Simple(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        });
        let args: Vec<&str> = args.collect::<Option<_>>()?;
        let own = |text: &str| text.to_owned();
        let work = match args[..] {
            ["GET", key] => Work::Get { key: own(key) },
            ["SET", key, value] => Work::Set { key: own(key), value: own(value) },
            ["INCR", key] => Work::Incr { key: own(key) },
            ["SADD", key, value] => Work::Add { key: own(key), value: own(value) },
            ["LPUSH", key, value] => Work::Push { key: own(key), value: own(value) },
            ["RPOP", key] => Work::Pop { key: own(key) },
            ["EVAL", _, "1", key, expect, value] => {
                let expect = (!expect.is_empty()).then(|| own(expect));
                Work::Cas { key: own(key), expect, value: own(value) }
            }
            _ => return None,
        };
        Some(work)
    }

    /// What the adapter learned, as a server would have answered the command; `None` if it
    /// makes no sense.
    pub fn answer(&self, learned: &Json) -> Option<Value> {
        let text = |json: &Json| match json {
            Json::Null => Some(Value::Nil),
            Json::String(text) => Some(Value::BulkString(text.clone().into())),
            Json::Number(number) => Some(Value::Int(number.as_i64()?)),
            _ => None,
        };
        match self {
            Work::Get { .. } | Work::Incr { .. } | Work::Pop { .. } => text(learned),
            Work::Set { .. } | Work::Add { .. } | Work::Push { .. } => Some(Value::Okay),
            Work::Cas { .. } if *learned == Json::Bool(true) => Some(Value::Int(1)),
            Work::Cas { .. } => text(learned.get("found")?),
            Work::Connect(_) | Work::Noop => Some(Value::Okay),
        }
    }

    /// Whether it changes nothing.
    pub fn only_reads(&self) -> bool {
        matches!(self, Work::Get { .. } | Work::Noop | Work::Connect(_))
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
        let get = redis::cmd("GET").arg("app:1").take();
        let get = Order { id: 7, work: Work::of(&get).unwrap() };
        assert_eq!(written(&get), r#"{"id":7,"do":"get","key":"app:1"}"#);
        assert_eq!(written(&Order { id: 2, work: Work::Noop }), r#"{"id":2,"do":"noop"}"#);
        let cas = |expect: &str| {
            let script = "return 1";
            let args = [script, "1", "app:1", expect, "0002:ab"];
            Work::of(&redis::cmd("EVAL").arg(&args).take()).unwrap()
        };
        let order = Order { id: 8, work: cas("0001:") };
        let text = r#"{"id":8,"do":"cas","key":"app:1","expect":"0001:","value":"0002:ab"}"#;
        assert_eq!(written(&order), text);
        assert!(matches!(cas(""), Work::Cas { expect: None, .. }), "there must be no key");
        assert_eq!(Work::of(&redis::cmd("WAIT").arg(1).arg(100).take()), None);
        let connect = Connect {
            mode: Mode::Sentinel,
            group: "cache".to_owned(),
            nodes: vec!["127.0.0.1:26379".to_owned()],
            clients: 32,
            timeout_ms: 1000,
        };
        assert_eq!(
            written(&Order { id: 1, work: Work::Connect(connect) }),
            r#"{"id":1,"do":"connect","mode":"sentinel","group":"cache","nodes":["127.0.0.1:26379"],"clients":32,"timeout_ms":1000}"#
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
    fn what_was_learned_is_read_as_a_servers_answer() {
        let get = Work::Get { key: "app:1".to_owned() };
        assert_eq!(get.answer(&Json::Null), Some(Value::Nil));
        assert_eq!(get.answer(&"12".into()), Some(Value::BulkString(b"12".to_vec())));
        assert_eq!(get.answer(&12.into()), Some(Value::Int(12)));
        assert_eq!(get.answer(&serde_json::json!([])), None);
        let cas = Work::Cas { key: "app:1".into(), expect: None, value: "2".into() };
        assert_eq!(cas.answer(&true.into()), Some(Value::Int(1)));
        assert_eq!(cas.answer(&serde_json::json!({"found": null})), Some(Value::Nil));
        assert_eq!(cas.answer(&false.into()), None, "what was found is missing");
    }
}
