//! The view of each node of a group, and whether the views are the same.
//!
//! A cluster has no central truth: each node keeps its own table of slots and roles, and gossip
//! makes the tables equal after a while. So every node is asked ([`views`]), and a pure
//! function finds what the views have in common ([`compare`]).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::time::timeout;

use super::form::DeployedGroup;
use super::node_view::{Leader, NodeView};
use super::roles;

use crate::model::NodeName;
use crate::model::event::{Role, ShardView, View};
use crate::model::slot::SlotSet;
use crate::node::{Node, NodeError, NodeLine, Section};

/// Asks every node at once. The answers are in the order of `nodes`. A node that does not
/// answer gives its error and delays no other.
pub async fn views(nodes: &[Node]) -> Vec<Result<NodeView, NodeError>> {
    let views = join_all(nodes.iter().map(node_view)).await;
    views.iter().flatten().for_each(|node_view| learn_shard(nodes, node_view));
    views
}

/// Notes which shard a replica belongs to: that of the primary which it names. It keeps that
/// shard when it is promoted, so a shard is followed through whoever takes over its slots,
/// wherever the new primary started. Spare replicas move to primaries that have none, and a
/// primary that has given away its last slot becomes a replica of the node that got it
/// (`cluster-allow-replica-migration`).
pub fn learn_shard(nodes: &[Node], node_view: &NodeView) {
    let with_id = |id: &str| nodes.iter().find(|node| node.id == id);
    let Some(line) = node_view.own_line() else { return };
    let follows = line.primary.as_deref().and_then(with_id);
    if let (Some(own), Some(shard)) = (with_id(&line.id), follows.and_then(Node::shard)) {
        own.joins_shard(shard);
    }
}

/// The requests of [`node_view`].
pub const REQUESTS: u32 = 3;

/// Asks one node.
pub async fn node_view(node: &Node) -> Result<NodeView, NodeError> {
    let admin = &node.admin;
    let (lines, cluster, replication) = futures::try_join!(
        admin.cluster_nodes(),
        admin.cluster_info(),
        admin.info(Section::Replication)
    )?;
    Ok(NodeView {
        node: node.name.clone(),
        state_ok: cluster.state_ok,
        role: replication.role(),
        link_up: replication.master_link_up(),
        lines,
        leader: Leader::default(),
    })
}

/// How long a node may take to say who leads. A step waits for the answers.
const SOON: Duration = Duration::from_millis(300);
/// So much more for each node of the group: all are asked at once, and each answers with a line
/// for every node.
const SOON_EACH: Duration = Duration::from_millis(10);
/// When most nodes have answered, each further answer may take this much longer than the one
/// before.
const A_MOMENT: Duration = Duration::from_millis(20);

/// The current primary and replicas of each shard of the group. In a cluster, the view of most
/// nodes counts; in another group, each node's own report.
pub async fn shards_now(group: &DeployedGroup) -> Vec<ShardView> {
    let soon = SOON + SOON_EACH * group.nodes.len() as u32;
    let apart = |node: &Node| node.clone().asked(node.admin.apart().with_timeout(soon));
    let nodes = &group.nodes.iter().map(apart).collect::<Vec<_>>();
    if group.spec.is_cluster() {
        let said = said_by_most(nodes, soon).await;
        return compare(nodes, said.iter().map(Vec::as_slice)).shards;
    }
    vec![roles::now(group).await]
}

/// Does not wait for nodes that stand still once most have answered.
async fn said_by_most(nodes: &[Node], soon: Duration) -> Vec<Vec<NodeLine>> {
    let mut asked: FuturesUnordered<_> = nodes.iter().map(node_view).collect();
    let mut seen = Vec::new();
    loop {
        let patience = if seen.len() * 2 > nodes.len() { A_MOMENT } else { soon };
        let Ok(Some(answer)) = timeout(patience, asked.next()).await else { return seen };
        let Ok(node_view) = answer else { continue };
        learn_shard(nodes, &node_view);
        seen.push(node_view.lines);
    }
}

/// The view that the answering nodes share, or that of most of them where they differ. `nodes`
/// are all nodes of the group, so that those without an answer have names too; `seen` has the
/// lines of each node that answered. Without any answer there is no agreement.
pub fn compare<'a>(nodes: &[Node], seen: impl IntoIterator<Item = &'a [NodeLine]>) -> View {
    let group = nodes.first().map(|node| node.name.group.clone()).unwrap_or_default();
    let mut votes: HashMap<Digest, Votes> = HashMap::new();
    for lines in seen {
        let votes = votes.entry(Digest::of(lines)).or_insert(Votes { count: 0, lines });
        votes.count += 1;
        if newest_epoch(lines) > newest_epoch(votes.lines) {
            votes.lines = lines;
        }
    }
    let agreed = votes.len() == 1;
    // In a tie the view with the newest epoch wins, as it does among the nodes.
    let most = votes.into_values().max_by_key(|votes| (votes.count, newest_epoch(votes.lines)));
    let shards = most.map(|votes| shards(votes.lines, nodes)).unwrap_or_default();
    View { group, agreed, shards }
}

