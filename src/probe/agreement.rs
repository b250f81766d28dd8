//! The view of each node of a group, and since when all views have been the same.
//!
//! Nodes are asked one by one, again and again, so no two of them are seen at the same instant.
//! But each view has a date: the instant since which that node has had it. If all views are the
//! same now, they have been the same since the latest of these instants.

use crate::cluster::node_view::NodeView;
use crate::cluster::view::compare;
use crate::cluster::{health, roles};
use crate::model::event::{Role, View};
use crate::model::{Nanos, NodeName};
use crate::node::{Node, NodeError};

/// The nodes of one group and their views.
#[derive(Debug)]
pub(super) struct GroupViews {
    cluster: bool,
    nodes: Vec<Node>,
    states: Vec<NodeState>,
}

#[derive(Debug)]
enum NodeState {
    /// It has not answered yet, or its last answer could not be used.
    Unheard,
    /// It cannot be reached: not a live node.
    Gone,
    /// It has not answered in time: not a live node now, but it may become one again.
    Silent,
    Live(Box<LiveView>),
}

#[derive(Debug)]
struct LiveView {
    node_view: NodeView,
    /// The part of its view that is compared: slot owners and roles.
    view: View,
    /// When the last answer was requested.
    asked: Nanos,
    /// Since when it has had this view and this cluster state.
    view_since: Nanos,
    /// Since when its link to its primary has been in this state.
    link_since: Nanos,
}

impl LiveView {
    fn is_as(&self, other: &LiveView) -> bool {
        let what = |live: &LiveView| (live.node_view.state_ok, live.node_view.leader.at);
        self.view == other.view && what(self) == what(other)
    }
}

/// All live nodes of a group agree, the cluster state is ok, and every slot has an owner that
/// lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreement {
    pub(super) since: Nanos,
    /// Since when every replica's link has been up as well; `None` if one is down.
    pub(super) linked_since: Option<Nanos>,
    /// Every live node was asked at this instant or later.
    pub(super) asked: Nanos,
}

impl Agreement {
    /// The agreement of two groups together.
    pub(super) fn and(self, other: Agreement) -> Agreement {
        Agreement {
            since: self.since.max(other.since),
            linked_since: self.linked_since.zip(other.linked_since).map(|(a, b)| a.max(b)),
            asked: self.asked.min(other.asked),
        }
    }
}

impl GroupViews {
    pub(super) fn new(cluster: bool, nodes: Vec<Node>) -> GroupViews {
        let states = nodes.iter().map(|_| NodeState::Unheard).collect();
        GroupViews { cluster, nodes, states }
    }

    /// Records an answer of node `i`: it was asked at `asked`, and answered at `answered`.
    pub(super) fn hear(
        &mut self,
        i: usize,
        (asked, answered): (Nanos, Nanos),
        answer: Result<NodeView, NodeError>,
    ) {
        let node_view = match answer {
            Ok(node_view) => node_view,
            Err(error) => {
                self.states[i] = match error.is_gone() {
                    true if error.is_silence() => NodeState::Silent,
                    true => NodeState::Gone,
                    false => NodeState::Unheard,
                };
                return;
            }
        };
        let view = self.view_of(&[&node_view]);
        let mut live =
            LiveView { view, node_view, asked, view_since: answered, link_since: answered };
        if let NodeState::Live(before) = &self.states[i] {
            if before.is_as(&live) {
                live.view_since = before.view_since;
            }
            if before.node_view.link_up == live.node_view.link_up {
                live.link_since = before.link_since;
            }
        }
        self.states[i] = NodeState::Live(Box::new(live));
    }

    fn live(&self) -> impl Iterator<Item = &LiveView> {
        self.states.iter().filter_map(|state| match state {
            NodeState::Live(live) => Some(live.as_ref()),
            _ => None,
        })
    }

    /// The live nodes that take writes by their own account.
    pub(super) fn primaries(&self) -> impl Iterator<Item = &NodeName> {
        let primary = |live: &&LiveView| live.node_view.role == Some(Role::Primary);
        self.live().filter(primary).map(|live| &live.node_view.node)
    }

    /// Whether each node has answered or is known to be gone. A node that is only slow is
    /// neither.
    pub(super) fn has_spoken(&self) -> bool {
        self.states.iter().all(|state| matches!(state, NodeState::Live(_) | NodeState::Gone))
    }

