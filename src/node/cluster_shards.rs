//! CLUSTER SHARDS: the cluster as one node sees it, one shard at a time.
//!
//! Each shard is a map of its `slots` (first, last, first, last, …) and its `nodes`, each a map
//! too. Before RESP 3, a map is a list of alternating keys and values. Unknown fields, such as
//! a shard's `id` since Valkey 9, are ignored.
//!
//! <https://redis.io/docs/latest/commands/cluster-shards/>

use std::collections::HashMap;
use std::net::IpAddr;

use redis::{FromRedisValue, Value};

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
    /// `None` while it is unknown.
    pub ip: Option<IpAddr>,
    /// `None` if the node serves TLS only.
    pub port: Option<u16>,
    pub role: Role,
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
        let Value::Array(shards) = reply else { return Err("no list of shards".to_owned()) };
        shards.iter().map(Shard::parse).collect()
    }

    fn parse(reply: &Value) -> Result<Shard, String> {
        let fields = Fields::of(reply).ok_or("a shard is no map")?;
        let slots = fields.read("slots").and_then(slots).ok_or("a shard has no slots")?;
        let nodes: Vec<Value> = fields.read("nodes").ok_or("a shard has no nodes")?;
        Ok(Shard { slots, nodes: nodes.iter().map(ShardNode::parse).collect::<Result<_, _>>()? })
    }
}

impl ShardNode {
    fn parse(reply: &Value) -> Result<ShardNode, String> {
        let fields = Fields::of(reply).ok_or("a node is no map")?;
        let text = |name: &str| fields.read::<String>(name);
        let id = text("id").ok_or("a node has no id")?;
        let bad = |what: &str| format!("the node {id} has no {what}");
        let role = match text("role").as_deref() {
            Some("master" | "primary") => Role::Primary,
            Some("slave" | "replica") => Role::Replica,
            _ => return Err(bad("role")),
        };
        let health = match text("health").as_deref() {
            Some("online") => Health::Online,
            Some("loading") => Health::Loading,
            // The manual says `failed`, the servers say `fail`.
            Some("failed" | "fail") => Health::Failed,
            _ => return Err(bad("health")),
        };
        let ip = text("ip").and_then(|ip| ip.parse().ok());
        Ok(ShardNode { ip, port: fields.read("port"), role, health, id })
    }
}

/// A map, in either form of the protocol.
struct Fields(HashMap<String, Value>);

impl Fields {
    fn of(reply: &Value) -> Option<Fields> {
        redis::from_redis_value_ref(reply).ok().map(Fields)
    }

    fn read<T: FromRedisValue>(&self, name: &str) -> Option<T> {
        redis::from_redis_value_ref(self.0.get(name)?).ok()
    }
}

/// First, last, first, last, and so on; as numbers, in some releases as text.
fn slots(ends: Vec<u64>) -> Option<SlotSet> {
    let (pairs, []) = ends.as_chunks::<2>() else { return None };
    let ranges = pairs.iter().map(|[first, last]| format!("{first}-{last}"));
    ranges.collect::<Vec<_>>().join(" ").parse().ok()
}

#[cfg(test)]
mod tests;
