//! Which shard each node belongs to, according to the views one after the other.
//!
//! A node's name says where it started. A spare replica may move to a primary of another shard
//! that has none, and be promoted there. A primary that has given away its last slot follows
//! the node that got it. So a node belongs to the shard that it led or followed in the last
//! view in which it did.

use std::collections::BTreeMap;

use crate::model::event::View;
use crate::model::{NodeName, ShardName};

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
