//! The lines that redrill and an adapter exchange: one JSON object a line, each way.
//!
//! Both greet first. redrill then gives orders, each with an id, and the adapter answers each
//! order once, in any order. `docs/adapters.md` shows every line, and how to write an adapter.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::load::client::{ReplyValue, number_of};
use crate::load::workload::{Plan, Values};
use crate::model::op::{Action, CounterOp, LockOp, QueueOp, RegisterOp, SetOp};

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
    /// A lock for one who is called `token`, which ends by itself after `ttl_ms`. For `wait_ms` at
    /// most the library may wait for it.
    Acquire {
        key: String,
        token: String,
        ttl_ms: u64,
        wait_ms: u64,
    },
    /// Its time begins anew, if it is held still.
    Extend {
        key: String,
        token: String,
        ttl_ms: u64,
    },
    /// It is given back, if it is held still.
    Release {
        key: String,
        token: String,
    },
    /// The text of an entity through the cache: a [`Cached`].
    Read {
        key: String,
    },
    /// The entity is about to be written. For adapters that say that they carry it out.
    Writing {
        key: String,
    },
    /// The entity has changed: no copy is to be served any more.
    Invalidate {
        key: String,
    },
    /// The same, and its text is this now.
    Write {
        key: String,
        text: String,
    },
}

/// Where to connect to, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// The first of the groups, and mostly the only one.
    #[serde(flatten)]
    pub place: Place,
    /// All of them, if the locks are on several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Place>,
    /// Logical clients: so many orders are to be worked at at once.
    pub clients: u32,
    /// How long a client waits for an answer.
    pub timeout_ms: u64,
    /// What all nodes and sentinels ask of clients (AUTH); not there if they ask nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// For how long copies are kept, by an adapter that reads and writes through a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Keeping>,
}

/// For how long copies are kept, and in how much room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keeping {
    /// In the servers.
    pub ttl_ms: u64,
    /// In the program's own memory; not there if nothing is to be kept there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_bytes: Option<u64>,
}

/// A question of the adapter: the text of an entity that it has no copy of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Its number, by the adapter's own counting.
    pub ask: u64,
    /// The entity's key.
    pub compute: String,
}

/// The answer to an [`Ask`]: its text, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Computed {
    pub answer: u64,
    #[serde(flatten)]
    pub came: Came,
}

/// What a read came to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cached {
    pub text: String,
    /// Where it was, if the library tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Where>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Where {
    /// In the memory of the program.
    Near,
    /// In the servers.
    Group,
    /// Nowhere: this order had it computed.
    Origin,
    /// Another order had it computed, and this one waited for that.
    Other,
}

/// A group, and where its servers are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub mode: Mode,
    /// The group's name, by which sentinels know it.
    pub group: String,
    /// `ADDRESS:PORT` of nodes; in the modes `standalone` and `replication` the primary first.
    /// In the mode `sentinel`, of the sentinels.
    pub nodes: Vec<String>,
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
    /// For how long the library may wait before it does it.
    pub(super) fn may_wait(&self) -> Duration {
        match self {
            Work::Acquire { wait_ms, .. } => Duration::from_millis(*wait_ms),
            _ => Duration::ZERO,
        }
    }

    /// The order for `plan` on `key`, which may be a lock with such a lease; none if adapters do no
    /// such thing.
    pub(in crate::load) fn of(
        key: String,
        plan: &Plan,
        lease: Option<Duration>,
        values: &mut Values,
    ) -> Option<Work> {
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
            Action::Lock(action) => {
                let ttl_ms = lease?.as_millis() as u64;
                let token = text(action.token(), 0);
                match action {
                    LockOp::Acquire { .. } => {
                        let wait_ms = plan.patience.as_millis() as u64;
                        Work::Acquire { key, token, ttl_ms, wait_ms }
                    }
                    LockOp::Extend { .. } => Work::Extend { key, token, ttl_ms },
                    LockOp::Release { .. } => Work::Release { key, token },
                    // Its account is redrill's own affair, and so are lines of waiters and
                    // deadlocks.
                    LockOp::Abort { .. }
                    | LockOp::Read { .. }
                    | LockOp::Write { .. }
                    | LockOp::Wait { .. } => {
                        return None;
                    }
                }
            }
            Action::Set(SetOp::Members(_))
            | Action::Queue(_)
            | Action::Transfer(_)
            | Action::Cache(_)
            | Action::Expiry(_) => return None,
        })
    }
}