struct Votes<'a> {
    count: usize,
    /// The lines of the node with the newest epoch among those with the same view.
    lines: &'a [NodeLine],
}

/// The part of a node's view that all nodes should have in common: who is there, in which role,
/// with which slots. Epochs, pings, links and suspicions are left out.
#[derive(PartialEq, Eq, Hash)]
struct Digest<'a>(BTreeMap<&'a str, (Role, Option<&'a str>, &'a SlotSet)>);

impl Digest<'_> {
    fn of(lines: &[NodeLine]) -> Digest<'_> {
        let known = lines.iter().filter(|line| line.is_known());
        let seat = |line| {
            let NodeLine { flags, primary, slots, .. }: &NodeLine = line;
            (flags.role, primary.as_deref(), slots)
        };
        Digest(known.map(|line| (line.id.as_str(), seat(line))).collect())
    }
}

fn newest_epoch(lines: &[NodeLine]) -> u64 {
    lines.iter().map(|line| line.epoch).max().unwrap_or(0)
}

/// Each line is looked at once: there may be hundreds, from hundreds of nodes.
fn shards(lines: &[NodeLine], nodes: &[Node]) -> Vec<ShardView> {
    let by_id: HashMap<&str, &Node> = nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    // A shard without known nodes has not joined yet, or has left. A shard that gave away its
    // last slot is still there, without nodes.
    let mut primaries: BTreeMap<u32, Option<&NodeLine>> = BTreeMap::new();
    let mut replicas: HashMap<&str, Vec<NodeName>> = HashMap::new();
    for line in lines {
        let Some(node) = by_id.get(line.id.as_str()) else { continue };
        for shard in [node.name.shard(), node.shard()].into_iter().flatten() {
            primaries.entry(shard).or_default();
        }
        if let Some(primary) = &line.primary {
            replicas.entry(primary).or_default().push(node.name.clone());
        }
        if let (Role::Primary, Some(shard)) = (line.flags.role, node.shard()) {
            let leads = primaries.entry(shard).or_default();
            *leads = (*leads).into_iter().chain([line]).max_by_key(|line| claim(line));
        }
    }
    let shard = |(shard, primary): (u32, Option<&NodeLine>)| {
        let Some(primary) = primary else {
            return ShardView { shard, slots: SlotSet::default(), primary: None, replicas: vec![] };
        };
        let mut replicas = replicas.remove(primary.id.as_str()).unwrap_or_default();
        replicas.sort();
        let name = by_id.get(primary.id.as_str()).map(|node| node.name.clone());
        ShardView { shard, slots: primary.slots.clone(), primary: name, replicas }
    };
    primaries.into_iter().map(shard).collect()
}

