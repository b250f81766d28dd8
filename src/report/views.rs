//! What the many slot views of a drill say: which shard each node belongs to, and a few of them
//! for the reader.

use std::collections::BTreeMap;

use crate::model::event::{ShardView, View};
use crate::model::{Nanos, NodeName, ShardName};

use super::data::{Moment, Owned, Ownership, millis};

/// How many views are kept while a step runs. If there are more, every second one is dropped.
const KEPT: usize = 64;
/// How many of those are shown.
const SHOWN: usize = 4;

/// The views of all groups.
#[derive(Debug, Default)]
pub(super) struct Views {
    groups: Vec<GroupViews>,
}

#[derive(Debug)]
struct GroupViews {
    group: String,
    /// The last one before any step began.
    before: Option<(Nanos, View)>,
    during: Vec<(Nanos, View)>,
    last: (Nanos, View),
    /// One view in so many is kept.
    stride: u64,
    heard: u64,
}

impl Views {
    pub fn hear(&mut self, at: Nanos, view: View, begun: bool) {
        let known = self.groups.iter().position(|known| known.group == view.group);
        let group = match known {
            Some(i) => &mut self.groups[i],
            None => {
                self.groups.push(GroupViews {
                    group: view.group.clone(),
                    before: None,
                    during: Vec::new(),
                    last: (at, view.clone()),
                    stride: 1,
                    heard: 0,
                });
                let last = self.groups.len() - 1;
                &mut self.groups[last]
            }
        };
        group.hear(at, view, begun);
    }

    /// The shards of `group` before any step, or when they were seen first.
    pub fn before(&self, group: &str) -> Option<&[ShardView]> {
        self.of(group).map(|g| &*g.before.as_ref().unwrap_or(&g.last).1.shards)
    }

    /// The shards of `group` when last seen.
    pub fn after(&self, group: &str) -> Option<&[ShardView]> {
        self.of(group).map(|g| &*g.last.1.shards)
    }

    fn of(&self, group: &str) -> Option<&GroupViews> {
        self.groups.iter().find(|known| known.group == group)
    }

    /// A few views of each group that has slots.
    pub fn shown(&self) -> Vec<Ownership> {
        self.groups.iter().filter(|g| g.has_slots()).flat_map(GroupViews::shown).collect()
    }
}

impl GroupViews {
    fn hear(&mut self, at: Nanos, view: View, begun: bool) {
        if !begun {
            self.before = Some((at, view.clone()));
        } else if self.heard.is_multiple_of(self.stride) {
            self.during.push((at, view.clone()));
            if self.during.len() > KEPT {
                let mut index = 0;
                self.during.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.stride *= 2;
            }
        }
        self.heard += u64::from(begun);
        self.last = (at, view);
    }

    fn has_slots(&self) -> bool {
        self.last.1.shards.iter().any(|shard| !shard.slots.is_empty())
    }

    fn shown(&self) -> Vec<Ownership> {
        let owned = |s: &ShardView| Owned { shard: s.shard, slots: s.slots.clone() };
        let show = |(at, view): &(Nanos, View), moment| Ownership {
            group: self.group.clone(),
            at_ms: millis(*at),
            moment,
            agreed: view.agreed,
            shards: view.shards.iter().map(owned).collect(),
        };
        // The last of `during` equals `after`.
        let between = self.during.len().saturating_sub(1);
        let count = between.min(SHOWN);
        let during = (1..=count).map(|i| &self.during[i * between / (count + 1)]);
        let after = self.during.last().map(|_| &self.last);
        let before = self.before.iter().map(|view| show(view, Moment::Before));
        let during = during.map(|view| show(view, Moment::During));
        before.chain(during).chain(after.map(|view| show(view, Moment::After))).collect()
    }
}

/// Which shard each node belongs to, according to the views one after the other.
///
/// A node's name says where it started. A spare replica may move to a primary of another shard
/// that has none, and be promoted there. A primary that has given away its last slot follows
/// the node that got it. So a node belongs to the shard that it led or followed in the last
/// view in which it did.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<NodeName, ShardName>);

impl Members {
    /// Adds nodes, each in the shard of its name.
    pub fn join<'a>(&mut self, nodes: impl IntoIterator<Item = &'a NodeName>) {
        for node in nodes {
            if let Some(shard) = node.shard_name() {
                self.0.entry(node.clone()).or_insert(shard);
            }
        }
    }

    pub fn hear(&mut self, view: &View) {
        for shard in &view.shards {
            let name = ShardName { group: view.group.clone(), shard: shard.shard };
            for node in shard.primary.iter().chain(&shard.replicas) {
                self.0.insert(node.clone(), name.clone());
            }
        }
    }

    pub fn shard_of(&self, node: &NodeName) -> Option<ShardName> {
        self.0.get(node).cloned().or_else(|| node.shard_name())
    }

    /// All nodes that belong to `shard`.
    pub fn of(&self, shard: &ShardName) -> Vec<NodeName> {
        let of_it = self.0.iter().filter(|(_, other)| *other == shard);
        of_it.map(|(node, _)| node.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::ShardView;

    fn name(shard: u32, ordinal: u32) -> NodeName {
        NodeName::new("c", shard, ordinal)
    }

    fn view(shards: [(Option<NodeName>, Vec<NodeName>); 2]) -> View {
        let shard = |(shard, (primary, replicas))| ShardView {
            shard,
            slots: Default::default(),
            primary,
            replicas,
        };
        let shards = (0..).zip(shards).map(shard).collect();
        View { group: "c".to_owned(), agreed: true, shards }
    }

    #[test]
    fn a_node_belongs_to_the_shard_that_it_led_or_followed_last() {
        let mut members = Members::default();
        let all = [name(0, 0), name(0, 1), name(1, 0), NodeName::sentinel("c", 0)];
        members.join(&all);
        let of = |members: &Members, shard| members.of(&ShardName { group: "c".into(), shard });
        assert_eq!(of(&members, 0), [name(0, 0), name(0, 1)], "without a view, by their names");
        let [a, spare, b, _] = all;
        members.hear(&view([(Some(a.clone()), vec![]), (Some(b.clone()), vec![spare.clone()])]));
        assert_eq!(of(&members, 1), [spare.clone(), b.clone()], "it has moved");
        members.hear(&view([(Some(a), vec![]), (Some(spare.clone()), vec![])]));
        assert_eq!(of(&members, 1), [spare.clone(), b], "who died there belongs there");
        assert_eq!(members.shard_of(&spare).unwrap().shard, 1);
        assert_eq!(members.shard_of(&name(2, 0)).unwrap().shard, 2, "whom nobody has seen");
    }
}