/// What the adapter learned when it did `action`, which took its library so long; `None` if it
/// makes no sense.
pub(in crate::load) fn learned(
    action: &Action,
    learned: &Json,
    took: Duration,
) -> Option<ReplyValue> {
    let found = match action {
        Action::Register(RegisterOp::Read(_)) => read(learned)?,
        Action::Register(RegisterOp::Cas { .. }) if *learned != Json::Bool(true) => {
            read(learned.get("found")?)?
        }
        Action::Counter(CounterOp::Read(_)) => Action::Counter(CounterOp::Read(total(learned)?)),
        Action::Counter(CounterOp::Add(_)) => Action::Counter(CounterOp::Add(total(learned)?)),
        Action::Queue(QueueOp::Pop(_)) => Action::Queue(QueueOp::Pop(number(learned)?)),
        Action::Lock(LockOp::Acquire { .. }) => return lease(learned, took),
        // Some libraries do not tell whether what they gave back was theirs.
        Action::Lock(LockOp::Release { .. }) if learned.is_null() => {
            return Some(ReplyValue::Number(Some(1)));
        }
        Action::Lock(LockOp::Extend { .. } | LockOp::Release { .. }) => {
            return Some(ReplyValue::Number(Some(learned.as_bool()?.into())));
        }
        _ => return Some(ReplyValue::Done),
    };
    Some(ReplyValue::Found(found))
}

