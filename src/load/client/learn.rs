//! Asks nodes which node owns which slot.

use std::net::SocketAddr;

use redis::{Cmd, RedisResult, Value};

use super::error::parse_address;
use super::node::Node;
use crate::load::Lookup;
use crate::model::slot::SLOTS;

/// First slot, last slot, and the address of their primary.
pub(crate) type Owners = Vec<(u16, u16, SocketAddr)>;

/// The owners that `node` reports. The error says why there are none, as text for a person.
pub(crate) async fn learn(node: &Node, lookup: &Lookup) -> Result<Owners, String> {
    let command: &[&str] = match lookup {
        Lookup::Cluster => &["CLUSTER", "SLOTS"],
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
        Lookup::Cluster => cluster_slots(&reply, node.address),
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
    vec![(0, SLOTS - 1, primary)]
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
    let range = |range: &Value| {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = parts.as_slice()
        else {
            return None;
        };
        let [host, Value::Int(port), ..] = primary.as_slice() else { return None };
        let address = parse_address(&format!("{}:{port}", text(host)), at.ip())?;
        Some((u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, address))
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
        assert_eq!(owners, [(0, 99, "127.0.0.2:7001".parse().unwrap()), (100, 16383, at)]);
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
}
