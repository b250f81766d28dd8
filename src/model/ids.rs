//! Names of shards and nodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A shard of a group: `cache/1`. A group without shards counts as shard 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardName {
    pub group: String,
    pub shard: u32,
}

/// One program that takes part: `cache/1/0`, `cache/sentinel/0`, `app/actor/0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    /// The group that it belongs to; of an actor whom it works for, such as a load.
    pub group: String,
    pub kind: NodeKind,
    pub ordinal: u32,
}

/// What a program is in its group, for as long as it lives. Names sort in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// A server that holds keys, and the shard that it was born in. Ordinal 0 was born primary
    /// and keeps its name when roles change.
    Shard(u32),
    /// A server that holds no keys, and watches those that do.
    Sentinel,
    /// A program that takes part and is no server, such as an adapter.
    Actor,
}

/// A machine that runs nodes and actors. What belongs to one (processes, addresses, clocks) says
/// nothing on another.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct HostId(String);

impl HostId {
    pub fn new(name: impl Into<String>) -> HostId {
        HostId(name.into())
    }

    /// Whether it is the machine that redrill itself runs on.
    pub fn is_here(&self) -> bool {
        *self == HostId::default()
    }
}

/// The machine that redrill itself runs on.
impl Default for HostId {
    fn default() -> HostId {
        HostId::new("local")
    }
}

impl NodeName {
    /// A server that holds keys.
    pub fn new(group: impl Into<String>, shard: u32, ordinal: u32) -> NodeName {
        NodeName { group: group.into(), kind: NodeKind::Shard(shard), ordinal }
    }

    /// `cache/sentinel/0`
    pub fn sentinel(group: impl Into<String>, ordinal: u32) -> NodeName {
        NodeName { group: group.into(), kind: NodeKind::Sentinel, ordinal }
    }

    /// `app/actor/0`
    pub fn actor(of: impl Into<String>, ordinal: u32) -> NodeName {
        NodeName { group: of.into(), kind: NodeKind::Actor, ordinal }
    }

    pub fn is_sentinel(&self) -> bool {
        self.kind == NodeKind::Sentinel
    }

    /// The shard that it was born in; only servers that hold keys have one.
    pub fn shard(&self) -> Option<u32> {
        match self.kind {
            NodeKind::Shard(shard) => Some(shard),
            NodeKind::Sentinel | NodeKind::Actor => None,
        }
    }

    pub fn shard_name(&self) -> Option<ShardName> {
        self.shard().map(|shard| ShardName { group: self.group.clone(), shard })
    }

    /// The name as a file name: `cache-1-0`.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}", self.group, self.kind, self.ordinal)
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeKind::Shard(shard) => shard.fmt(f),
            NodeKind::Sentinel => f.write_str("sentinel"),
            NodeKind::Actor => f.write_str("actor"),
        }
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.shard)
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.group, self.kind, self.ordinal)
    }
}

/// A name that is not `group/shard/ordinal`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: a shard is written group/shard, a node group/shard/ordinal, as in cache/1/0"
)]
pub struct BadName(pub String);

impl FromStr for NodeName {
    type Err = BadName;
    fn from_str(s: &str) -> Result<NodeName, BadName> {
        let parts = || {
            let (rest, ordinal) = s.rsplit_once('/')?;
            let (group, kind) = rest.split_once('/')?;
            let kind = match kind {
                "sentinel" => NodeKind::Sentinel,
                "actor" => NodeKind::Actor,
                shard => NodeKind::Shard(shard.parse().ok()?),
            };
            Some(NodeName { group: group.to_owned(), kind, ordinal: ordinal.parse().ok()? })
        };
        parts().ok_or_else(|| BadName(s.to_owned()))
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use serde_as_text;
serde_as_text!(NodeName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (name, text, file) in [
            (NodeName::new("cache", 1, 0), "cache/1/0", "cache-1-0"),
            (NodeName::sentinel("cache", 2), "cache/sentinel/2", "cache-sentinel-2"),
            (NodeName::actor("app", 0), "app/actor/0", "app-actor-0"),
        ] {
            assert_eq!((&*name.to_string(), &*name.file_name()), (text, file));
            assert_eq!(text.parse(), Ok(name));
        }
        for bad in ["cache/1", "cache/guard/0", "cache/1/x", "a/b/1/0"] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_servers_with_keys_have_a_shard() {
        assert_eq!(NodeName::new("cache", u32::MAX, 0).shard(), Some(u32::MAX));
        assert_eq!(NodeName::sentinel("cache", 0).shard_name(), None);
        assert!(NodeName::new("c", 9, 9) < NodeName::sentinel("c", 0), "sentinels come last");
    }
}