/// What came of a try to get a lock, which took its library so long.
fn lease(learned: &Json, took: Duration) -> Option<ReplyValue> {
    #[derive(Deserialize)]
    struct Tried {
        got: bool,
        #[serde(default)]
        fence: u64,
        valid_ms: Option<u64>,
    }
    let Tried { got, fence, valid_ms } = Tried::deserialize(learned).ok()?;
    let valid = valid_ms.map(Duration::from_millis);
    Some(ReplyValue::Lease { got: got.then_some(fence), took, valid })
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

    #[test]
    fn questions_and_what_comes_of_them_are_what_the_document_says() {
        let read = Order { id: 9, work: Work::Read { key: "app:17".to_owned() } };
        assert_eq!(written(&read), r#"{"id":9,"do":"read","key":"app:17"}"#);
        let ask: Ask = serde_json::from_str(r#"{"ask":1,"compute":"app:17"}"#).unwrap();
        assert_eq!((ask.ask, &*ask.compute), (1, "app:17"));
        let told = |came| serde_json::to_string(&Computed { answer: 1, came }).unwrap();
        assert_eq!(told(Came::Ok("text".into())), r#"{"answer":1,"ok":"text"}"#);
        assert_eq!(told(Came::Fail("no".to_owned())), r#"{"answer":1,"fail":"no"}"#);
        let found = |text| serde_json::from_str::<Cached>(text).map(|found| found.from);
        assert_eq!(found(r#"{"text":"x","from":"near"}"#).unwrap(), Some(Where::Near));
        assert_eq!(found(r#"{"text":"x"}"#).unwrap(), None, "it need not tell");
        assert!(found(r#"{"text":"x","from":"elsewhere"}"#).is_err());
    }

    fn written(order: &Order) -> String {
        let text = serde_json::to_string(order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), *order);
        text
    }

    #[test]
    fn orders_are_what_the_document_says() {
        let of = |action| {
            let plan = Plan { size: 24, ..Plan::bare(1, action) };
            Work::of("app:1".to_owned(), &plan, None, &mut Values::new(24))
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
        let place = Place {
            mode: Mode::Sentinel,
            group: "cache".to_owned(),
            nodes: vec!["127.0.0.1:26379".to_owned()],
        };
        let connect = Connect {
            place: place.clone(),
            groups: Vec::new(),
            clients: 32,
            timeout_ms: 1000,
            password: Some("5ec2e7".to_owned()),
            cache: None,
        };
        let both = Connect { groups: vec![place.clone(), place], ..connect.clone() };
        let both = written(&Order { id: 1, work: Work::Connect(both) });
        assert!(
            both.contains(r#""groups":[{"mode":"sentinel","group":"cache","nodes":"#),
            "{both}"
        );
        let open = Connect { password: None, ..connect.clone() };
        let open = written(&Order { id: 1, work: Work::Connect(open) });
        assert!(open.ends_with(r#","timeout_ms":1000}"#), "{open}");
        assert_eq!(
            written(&Order { id: 1, work: Work::Connect(connect) }),
            r#"{"id":1,"do":"connect","mode":"sentinel","group":"cache","nodes":["127.0.0.1:26379"],"clients":32,"timeout_ms":1000,"password":"5ec2e7"}"#
        );
    }

    #[test]
    fn orders_on_locks_are_what_the_document_says() {
        let lease = Some(Duration::from_secs(2));
        let of = |action| {
            let patience = Duration::from_secs(5);
            let plan = Plan { patience, ..Plan::bare(1, Action::Lock(action)) };
            Work::of("app:1".to_owned(), &plan, lease, &mut Values::new(24))
        };
        let is = |action, text: &str| {
            let order = Order { id: 7, work: of(action).unwrap() };
            assert_eq!(written(&order), text);
        };
        let head = r#""key":"app:1","token":"00000000000000000042:""#;
        is(
            LockOp::Acquire { token: 42, shared: false, got: None },
            &format!(r#"{{"id":7,"do":"acquire",{head},"ttl_ms":2000,"wait_ms":5000}}"#),
        );
        is(
            LockOp::Extend { token: 42, held: false },
            &format!(r#"{{"id":7,"do":"extend",{head},"ttl_ms":2000}}"#),
        );
        is(
            LockOp::Release { token: 42, held: false },
            &format!(r#"{{"id":7,"do":"release",{head}}}"#),
        );
        assert_eq!(of(LockOp::Read { token: 42, balance: None }), None, "redrill reads accounts");
    }

    #[test]
    fn what_is_told_of_a_lock_is_what_the_load_learns() {
        let took = Duration::from_millis(3);
        let told = |action, text: &str| {
            learned(&Action::Lock(action), &serde_json::from_str(text).unwrap(), took)
        };
        let acquire = LockOp::Acquire { token: 42, shared: false, got: None };
        let lease = |got, valid: Option<u64>| {
            Some(ReplyValue::Lease { got, took, valid: valid.map(Duration::from_millis) })
        };
        assert_eq!(told(acquire, r#"{"got":true}"#), lease(Some(0), None));
        let all = told(acquire, r#"{"got":true,"fence":9,"valid_ms":1978}"#);
        assert_eq!(all, lease(Some(9), Some(1978)));
        assert_eq!(told(acquire, r#"{"got":false}"#), lease(None, None));
        for nonsense in ["true", "{}", r#"{"got":1}"#, r#"{"got":true,"valid_ms":-3}"#] {
            assert_eq!(told(acquire, nonsense), None, "{nonsense}");
        }
        let release = LockOp::Release { token: 42, held: false };
        assert_eq!(told(release, "true"), Some(ReplyValue::Number(Some(1))));
        assert_eq!(told(release, "false"), Some(ReplyValue::Number(Some(0))));
        assert_eq!(told(release, "null"), Some(ReplyValue::Number(Some(1))), "it is not told");
        let extend = LockOp::Extend { token: 42, held: false };
        assert_eq!(told(extend, "null"), None, "held still, or not?");
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
        let learned = |action: &Action, json: &Json| learned(action, json, Duration::ZERO);
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