/// The primary of a shard is the node that belongs to it and is primary now. If two nodes are,
/// it is the one that owns slots and has not failed.
fn claim(line: &NodeLine) -> (bool, bool, u64) {
    (!line.slots.is_empty(), !line.flags.fail, line.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(shard: u32, ordinal: u32) -> Node {
        let addr = format!("127.0.0.1:7{shard}{ordinal}").parse().unwrap();
        let born = if ordinal == 0 { Role::Primary } else { Role::Replica };
        Node::new(NodeName::new("c", shard, ordinal), addr, format!("n{shard}{ordinal}"), born)
    }

    fn nodes() -> Vec<Node> {
        vec![node(0, 0), node(0, 1), node(1, 0), node(1, 1)]
    }

    fn seen(text: &str) -> Vec<NodeLine> {
        NodeLine::parse_all(text).unwrap()
    }

    fn compare(nodes: &[Node], seen: &[Vec<NodeLine>]) -> View {
        super::compare(nodes, seen.iter().map(Vec::as_slice))
    }

    const BEFORE: &str = "n00 127.0.0.1:1@1 master - 0 7 1 connected 0-99
        n01 127.0.0.1:1@1 slave n00 0 0 1 connected
        n10 127.0.0.1:1@1 master - 0 0 2 connected 100-199
        n11 127.0.0.1:1@1 slave n10 0 0 2 connected";

    #[test]
    fn what_is_each_nodes_own_does_not_count_as_difference() {
        let nodes = nodes();
        let other =
            BEFORE.replace("127.0.0.1:1@1 slave n10 0 0 2", "127.0.0.1:1@1 slave n10 5 6 0");
        let view = compare(&nodes, &[seen(BEFORE), seen(&other)]);
        assert!(view.agreed);
        assert_eq!(view.shards[1].slots.to_string(), "100-199");
        assert_eq!(view.shards[1].primary, Some(NodeName::new("c", 1, 0)));
        assert_eq!(view.shards[1].replicas, [NodeName::new("c", 1, 1)]);
    }

    #[test]
    fn the_majority_is_shown_where_nodes_differ() {
        let nodes = nodes();
        let moved = BEFORE.replace("0-99", "0-98").replace("100-199", "99-199");
        let view = compare(&nodes, &[BEFORE, &moved, &moved].map(seen));
        assert!(!view.agreed);
        assert_eq!(view.shards[0].slots.to_string(), "0-98");
    }

    #[test]
    fn a_failover_keeps_the_shard_and_changes_its_primary() {
        let nodes = nodes();
        let after = "n00 127.0.0.1:1@1 master,fail - 0 0 1 disconnected
            n01 127.0.0.1:1@1 master - 0 0 3 connected 0-99
            n10 127.0.0.1:1@1 master - 0 0 2 connected 100-199
            n11 127.0.0.1:1@1 slave n01 0 0 2 connected";
        let view = compare(&nodes, &[seen(after)]);
        assert_eq!(view.shards[0].primary, Some(NodeName::new("c", 0, 1)));
        assert_eq!(view.shards[0].replicas, [NodeName::new("c", 1, 1)]);
        assert!(view.shards[1].replicas.is_empty());
    }

    /// Learns from the line of `node` about itself.
    fn tells(nodes: &[Node], node: usize, rest: &str) {
        let line = format!("{} 127.0.0.1:1@1 myself,{rest}", nodes[node].id);
        let (name, lines) = (nodes[node].name.clone(), seen(&line));
        let (role, link_up, leader) = (None, None, Leader::default());
        let node_view = NodeView { node: name, state_ok: true, role, link_up, lines, leader };
        learn_shard(nodes, &node_view);
    }

    #[test]
    fn a_replica_that_moved_leads_the_shard_that_it_moved_to() {
        let nodes = nodes();
        tells(&nodes, 1, "slave n10 0 0 2 connected");
        let after = "n00 127.0.0.1:1@1 master - 0 7 1 connected 0-99
            n01 127.0.0.1:1@1 master - 0 0 3 connected 100-199
            n10 127.0.0.1:1@1 master,fail - 0 0 2 disconnected
            n11 127.0.0.1:1@1 slave n10 0 0 2 disconnected";
        tells(&nodes, 1, "master - 0 0 3 connected 100-199");
        let view = compare(&nodes, &[seen(after)]);
        assert_eq!(view.shards[0].primary, Some(NodeName::new("c", 0, 0)));
        assert_eq!(view.shards[1].primary, Some(NodeName::new("c", 0, 1)));
        assert_eq!(view.shards[1].slots.to_string(), "100-199");
        // A node that comes back becomes its replica.
        tells(&nodes, 2, "slave n01 0 0 3 connected");
        assert_eq!([0, 1, 2, 3].map(|n| nodes[n].shard()), [0, 1, 1, 1].map(Some));
    }

    #[test]
    fn a_shard_that_gave_up_its_last_slot_has_nobody_in_it() {
        let nodes = nodes();
        let after = "n00 127.0.0.1:1@1 master - 0 7 3 connected 0-199
            n01 127.0.0.1:1@1 slave n00 0 0 3 connected
            n10 127.0.0.1:1@1 slave n00 0 0 3 connected
            n11 127.0.0.1:1@1 slave n00 0 0 3 connected";
        tells(&nodes, 3, "slave n10 0 0 2 connected");
        tells(&nodes, 2, "slave n00 0 0 3 connected");
        assert_eq!(nodes[3].shard(), Some(1), "it has not said otherwise");
        tells(&nodes, 3, "slave n00 0 0 3 connected");
        assert_eq!([2, 3].map(|n| nodes[n].shard()), [Some(0); 2]);
        let view = compare(&nodes, &[seen(after)]);
        assert_eq!((view.shards.len(), view.shards[0].replicas.len()), (2, 3));
        assert_eq!((view.shards[1].slots.len(), &view.shards[1].primary), (0, &None));
    }

    #[test]
    fn nothing_seen_is_nothing_agreed() {
        let view = compare(&nodes(), &[]);
        assert!(!view.agreed && view.shards.is_empty());
    }
}
