//! CLUSTER SHARDS: the cluster as one node sees it, one shard at a time.
//!
//! Each shard is a map of its `slots` (first, last, first, last, …) and its `nodes`, each a map
//! too. Before RESP 3, a map is a list of alternating keys and values. Unknown fields, such as
//! a shard's `id` since Valkey 9, are ignored.
//!
//! <https://redis.io/docs/latest/commands/cluster-shards/>

use std::net::IpAddr;

use redis::Value;

use crate::model::event::Role;
use crate::model::slot::SlotSet;

/// The nodes that serve the same slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub slots: SlotSet,
    pub nodes: Vec<ShardNode>,
}

/// One node as another node (or the node itself) sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardNode {
    pub id: String,
    /// The address that clients should connect to; `None` if the node does not know it.
    pub endpoint: Option<String>,
    /// `None` while it is unknown.
    pub ip: Option<IpAddr>,
    /// `None` if the node serves TLS only.
    pub port: Option<u16>,
    pub role: Role,
    /// The node's offset in its shard's replication stream, as far as the asked node knows it.
    pub replication_offset: u64,
    pub health: Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Online,
    /// A replica that has no data yet. A replica is also called so when its primary has never
    /// written anything, until the primary's first ping, up to 10 s after they connected.
    Loading,
    /// The majority cannot reach it.
    Failed,
}

impl Shard {
    /// Reads a whole reply. The error says what is missing.
    pub fn parse_all(reply: &Value) -> Result<Vec<Shard>, String> {
        list(reply).ok_or("no list of shards")?.iter().map(Shard::parse).collect()
    }

    fn parse(reply: &Value) -> Result<Shard, String> {
        let fields = Fields::of(reply).ok_or("a shard is no map")?;
        let slots = fields.get("slots").and_then(slots).ok_or("a shard has no slots")?;
        let nodes = fields.get("nodes").and_then(list).ok_or("a shard has no nodes")?;
        Ok(Shard { slots, nodes: nodes.iter().map(ShardNode::parse).collect::<Result<_, _>>()? })
    }
}

impl ShardNode {
    fn parse(reply: &Value) -> Result<ShardNode, String> {
        let fields = Fields::of(reply).ok_or("a node is no map")?;
        let id = fields.text("id").ok_or("a node has no id")?;
        let bad = |what: &str| format!("the node {id} has no {what}");
        let role = match fields.text("role") {
            Some("master" | "primary") => Role::Primary,
            Some("slave" | "replica") => Role::Replica,
            _ => return Err(bad("role")),
        };
        let health = match fields.text("health") {
            Some("online") => Health::Online,
            Some("loading") => Health::Loading,
            // The manual says `failed`, the servers say `fail`.
            Some("failed" | "fail") => Health::Failed,
            _ => return Err(bad("health")),
        };
        let known = |text: &&str| !text.is_empty() && *text != "?";
        Ok(ShardNode {
            endpoint: fields.text("endpoint").filter(known).map(str::to_owned),
            ip: fields.text("ip").and_then(|ip| ip.parse().ok()),
            port: fields.number("port").and_then(|port| port.try_into().ok()),
            role,
            replication_offset: fields
                .number("replication-offset")
                .ok_or_else(|| bad("replication-offset"))?,
            health,
            id: id.to_owned(),
        })
    }
}

/// A map, in either form of the protocol.
struct Fields<'a>(Vec<(&'a str, &'a Value)>);

impl<'a> Fields<'a> {
    fn of(reply: &'a Value) -> Option<Fields<'a>> {
        let pairs: Vec<(&Value, &Value)> = match reply {
            Value::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
            Value::Array(turns) if turns.len().is_multiple_of(2) => {
                turns.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect()
            }
            _ => return None,
        };
        pairs
            .into_iter()
            .map(|(key, value)| Some((text(key)?, value)))
            .collect::<Option<_>>()
            .map(Fields)
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(text)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(number)
    }
}

/// First, last, first, last, and so on; as numbers, in some releases as text.
fn slots(reply: &Value) -> Option<SlotSet> {
    let ends: Vec<u64> = list(reply)?.iter().map(number).collect::<Option<_>>()?;
    if !ends.len().is_multiple_of(2) {
        return None;
    }
    let ranges = ends.chunks_exact(2).map(|ends| format!("{}-{}", ends[0], ends[1]));
    ranges.collect::<Vec<_>>().join(" ").parse().ok()
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        other => text(other)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
