//! Compares a node's CLUSTER SHARDS with the shards that were planned.
//!
//! A node may report that all slots are covered and the state is ok, and still have a wrong
//! map: the right number of nodes and slots in the wrong places, or a live replica marked as
//! failed. A client that reads its map from such a node would go to the wrong nodes.

use crate::model::NodeName;
use crate::model::event::Role;
use crate::model::slot::SlotSet;
use crate::node::{Health, Node, Shard, ShardNode};

/// The shards of a cluster as they were planned.
pub struct ExpectedShards(Vec<PlannedShard>);

struct PlannedShard {
    slots: SlotSet,
    /// Names, ids and roles.
    nodes: Vec<(NodeName, String, Role)>,
}

impl ExpectedShards {
    /// Shard `n` is to own `slots[n]`.
    pub fn new(nodes: &[Node], slots: Vec<SlotSet>) -> ExpectedShards {
        let of_shard = |shard: u32| {
            let nodes = nodes.iter().filter(|node| node.name.shard() == Some(shard));
            nodes.map(|node| (node.name.clone(), node.id.clone(), node.born)).collect()
        };
        let shards = (0..).zip(slots);
        ExpectedShards(
            shards.map(|(n, slots)| PlannedShard { slots, nodes: of_shard(n) }).collect(),
        )
    }

    /// How many nodes the cluster has.
    pub fn nodes(&self) -> u64 {
        self.0.iter().map(|shard| shard.nodes.len() as u64).sum()
    }

    /// The first difference between a node's view and the plan.
    pub fn lacks(&self, seen: &[Shard]) -> Option<String> {
        self.0.iter().find_map(|planned| planned.lacks(seen))
    }
}

impl PlannedShard {
    fn lacks(&self, seen: &[Shard]) -> Option<String> {
        let (primary, id, _) = self.nodes.iter().find(|(.., role)| *role == Role::Primary)?;
        let Some(shard) = seen.iter().find(|shard| shard.nodes.iter().any(|n| n.id == *id)) else {
            return Some(format!("no shard of its CLUSTER SHARDS has {primary}"));
        };
        if shard.slots != self.slots {
            let (has, planned) = (&shard.slots, &self.slots);
            return Some(format!("it gives the shard of {primary} the slots {has}, not {planned}"));
        }
        self.nodes.iter().find_map(|(name, id, role)| {
            let Some(node) = shard.nodes.iter().find(|node| node.id == *id) else {
                return Some(format!("it does not see {name} in the shard of {primary}"));
            };
            differs(node, *role).map(|what| format!("it reports {name} as {what}"))
        })
    }
}

/// How the view of a node differs from its planned role and health. A replica may be called
/// loading for ten seconds when it is not, so that does not count: the replica itself is asked
/// whether its link is up.
fn differs(node: &ShardNode, planned: Role) -> Option<&'static str> {
    match (node.role, node.health) {
        (Role::Sentinel, _) => Some("a sentinel"),
        (Role::Primary, _) if planned == Role::Replica => Some("a primary"),
        (Role::Replica, _) if planned == Role::Primary => Some("a replica"),
        (_, Health::Failed) => Some("failed"),
        (Role::Primary, Health::Loading) => Some("loading"),
        (_, Health::Online) | (Role::Replica, Health::Loading) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<Node> {
        let node = |shard, ordinal, born| {
            let name = NodeName::new("c", shard, ordinal);
            let id = format!("n{shard}{ordinal}");
            Node::new(name, "127.0.0.1:7000".parse().unwrap(), id, born)
        };
        vec![node(0, 0, Role::Primary), node(0, 1, Role::Replica), node(1, 0, Role::Primary)]
    }

    fn seen_node(id: &str, role: Role, health: Health) -> ShardNode {
        let (endpoint, ip, port) = (None, None, Some(7000));
        ShardNode { id: id.into(), endpoint, ip, port, role, replication_offset: 0, health }
    }

    /// The planned state. A new replica is called loading.
    fn seen() -> Vec<Shard> {
        let first = vec![
            seen_node("n01", Role::Replica, Health::Loading),
            seen_node("n00", Role::Primary, Health::Online),
        ];
        let second = vec![seen_node("n10", Role::Primary, Health::Online)];
        vec![
            Shard { slots: (100..=16383).into(), nodes: second },
            Shard { slots: (0..=99).into(), nodes: first },
        ]
    }

    fn lacks(change: impl Fn(&mut Vec<Shard>)) -> String {
        let expected_shards =
            ExpectedShards::new(&nodes(), vec![(0..=99).into(), (100..=16383).into()]);
        assert_eq!(expected_shards.nodes(), 3);
        let mut seen = seen();
        change(&mut seen);
        expected_shards.lacks(&seen).unwrap_or_default()
    }

    #[test]
    fn whatever_is_not_as_planned_is_named() {
        assert_eq!(lacks(|_| ()), "");
        assert_eq!(
            lacks(|seen| seen[1].slots = (0..=98).into()),
            "it gives the shard of c/0/0 the slots 0-98, not 0-99"
        );
        assert_eq!(lacks(|seen| drop(seen.remove(0))), "no shard of its CLUSTER SHARDS has c/1/0");
        assert_eq!(
            lacks(|seen| drop(seen[1].nodes.remove(0))),
            "it does not see c/0/1 in the shard of c/0/0"
        );
        assert_eq!(
            lacks(|seen| seen[1].nodes[0].health = Health::Failed),
            "it reports c/0/1 as failed"
        );
        assert_eq!(
            lacks(|seen| seen[1].nodes[0].role = Role::Primary),
            "it reports c/0/1 as a primary"
        );
        assert_eq!(
            lacks(|seen| seen[0].nodes[0].role = Role::Replica),
            "it reports c/1/0 as a replica"
        );
        assert_eq!(
            lacks(|seen| seen[0].nodes[0].health = Health::Loading),
            "it reports c/1/0 as loading"
        );
    }
}
