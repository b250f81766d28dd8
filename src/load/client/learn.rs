//! Who owns which slot, as far as a client knows: asked of nodes, and heard of from sentinels as it
//! changes.
//!
//! Sentinels publish `+switch-master` once a failover is done. What a client missed while it
//! was not subscribed it must ask for, see the guidelines for Sentinel clients:
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>

use std::net::SocketAddr;
use std::rc::Rc;

use futures::StreamExt;
use redis::aio::PubSub;
use redis::{Cmd, RedisConnectionInfo, RedisResult, Value};
use tracing::trace;

use super::dial::stream;
use super::node::{Node, Shared};
use super::request::parse_address;
use crate::load::Lookup;
use crate::model::slot::SLOTS;

/// Slots from `first` to `last`, and where their primary and its replicas are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub first: u16,
    pub last: u16,
    pub primary: SocketAddr,
    pub replicas: Vec<SocketAddr>,
}

pub(crate) type Owners = Vec<Range>;

/// The owners that `node` reports. The error says why there are none, as text for a person.
pub(crate) async fn learn(node: &Node, lookup: &Lookup) -> Result<Owners, String> {
    let command: &[&str] = match lookup {
        Lookup::Cluster | Lookup::Standby { .. } => &["CLUSTER", "SLOTS"],
        Lookup::Primary => &["ROLE"],
        Lookup::Sentinels(name) => &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name],
    };
    let mut cmd = Cmd::new();
    cmd.arg(command);
    let Some(link) = node.link().await else {
        return Err("it refuses connections".to_owned());
    };
    let reply: RedisResult<Value> = link.send(&cmd).await;
    let reply = reply.map_err(|error| error.to_string())?;
    let owners = match lookup {
        Lookup::Cluster | Lookup::Standby { .. } => cluster_slots(&reply, node.address),
        Lookup::Primary => role(&reply, node.address).map(owner_of_all),
        Lookup::Sentinels(_) => named(&reply).map(owner_of_all),
    };
    match owners {
        Some(owners) if !owners.is_empty() => Ok(owners),
        Some(_) => Err("it knows no owner of any slot".to_owned()),
        None => Err(format!("its answer to {} was not understood", command.join(" "))),
    }
}

/// All keys are on `primary`.
pub(crate) fn owner_of_all(primary: SocketAddr) -> Owners {
    vec![Range { first: 0, last: SLOTS - 1, primary, replicas: Vec::new() }]
}

/// The reply of SENTINEL GET-MASTER-ADDR-BY-NAME: an address and a port.
/// <https://redis.io/docs/latest/develop/reference/sentinel-clients/>
fn named(reply: &Value) -> Option<SocketAddr> {
    let Value::Array(parts) = reply else { return None };
    let [host, port] = parts.as_slice() else { return None };
    format!("{}:{}", text(host), text(port)).parse().ok()
}

/// The reply of CLUSTER SLOTS: for each range its ends, then its primary, then
/// replicas; each node an address, a port and more.
/// <https://redis.io/docs/latest/commands/cluster-slots/>
fn cluster_slots(reply: &Value, at: SocketAddr) -> Option<Owners> {
    let Value::Array(ranges) = reply else { return None };
    let address = |node: &Value| {
        let Value::Array(parts) = node else { return None };
        let [host, Value::Int(port), ..] = parts.as_slice() else { return None };
        parse_address(&format!("{}:{port}", text(host)), at.ip())
    };
    let range = |range: &Value| {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), primary, replicas @ ..] = parts.as_slice() else {
            return None;
        };
        Some(Range {
            first: u16::try_from(*first).ok()?,
            last: u16::try_from(*last).ok()?,
            primary: address(primary)?,
            // A replica without an address cannot be asked.
            replicas: replicas.iter().filter_map(address).collect(),
        })
    };
    ranges.iter().map(range).collect()
}

/// The primary by the reply of ROLE: the node itself, or the one it follows.
/// <https://redis.io/docs/latest/commands/role/>
fn role(reply: &Value, at: SocketAddr) -> Option<SocketAddr> {
    let Value::Array(parts) = reply else { return None };
    match parts.as_slice() {
        [role, ..] if text(role) == "master" => Some(at),
        [role, host, Value::Int(port), ..] if text(role) == "slave" => {
            parse_address(&format!("{}:{port}", text(host)), at.ip())
        }
        _ => None,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        _ => String::new(),
    }
}

/// What a sentinel gives cause for.
pub(super) enum News {
    /// It was not heard for a while: it is to be asked.
    Listening,
    /// There is a new primary.
    Switched(SocketAddr),
}

/// Listens to the sentinel at `address` for as long as the thread lives.
pub(super) async fn listen(
    address: SocketAddr,
    name: String,
    shared: Rc<Shared>,
    tell: impl Fn(News),
) {
    loop {
        let subscribing = tokio::time::timeout(shared.options.timeout, subscribe(address, &shared));
        match subscribing.await {
            Ok(Ok(subscribed)) => {
                tell(News::Listening);
                let mut messages = subscribed.into_on_message();
                while let Some(message) = messages.next().await {
                    let text: RedisResult<String> = message.get_payload();
                    if let Some(primary) = text.ok().and_then(|text| switched(&text, &name)) {
                        tell(News::Switched(primary));
                    }
                }
            }
            Ok(Err(error)) => trace!(%address, %error, "a sentinel is not heard"),
            Err(_) => trace!(%address, "a sentinel is not heard in time"),
        }
        tokio::time::sleep(shared.options.pause).await;
    }
}

