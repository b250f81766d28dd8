//! The primary of a group that is no cluster.
//!
//! Each node reports its own role there: it is primary, or it replicates a primary that it
//! names. Sentinels name the primary too, and report whether they suspect it. In a group that
//! copies another one, the node that replicates a node of the other group leads.

use futures::future::join_all;

use super::form::DeployedGroup;
use super::node_view::{Leader, NodeView};
use crate::model::event::{Role, ShardView};
use crate::model::slot::SlotSet;
use crate::node::{Node, NodeError, Section};

/// The requests of [`node_view`].
pub fn requests(node: &Node) -> u32 {
    if node.name.is_sentinel() { 2 } else { 1 }
}

/// Asks one node of a group that is no cluster, or one of its sentinels.
pub async fn node_view(node: &Node) -> Result<NodeView, NodeError> {
    let (role, link_up, leader) = match node.name.is_sentinel() {
        true => {
            let (admin, name) = (&node.admin, &node.name.group);
            let (seen, at) =
                futures::try_join!(admin.sentinel_master(name), admin.sentinel_names(name))?;
            // A sentinel that leads a failover still suspects the old primary and already names
            // the new one.
            let of_it = seen.addr() == at;
            let suspected = of_it && seen.subjectively_down();
            let agreed = of_it && seen.objectively_down();
            (Some(Role::Sentinel), None, Leader { at, suspected, agreed })
        }
        false => {
            let info = node.admin.info(Section::Replication).await?;
            let leader = Leader { at: info.master_addr(), ..Leader::default() };
            (info.role(), info.master_link_up(), leader)
        }
    };
    Ok(NodeView {
        node: node.name.clone(),
        state_ok: true,
        role,
        link_up,
        lines: Vec::new(),
        leader,
    })
}

/// Whether the node leads its group, of which `nodes` are all.
pub fn leads(nodes: &[Node], node_view: &NodeView) -> bool {
    let is_outside = |at| nodes.iter().all(|node| node.announced != at);
    match node_view.role {
        Some(Role::Primary) => true,
        Some(Role::Replica) => node_view.leader.at.is_some_and(is_outside),
        Some(Role::Sentinel) | None => false,
    }
}

/// The nodes and sentinels of `nodes` that answered, and whether they agree: one of them is
/// primary, and all others name it. If several call themselves primary, the one that most
/// others name leads.
pub fn compare(nodes: &[Node], seen: &[&NodeView]) -> (ShardView, bool) {
    let leading = || seen.iter().filter(|node_view| leads(nodes, node_view));
    let at = |node_view: &NodeView| {
        nodes.iter().find(|node| node.name == node_view.node).map(|node| node.announced)
    };
    let votes = |node_view: &NodeView| {
        let here = at(node_view);
        seen.iter().filter(|other| here.is_some() && other.leader.at == here).count()
    };
    // Among equals the first in the topology's order.
    let leader = leading().rev().max_by_key(|node_view| votes(node_view));
    let agreed = leading().count() == 1 && leader.is_some_and(|one| votes(one) + 1 == seen.len());
    let follows =
        |node_view: &&&NodeView| node_view.role == Some(Role::Replica) && !leads(nodes, node_view);
    let view = ShardView {
        shard: 0,
        slots: SlotSet::default(),
        primary: leader.map(|node_view| node_view.node.clone()),
        replicas: seen.iter().filter(follows).map(|node_view| node_view.node.clone()).collect(),
    };
    (view, agreed)
}

/// The current primary and replicas of the group.
pub async fn now(group: &DeployedGroup) -> ShardView {
    let nodes: Vec<Node> = group.all().map(Node::apart).collect();
    let seen: Vec<NodeView> =
        join_all(nodes.iter().map(node_view)).await.into_iter().flatten().collect();
    compare(&nodes, &seen.iter().collect::<Vec<_>>()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn nodes() -> Vec<Node> {
        let node = |(n, name): (usize, NodeName)| {
            let addr = format!("127.0.0.{}:7000", n + 1).parse().unwrap();
            Node::new(name, addr, "", Role::Replica)
        };
        let kept = (0..3).map(|n| NodeName::new("c", 0, n));
        kept.chain([NodeName::sentinel("c", 0)]).enumerate().map(node).collect()
    }

    fn node_view(n: usize, role: Role, names: Option<usize>) -> NodeView {
        let nodes = nodes();
        let leader = Leader { at: names.map(|n| nodes[n].announced), ..Leader::default() };
        let (node, lines) = (nodes[n].name.clone(), Vec::new());
        NodeView { node, state_ok: true, role: Some(role), link_up: None, lines, leader }
    }

    fn view(seen: &[NodeView]) -> (Option<u32>, usize, bool) {
        let (view, agreed) = compare(&nodes(), &seen.iter().collect::<Vec<_>>());
        (view.primary.map(|name| name.ordinal), view.replicas.len(), agreed)
    }

    #[test]
    fn all_must_name_the_one_primary() {
        let (primary, replica, sentinel) = (Role::Primary, Role::Replica, Role::Sentinel);
        let mut seen = vec![
            node_view(0, primary, None),
            node_view(1, replica, Some(0)),
            node_view(3, sentinel, Some(0)),
        ];
        assert_eq!(view(&seen), (Some(0), 1, true), "one that was not seen is not asked for");
        seen[2] = node_view(3, sentinel, Some(1));
        assert_eq!(view(&seen), (Some(0), 1, false), "a sentinel is behind, or ahead");
        seen[1] = node_view(1, primary, None);
        assert_eq!(view(&seen), (Some(1), 0, false), "who is named leads");
        seen[0] = node_view(0, replica, Some(1));
        assert_eq!(view(&seen), (Some(1), 1, true));
        assert_eq!(view(&[]), (None, 0, false));
    }

    #[test]
    fn who_replicates_a_node_of_another_group_leads_its_own() {
        let replica = Role::Replica;
        let at = Some("127.0.0.9:7000".parse().unwrap());
        let elsewhere = |n| {
            let leader = Leader { at, ..Leader::default() };
            NodeView { leader, ..node_view(n, replica, None) }
        };
        let follower = node_view(1, replica, Some(0));
        assert_eq!(view(&[elsewhere(0), follower.clone()]), (Some(0), 1, true));
        assert_eq!(view(&[elsewhere(0), elsewhere(1)]), (Some(0), 0, false));
        assert_eq!(view(&[node_view(0, Role::Primary, None), follower]), (Some(0), 1, true));
    }
}
