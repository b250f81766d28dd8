//! The shards of groups to which writes are carried from others. Each has an outbox, positions and
//! lives of its own.
//!
//! redrill's own keys stand in the shard whose writes they are about. In a cluster they have a hash
//! tag for that: a constant one for each shard, in its slots. No step moves slots of such a group.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::even_slots;
use crate::model::slot::{SlotSet, slot_of};
use crate::spec::topology::Group;

/// What redrill's own keys of a shard have in their names: `{17}`, or nothing outside a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
    /// The first number that falls into these slots.
    fn within(slots: &SlotSet) -> Tag {
        let mut numbers = (0..u32::MAX).map(|n| n.to_string());
        let first = numbers.find(|number| slots.contains(slot_of(number.as_bytes())));
        Tag(first.map(|number| format!("{{{number}}}")).unwrap_or_default())
    }

    /// Whether there is one: other shards of the group have others.
    pub fn is_some(&self) -> bool {
        !self.0.is_empty()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A shard, as far as keys are concerned. It is the same one in all groups that have the same data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shard {
    pub tag: Tag,
    /// None outside a cluster.
    slots: Option<SlotSet>,
}

impl Shard {
    /// Those of a group, as it was formed. One that is no cluster counts as one shard.
    pub fn all_of(group: &Group) -> Vec<Shard> {
        if !group.is_cluster() {
            return vec![Shard::default()];
        }
        let of = |slots: SlotSet| Shard { tag: Tag::within(&slots), slots: Some(slots) };
        even_slots(group.shards()).into_iter().map(of).collect()
    }

    /// Whether it is a shard of a cluster.
    pub fn has_slots(&self) -> bool {
        self.slots.is_some()
    }

    pub fn has(&self, key: &str) -> bool {
        self.has_slot(slot_of(key.as_bytes()))
    }

    pub fn has_slot(&self, slot: u16) -> bool {
        self.slots.as_ref().is_none_or(|slots| slots.contains(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::topology::{Limits, Mode, Placement};

    fn group(mode: Mode) -> Group {
        let (name, placement) = ("us".to_owned(), Placement::Anywhere);
        let (config, port, limits) = (Default::default(), None, Limits::default());
        Group { name, mode, placement, config, port, limits }
    }

    #[test]
    fn a_tag_lies_in_its_shard_and_is_always_the_same() {
        for shards in [3, 7, 100] {
            let all = Shard::all_of(&group(Mode::Cluster { shards, replicas: 1 }));
            for (n, shard) in all.iter().enumerate() {
                let key = format!("redrill:outbox{}", shard.tag);
                let has: Vec<bool> = all.iter().map(|other| other.has(&key)).collect();
                assert_eq!(has.iter().position(|has| *has), Some(n));
                assert_eq!(has.iter().filter(|has| **has).count(), 1);
            }
        }
        let tags = Shard::all_of(&group(Mode::Cluster { shards: 3, replicas: 0 }));
        let tags: Vec<String> = tags.iter().map(|shard| shard.tag.to_string()).collect();
        assert_eq!(tags, ["{3}", "{1}", "{0}"]);
    }

    #[test]
    fn outside_a_cluster_names_are_as_they_are() {
        let all = Shard::all_of(&group(Mode::Standalone));
        assert_eq!(all, [Shard::default()]);
        assert!(all[0].has("any") && !all[0].tag.is_some() && all[0].tag.to_string().is_empty());
    }
}
