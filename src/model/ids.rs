//! Names of shards and nodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A shard of a group: `cache/1`. Groups that have no shards count as one, `0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardName {
    pub group: String,
    pub shard: u32,
}

/// One server process: `cache/1/0`. Ordinal 0 was born primary and keeps its
/// name when roles change. A group's sentinels are `cache/sentinel/0` and so on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    pub group: String,
    pub shard: u32,
    pub ordinal: u32,
}

/// Where a sentinel's name has a shard's number: it belongs to none, and sorts after all.
const NO_SHARD: u32 = u32::MAX;
/// The word for it.
const SENTINEL: &str = "sentinel";

/// A shard's number as it stands in names.
fn shard_word(shard: u32) -> String {
    if shard == NO_SHARD { SENTINEL.to_owned() } else { shard.to_string() }
}

fn read_shard(word: &str) -> Option<u32> {
    if word == SENTINEL { Some(NO_SHARD) } else { word.parse().ok().filter(|n| *n != NO_SHARD) }
}

impl NodeName {
    pub fn new(group: impl Into<String>, shard: u32, ordinal: u32) -> NodeName {
        NodeName { group: group.into(), shard, ordinal }
    }

    /// `cache/sentinel/0`
    pub fn sentinel(group: impl Into<String>, ordinal: u32) -> NodeName {
        NodeName::new(group, NO_SHARD, ordinal)
    }

    /// It holds no keys, and watches those that do.
    pub fn is_sentinel(&self) -> bool {
        self.shard == NO_SHARD
    }

    pub fn shard_name(&self) -> ShardName {
        ShardName { group: self.group.clone(), shard: self.shard }
    }

    /// The name as a file name: `cache-1-0`.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}", self.group, shard_word(self.shard), self.ordinal)
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, shard_word(self.shard))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.group, shard_word(self.shard), self.ordinal)
    }
}

/// A name that is not `group/shard` or `group/shard/ordinal`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: a shard is written group/shard, a node group/shard/ordinal, as in cache/1/0"
)]
pub struct BadName(pub String);

impl FromStr for ShardName {
    type Err = BadName;
    fn from_str(s: &str) -> Result<ShardName, BadName> {
        let bad = || BadName(s.to_owned());
        let (group, shard) = s.split_once('/').ok_or_else(bad)?;
        let shard = read_shard(shard).ok_or_else(bad)?;
        Ok(ShardName { group: group.to_owned(), shard })
    }
}

impl FromStr for NodeName {
    type Err = BadName;
    fn from_str(s: &str) -> Result<NodeName, BadName> {
        let bad = || BadName(s.to_owned());
        let (shard, ordinal) = s.rsplit_once('/').ok_or_else(bad)?;
        let shard: ShardName = shard.parse().map_err(|_| bad())?;
        let ordinal = ordinal.parse().map_err(|_| bad())?;
        Ok(NodeName { group: shard.group, shard: shard.shard, ordinal })
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
serde_as_text!(ShardName, NodeName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sentinels_are_read_as_they_are_written() {
        let name = NodeName::sentinel("cache", 2);
        assert_eq!(
            (&*name.to_string(), &*name.file_name()),
            ("cache/sentinel/2", "cache-sentinel-2")
        );
        assert_eq!("cache/sentinel/2".parse(), Ok(name.clone()));
        assert!(name.is_sentinel() && !NodeName::new("cache", 0, 2).is_sentinel());
        assert!("cache/4294967295/2".parse::<NodeName>().is_err(), "they have one name only");
    }
}