async fn subscribe(address: SocketAddr, shared: &Shared) -> RedisResult<PubSub> {
    let stream = stream(address, shared.from).await?;
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(password) = &shared.password {
        info = info.set_password(password.reveal());
    }
    let mut subscribed = PubSub::new(&info, stream).await?;
    subscribed.subscribe("+switch-master").await?;
    Ok(subscribed)
}

/// `cache 127.0.0.1 7000 127.0.0.2 7000`: the group, where its primary was and where it is.
fn switched(message: &str, name: &str) -> Option<SocketAddr> {
    match message.split_whitespace().collect::<Vec<_>>()[..] {
        [group, _, _, host, port] if group == name => format!("{host}:{port}").parse().ok(),
        _ => None,
    }
}

const NOBODY: u16 = u16::MAX;

/// Nodes are numbers that the client assigns.
#[derive(Debug)]
pub(crate) struct SlotMap {
    owners: Vec<u16>,
    /// Slots that a MOVED has named since the map was requested last. This is newer than what a
    /// node that is about to answer may know.
    corrected: Vec<u16>,
}

impl SlotMap {
    pub(crate) fn new() -> SlotMap {
        SlotMap { owners: vec![NOBODY; usize::from(SLOTS)], corrected: Vec::new() }
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<u16> {
        self.owners.get(usize::from(slot)).copied().filter(|&node| node != NOBODY)
    }

    /// A MOVED said that `slot` is at `node`.
    pub(crate) fn correct(&mut self, slot: u16, node: u16) {
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = node;
            if self.corrected.len() < usize::from(SLOTS) {
                self.corrected.push(slot);
            }
        }
    }

    /// A node is being asked for the whole map.
    pub(crate) fn asked(&mut self) {
        self.corrected.clear();
    }

    /// The whole map as a node gave it: first slot, last slot, owner. Slots that it leaves out
    /// keep their owner, because any node will do for them.
    pub(crate) fn learned(&mut self, ranges: &[(u16, u16, u16)]) {
        let newer: Vec<(u16, u16)> =
            self.corrected.iter().map(|&slot| (slot, self.owners[usize::from(slot)])).collect();
        for &(first, last, node) in ranges {
            if first <= last && last < SLOTS {
                self.owners[usize::from(first)..=usize::from(last)].fill(node);
            }
        }
        for (slot, node) in newer {
            self.owners[usize::from(slot)] = node;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn owners_by_cluster_slots() {
        let at: SocketAddr = "127.0.0.1:7000".parse().unwrap();
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), bulk("id")]);
        let range = |first, last, primary: Value| {
            let replica = node(bulk("127.0.0.1"), 7009);
            Value::Array(vec![Value::Int(first), Value::Int(last), primary, replica])
        };
        let reply = Value::Array(vec![
            range(0, 99, node(bulk("127.0.0.2"), 7001)),
            range(100, 16383, node(Value::Nil, 7000)),
        ]);
        let owners = cluster_slots(&reply, at).unwrap();
        let is = |first, last, primary: &str| Range {
            first,
            last,
            primary: primary.parse().unwrap(),
            replicas: vec!["127.0.0.1:7009".parse().unwrap()],
        };
        assert_eq!(owners, [is(0, 99, "127.0.0.2:7001"), is(100, 16383, "127.0.0.1:7000")]);
        assert_eq!(cluster_slots(&Value::Array(vec![Value::Int(1)]), at), None);
    }

    #[test]
    fn the_primary_by_a_sentinel() {
        let reply = Value::Array(vec![bulk("127.0.0.2"), bulk("7001")]);
        assert_eq!(named(&reply), Some("127.0.0.2:7001".parse().unwrap()));
        assert_eq!(named(&Value::Nil), None, "it watches no such group");
    }

    #[test]
    fn the_primary_by_role() {
        let at: SocketAddr = "127.0.0.1:7000".parse().unwrap();
        let primary = Value::Array(vec![bulk("master"), Value::Int(0), Value::Array(vec![])]);
        assert_eq!(role(&primary, at), Some(at));
        let replica = Value::Array(vec![bulk("slave"), bulk("127.0.0.2"), Value::Int(7001)]);
        assert_eq!(role(&replica, at), Some("127.0.0.2:7001".parse().unwrap()));
        assert_eq!(role(&Value::Array(vec![bulk("sentinel")]), at), None);
    }

    #[test]
    fn only_the_own_groups_primary_is_heard_of() {
        let message = "cache 127.0.0.1 7000 127.0.0.2 7001";
        assert_eq!(switched(message, "cache"), Some("127.0.0.2:7001".parse().unwrap()));
        assert_eq!(switched(message, "other"), None);
        assert_eq!(switched("cache 127.0.0.1", "cache"), None);
    }

    #[test]
    fn what_a_redirect_said_outlives_an_older_map() {
        let mut map = SlotMap::new();
        assert_eq!(map.owner(5), None);
        map.asked();
        map.learned(&[(0, 99, 0), (100, SLOTS - 1, 1)]);
        assert_eq!((map.owner(5), map.owner(100)), (Some(0), Some(1)));
        map.correct(5, 1);
        map.asked();
        map.correct(6, 2);
        map.learned(&[(0, 99, 0), (100, SLOTS - 1, 1)]);
        assert_eq!((map.owner(5), map.owner(6), map.owner(7)), (Some(0), Some(2), Some(0)));
    }
}