    /// The first of `nodes` that is of this group and does not answer.
    pub(super) fn absent<'n>(&self, nodes: &'n [NodeName]) -> Option<&'n NodeName> {
        let own = self.nodes.iter().zip(&self.states);
        let silent: Vec<&NodeName> = own
            .filter(|(_, state)| !matches!(state, NodeState::Live(_)))
            .map(|(node, _)| &node.name)
            .collect();
        nodes.iter().find(|name| silent.contains(name))
    }

    fn all_heard(&self) -> bool {
        self.states.iter().all(|state| !matches!(state, NodeState::Unheard))
    }

    /// The view of the live nodes together. `None` until each node has answered or is known to
    /// be gone.
    pub(super) fn view(&self) -> Option<View> {
        let node_views: Vec<&NodeView> = self.live().map(|live| &live.node_view).collect();
        (self.all_heard() && !node_views.is_empty()).then(|| self.view_of(&node_views))
    }

    fn view_of(&self, node_views: &[&NodeView]) -> View {
        if !self.cluster {
            // Without slots, each node reports its own role.
            let (shard, agreed) = roles::compare(&self.nodes, node_views);
            let group = self.nodes.first().map(|node| node.name.group.clone());
            return View { group: group.unwrap_or_default(), agreed, shards: vec![shard] };
        }
        compare(&self.nodes, node_views.iter().map(|node_view| &node_view.lines[..]))
    }

    pub(super) fn agreement(&self) -> Option<Agreement> {
        let agreed = self.view()?.agreed
            && self.live().all(|live| live.node_view.state_ok)
            && self.is_served();
        let linked = self.live().all(|live| live.node_view.link_up != Some(false));
        let since = self.live().map(|live| live.view_since).max()?;
        let links = self.live().map(|live| live.link_since).max()?;
        let asked = self.live().map(|live| live.asked).min()?;
        agreed.then(|| Agreement { since, linked_since: linked.then(|| since.max(links)), asked })
    }

    /// Every slot has an owner that lives. Outside a cluster, [`roles::compare`] sees to it.
    fn is_served(&self) -> bool {
        let node_views: Vec<&NodeView> = self.live().map(|live| &live.node_view).collect();
        !self.cluster || health::unserved(&self.nodes, &node_views).is_empty()
    }

    /// How the nodes' views differ now, or what nobody serves; empty if all is well.
    pub(super) fn disputes(&self) -> Vec<String> {
        let node_views: Vec<&NodeView> = self.live().map(|live| &live.node_view).collect();
        let states = self.nodes.iter().zip(&self.states);
        let silent = states.filter(|(_, state)| matches!(state, NodeState::Unheard));
        let silent: Vec<&NodeName> = silent.map(|(node, _)| &node.name).collect();
        match self.cluster {
            true => health::disputes_in_cluster(&self.nodes, &node_views, &silent),
            false => health::disputes_in_replication(&self.nodes, &node_views, &silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::node_view::Leader;
    use crate::node::NodeLine;

    const BEFORE: &str = "n00 127.0.0.1:1@1 master - 0 7 1 connected 0-99
        n10 127.0.0.1:1@1 master - 0 0 2 connected 100-16383";
    const AFTER: &str = "n00 127.0.0.1:1@1 master - 0 7 1 connected 0-98
        n10 127.0.0.1:1@1 master - 0 0 2 connected 99-16383";

    fn node(shard: u32) -> Node {
        let addr = format!("127.0.0.1:700{shard}").parse().unwrap();
        Node::new(NodeName::new("c", shard, 0), addr, format!("n{shard}0"), Role::Primary)
    }

    fn node_view(shard: u32, text: &str) -> NodeView {
        NodeView {
            node: NodeName::new("c", shard, 0),
            state_ok: true,
            role: Some(Role::Primary),
            link_up: None,
            lines: NodeLine::parse_all(text).unwrap(),
            leader: Leader::default(),
        }
    }

    fn gone(node: &Node) -> NodeError {
        let problem = Box::new(crate::node::Problem::Timeout(std::time::Duration::ZERO));
        NodeError { node: node.name.clone(), addr: node.addr, command: "PING".into(), problem }
    }

    fn group() -> GroupViews {
        GroupViews::new(true, vec![node(0), node(1)])
    }

    fn at(n: u64) -> (Nanos, Nanos) {
        (Nanos(n), Nanos(n + 1))
    }

    #[test]
    fn agreement_is_as_old_as_its_youngest_belief() {
        let mut group = group();
        group.hear(0, at(10), Ok(node_view(0, BEFORE)));
        assert_eq!(group.agreement(), None, "one node was not heard");
        group.hear(1, at(20), Ok(node_view(1, BEFORE)));
        let since = |group: &GroupViews| group.agreement().map(|a| (a.since.0, a.asked.0));
        assert_eq!(since(&group), Some((21, 10)));
        group.hear(0, at(30), Ok(node_view(0, AFTER)));
        assert_eq!(since(&group), None);
        assert!(!group.view().unwrap().agreed);
        group.hear(1, at(40), Ok(node_view(1, AFTER)));
        group.hear(0, at(50), Ok(node_view(0, AFTER)));
        assert_eq!(since(&group), Some((41, 40)));
    }

    #[test]
    fn a_cluster_that_is_not_ok_has_not_converged() {
        let mut group = group();
        group.hear(0, at(10), Ok(node_view(0, BEFORE)));
        group.hear(1, at(20), Ok(NodeView { state_ok: false, ..node_view(1, BEFORE) }));
        assert_eq!(group.agreement(), None);
        group.hear(1, at(30), Ok(node_view(1, BEFORE)));
        assert_eq!(group.agreement().unwrap().since, Nanos(31));
    }

    #[test]
    fn a_link_that_is_down_spoils_the_links_and_not_the_view() {
        let mut group = group();
        group.hear(0, at(10), Ok(node_view(0, BEFORE)));
        group.hear(1, at(20), Ok(NodeView { link_up: Some(false), ..node_view(1, BEFORE) }));
        assert_eq!(group.agreement().unwrap().linked_since, None);
        group.hear(1, at(30), Ok(NodeView { link_up: Some(true), ..node_view(1, BEFORE) }));
        let agreement = group.agreement().unwrap();
        assert_eq!((agreement.since, agreement.linked_since), (Nanos(21), Some(Nanos(31))));
    }

    #[test]
    fn only_live_nodes_must_agree_and_every_owner_must_live() {
        let mut group = GroupViews::new(true, vec![node(0), node(1), node(2)]);
        let replica = "\nn20 127.0.0.1:1@1 slave n00 0 0 1 connected";
        let [before, after] = [BEFORE, AFTER].map(|text| text.to_owned() + replica);
        group.hear(0, at(10), Ok(node_view(0, &before)));
        group.hear(1, at(15), Ok(node_view(1, &before)));
        group.hear(2, at(20), Ok(node_view(2, &after)));
        assert_eq!(group.agreement(), None);
        group.hear(2, at(30), Err(gone(&node(2))));
        assert_eq!(group.agreement().unwrap().since, Nanos(16));
        group.hear(1, at(40), Err(gone(&node(1))));
        let all = [node(0).name, node(1).name];
        assert_eq!(group.absent(&all), Some(&all[1]));
        assert_eq!(group.absent(&all[..1]), None, "nobody waits for it");
        assert_eq!(group.agreement(), None, "all who are left agree on the dead");
        let how = group.disputes();
        assert_eq!(how, ["slots 100-16383 are not served: c/1/0 does not answer"]);
        group.hear(1, at(50), Ok(node_view(1, &before)));
        assert_eq!(group.agreement().unwrap().since, Nanos(51), "it is back");
        let failed = before.replace("master - 0 0 2", "master,fail - 0 0 2");
        group.hear(0, at(60), Ok(node_view(0, &failed)));
        assert_eq!(group.agreement(), None, "it lives, and the others have given it up");
        group.hear(0, at(70), Err(gone(&node(0))));
        group.hear(1, at(70), Err(gone(&node(1))));
        assert_eq!(group.agreement(), None, "nobody is left to agree");
    }

    #[test]
    fn without_slots_there_must_be_one_primary() {
        let mut group = GroupViews::new(false, vec![node(0), node(1)]);
        group.hear(0, at(10), Ok(node_view(0, "")));
        group.hear(1, at(20), Ok(node_view(1, "")));
        assert_eq!(group.agreement(), None, "two primaries");
        let leader = Leader { at: Some(node(0).announced), ..Leader::default() };
        let follows = NodeView { role: Some(Role::Replica), leader, ..node_view(1, "") };
        group.hear(1, at(30), Ok(follows));
        let view = group.view().unwrap();
        assert!(view.agreed && group.agreement().unwrap().since == Nanos(31));
        assert_eq!(view.shards[0].primary, Some(node(0).name));
        assert_eq!(view.shards[0].replicas, [node(1).name]);
    }
}
