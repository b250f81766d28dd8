//! Whether a group is healthy: every member answers, serves, and replicates the right primary. And
//! in words how its nodes disagree.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use futures::future::join_all;

use super::form::DeployedGroup;
use super::node_view::NodeView;
use super::{roles, view};
use crate::model::NodeName;
use crate::model::event::Role;
use crate::model::slot::{SLOTS, SlotSet};
use crate::node::{Node, NodeError, Section};
use crate::spec::topology::Mode;

/// What is wrong with the group; empty if nothing is. First the nodes that do not serve, then
/// the differences between the others, and the nodes that they mark as failed.
///
/// A cluster node that does not answer and that no other node knows is no member: it has not
/// joined yet, or has left.
pub async fn ailments(group: &DeployedGroup) -> Vec<String> {
    match group.spec.mode {
        Mode::Cluster { .. } => of_cluster(&group.nodes, &view::views(&group.nodes).await),
        _ => of_replication(&group.all().cloned().collect::<Vec<_>>()).await,
    }
}

/// Why a node is not ready to serve; `None` if it is.
pub async fn of_node(node: &Node) -> Option<String> {
    let why = match node.admin.info(Section::Everything).await {
        Err(error) => error.problem.to_string(),
        Ok(info) if info.is_loading() => "it is loading its data".to_owned(),
        Ok(info) => match (info.role(), info.master_link_up()) {
            (Some(Role::Replica), Some(false) | None) => "its link to its primary is down".into(),
            _ => return None,
        },
    };
    Some(format!("{}: {why}", node.name))
}

/// Whether a node refuses connections: its server does not run.
pub async fn is_any_gone(group: &DeployedGroup) -> bool {
    let refuses = async |node: &Node| {
        node.admin.info(Section::Everything).await.is_err_and(|error| error.is_refusal())
    };
    join_all(group.all().map(refuses)).await.contains(&true)
}

/// Asks the healthy nodes which primary they name.
async fn of_replication(nodes: &[Node]) -> Vec<String> {
    let own = join_all(nodes.iter().map(of_node)).await;
    let well: Vec<&Node> =
        nodes.iter().zip(&own).filter(|(_, why)| why.is_none()).map(|(node, _)| node).collect();
    let answers = join_all(well.iter().map(|node| roles::node_view(node))).await;
    let node_views: Vec<&NodeView> = answers.iter().flatten().collect();
    let silent = well.iter().zip(&answers).filter(|(_, answer)| answer.is_err());
    let silent: Vec<&NodeName> = silent.map(|(node, _)| &node.name).collect();
    let mut ailments: Vec<String> = own.into_iter().flatten().collect();
    ailments.extend(disputes_in_replication(nodes, &node_views, &silent));
    ailments
}

fn of_cluster(nodes: &[Node], views: &[Result<NodeView, NodeError>]) -> Vec<String> {
    let node_views: Vec<&NodeView> = views.iter().flatten().collect();
    let known: BTreeSet<&str> = node_views
        .iter()
        .flat_map(|node_view| &node_view.lines)
        .map(|line| line.id.as_str())
        .collect();
    let members = nodes.iter().zip(views).filter(|(node, _)| known.contains(node.id.as_str()));
    let down = |(node, view): (&Node, &Result<NodeView, NodeError>)| {
        let error = view.as_ref().err()?;
        Some(format!("{}: {}", node.name, error.problem))
    };
    let mut ailments: Vec<String> = members.filter_map(down).collect();
    ailments.extend(disputes_in_cluster(nodes, &node_views, &[]));
    for node_view in node_views {
        let failed = |node: &&Node| {
            node_view.lines.iter().any(|l| l.id == node.id && (l.flags.fail || l.flags.pfail))
        };
        let failed = nodes.iter().filter(failed);
        ailments.extend(
            failed.map(|node| format!("{} takes {} for failed", node_view.node, node.name)),
        );
    }
    ailments
}

/// Each difference between the views of a cluster's live `nodes`, and each unhealthy state that
/// a view shows. `silent` are live nodes without a usable answer.
pub fn disputes_in_cluster(
    nodes: &[Node],
    node_views: &[&NodeView],
    silent: &[&NodeName],
) -> Vec<String> {
    let names = nodes.iter().map(|node| (node.id.as_str(), node.name.to_string())).collect();
    let mut told = owners(&names, node_views);
    told.extend(roles(&names, node_views));
    told.extend(unserved(nodes, node_views));
    let failed =
        node_views.iter().filter(|node_view| !node_view.state_ok).map(|node_view| &node_view.node);
    told.extend(
        listed(failed).map(|who| format!("the cluster state is not ok in the view of {who}")),
    );
    told.extend(unlinked(node_views));
    told.extend(unheard(node_views, silent));
    told
}

/// The same outside a cluster: there must be one primary, and all others must name it.
pub fn disputes_in_replication(
    nodes: &[Node],
    node_views: &[&NodeView],
    silent: &[&NodeName],
) -> Vec<String> {
    let is_primary = |node_view: &NodeView| roles::leads(nodes, node_view);
    let primaries = node_views.iter().filter(|node_view| is_primary(node_view));
    let primaries: Vec<&NodeName> = primaries.map(|node_view| &node_view.node).collect();
    let mut told = match (node_views.is_empty(), primaries.len()) {
        (true, _) | (false, 1) => Vec::new(),
        (false, 0) => vec!["no live node is primary".to_owned()],
        (false, _) => listed(primaries.iter().copied())
            .map(|who| format!("each of {who} calls itself primary"))
            .into_iter()
            .collect(),
    };
    // A single primary names itself. If there are several, that has been reported above.
    let lone = primaries.len() == 1;
    let others: Vec<&NodeView> =
        node_views.iter().filter(|node_view| lone || !is_primary(node_view)).copied().collect();
    let own = |node_view: &NodeView| nodes.iter().find(|node| node.name == node_view.node);
    let named = |node_view: &&NodeView| match is_primary(node_view) {
        true => own(node_view).map(|node| node.announced),
        false => node_view.leader.at,
    };
    let named: Vec<Option<SocketAddr>> = others.iter().map(named).collect();
    let leads = |at: Option<SocketAddr>| {
        let node = nodes.iter().find(|node| Some(node.announced) == at);
        match (node, at) {
            (Some(node), _) => node.name.to_string(),
            (None, Some(_)) => "an unknown node".to_owned(),
            (None, None) => "no node".to_owned(),
        }
    };
    if named.windows(2).any(|pair| pair[0] != pair[1]) {
        told.push(format!("about the primary, {}", opinions(&others, named, leads)));
    }
    told.extend(unlinked(node_views));
    told.extend(unheard(node_views, silent));
    told
}

type Names<'a> = HashMap<&'a str, String>;
/// First and last slots.
type Ranges = Vec<(u16, u16)>;

fn name<'n>(names: &'n Names, id: &'n str) -> &'n str {
    names.get(id).map_or(id, String::as_str)
}

/// Slots that have more than one owner, depending on the node that is asked.
fn owners(names: &Names, node_views: &[&NodeView]) -> Vec<String> {
    let maps: Vec<Vec<Option<&str>>> = node_views.iter().map(|node_view| map(node_view)).collect();
    let at = |slot: u16| -> Vec<Option<&str>> {
        maps.iter().map(|map| map[usize::from(slot)]).collect()
    };
    // Slots about which the nodes say the same things are reported together.
    let mut disputed: Vec<(Vec<Option<&str>>, Ranges)> = Vec::new();
    for slot in 0..SLOTS {
        let said = at(slot);
        if said.windows(2).all(|pair| pair[0] == pair[1]) {
            continue;
        }
        let known = disputed.iter_mut().find(|(other, _)| *other == said);
        match known {
            Some((_, ranges)) => match ranges.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot)),
            },
            None => disputed.push((said, vec![(slot, slot)])),
        }
    }
    let text = |(said, ranges): (Vec<Option<&str>>, Ranges)| {
        let owner = |id: Option<&str>| id.map_or("no node".to_owned(), |id| name(names, id).into());
        format!("about slots {}, {}", spans(&ranges), opinions(node_views, said, owner))
    };
    disputed.into_iter().map(text).collect()
}

/// Slots that nobody serves although the live nodes may agree on their owner: it does not answer,
/// a majority takes it for failed, or there is none.
pub fn unserved(nodes: &[Node], node_views: &[&NodeView]) -> Vec<String> {
    let is_live = |id: &str| {
        let node = nodes.iter().find(|node| node.id == id);
        node.is_some_and(|node| node_views.iter().any(|live| live.node == node.name))
    };
    let mut owners: BTreeMap<&str, (&SlotSet, bool)> = BTreeMap::new();
    let mut owned = vec![node_views.is_empty(); usize::from(SLOTS)];
    let lines = node_views.iter().flat_map(|node_view| &node_view.lines);
    for line in lines.filter(|line| line.flags.role == Role::Primary && !line.slots.is_empty()) {
        let (_, failed) = owners.entry(&line.id).or_insert_with(|| {
            line.slots.iter().for_each(|slot| owned[usize::from(slot)] = true);
            (&line.slots, false)
        });
        *failed |= line.flags.fail;
    }
    let name = |id: &str| {
        let node = nodes.iter().find(|node| node.id == id);
        node.map_or(id.to_owned(), |node| node.name.to_string())
    };
    let told = |(id, (slots, failed)): (&str, (&SlotSet, bool))| match (is_live(id), failed) {
        (false, _) => Some(format!("slots {slots} are not served: {} does not answer", name(id))),
        (true, true) => Some(format!("slots {slots} are not served: {} has failed", name(id))),
        (true, false) => None,
    };
    let mut all: Vec<String> = owners.into_iter().filter_map(told).collect();
    let free: SlotSet = (0..SLOTS).filter(|slot| !owned[usize::from(*slot)]).collect();
    if !free.is_empty() {
        all.push(format!("slots {free} are not served: no node owns them"));
    }
    all
}

/// The owner of each slot in the view of one node.
fn map(node_view: &NodeView) -> Vec<Option<&str>> {
    let mut map = vec![None; usize::from(SLOTS)];
    for line in &node_view.lines {
        for range in line.slots.ranges() {
            map[usize::from(*range.start())..=usize::from(*range.end())].fill(Some(&*line.id));
        }
    }
    map
}

/// Nodes whose role differs from view to view, or that some nodes do not know.
fn roles(names: &Names, node_views: &[&NodeView]) -> Vec<String> {
    let mut ids: Vec<(&str, &str)> = names.iter().map(|(id, name)| (name.as_str(), *id)).collect();
    ids.sort_unstable();
    let told = ids.into_iter().filter_map(|(node, id)| {
        let said: Vec<Option<(Role, Option<&str>)>> = node_views
            .iter()
            .map(|node_view| {
                let line = node_view.lines.iter().find(|line| line.id == id && line.is_known())?;
                Some((line.flags.role, line.primary.as_deref()))
            })
            .collect();
        let same = said.windows(2).all(|pair| pair[0] == pair[1]);
        let role = |said: Option<(Role, Option<&str>)>| match said {
            None => "unknown".to_owned(),
            Some((Role::Primary, _)) => "a primary".to_owned(),
            Some((Role::Sentinel, _)) => "a sentinel".to_owned(),
            Some((Role::Replica, None)) => "a replica".to_owned(),
            Some((Role::Replica, Some(of))) => format!("a replica of {}", name(names, of)),
        };
        (!same).then(|| format!("about {node}, {}", opinions(node_views, said, role)))
    });
    told.collect()
}

/// `cache/1/0 says cache/1/0, but cache/0/0 and cache/1/1 say cache/1/1`
fn opinions<T>(node_views: &[&NodeView], said: Vec<T>, show: impl Fn(T) -> String) -> String {
    let mut by: BTreeMap<String, Vec<&NodeName>> = BTreeMap::new();
    for (node_view, said) in node_views.iter().zip(said) {
        by.entry(show(said)).or_default().push(&node_view.node);
    }
    let mut each: Vec<(String, Vec<&NodeName>)> = by.into_iter().collect();
    // The smallest groups first.
    each.sort_by_key(|(_, who)| who.len());
    let each = each.into_iter().filter_map(|(what, who)| {
        let say = if who.len() == 1 { "says" } else { "say" };
        Some(format!("{} {say} {what}", listed(who.into_iter())?))
    });
    each.collect::<Vec<_>>().join(", but ")
}

fn unlinked(node_views: &[&NodeView]) -> Option<String> {
    let down = node_views.iter().filter(|node_view| node_view.link_up == Some(false));
    let who = listed(down.map(|node_view| &node_view.node))?;
    Some(format!("the link to the primary is down at {who}"))
}

fn unheard(node_views: &[&NodeView], silent: &[&NodeName]) -> Option<String> {
    if node_views.is_empty() {
        return Some("no node answers".to_owned());
    }
    listed(silent.iter().copied()).map(|who| format!("no usable answer comes from {who}"))
}

/// How many nodes are named; the others are counted.
const NAMED: usize = 6;

/// `a`, `a and b`, `a, b and 9 others`; `None` for no node.
fn listed<'a>(nodes: impl Iterator<Item = &'a NodeName>) -> Option<String> {
    let mut names: Vec<String> = nodes.map(NodeName::to_string).collect();
    if names.len() > NAMED {
        let others = names.split_off(NAMED - 1).len();
        names.push(format!("{others} others"));
    }
    let last = names.pop()?;
    Some(if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) })
}

fn spans(ranges: &[(u16, u16)]) -> String {
    let span = |&(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(span).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::node_view::Leader;
    use crate::node::NodeLine;

    fn node(shard: u32, ordinal: u32) -> Node {
        let addr = format!("127.0.0.1:70{shard}{ordinal}").parse().unwrap();
        let name = NodeName::new("c", shard, ordinal);
        Node::new(name, addr, format!("n{shard}{ordinal}"), Role::Primary)
    }

    fn node_view(node: &Node, text: &str) -> NodeView {
        NodeView {
            node: node.name.clone(),
            state_ok: true,
            role: Some(Role::Primary),
            link_up: None,
            lines: NodeLine::parse_all(text).unwrap(),
            leader: Leader::default(),
        }
    }

    const ONE: &str = "n00 127.0.0.1:1@1 master - 0 7 1 connected 0-99
        n10 127.0.0.1:1@1 master - 0 0 2 connected 100-16383
        n11 127.0.0.1:1@1 slave n10 0 0 2 connected";
    const OTHER: &str = "n00 127.0.0.1:1@1 master - 0 7 1 connected 0-99
        n10 127.0.0.1:1@1 slave n11 0 0 3 connected
        n11 127.0.0.1:1@1 master - 0 0 3 connected 100-200 202-16383";

    #[test]
    fn who_names_whom_is_told_and_whose_state_and_link_is_bad() {
        let nodes = [node(0, 0), node(1, 0), node(1, 1)];
        let agreed: Vec<NodeView> = nodes.iter().map(|node| node_view(node, ONE)).collect();
        let all: Vec<&NodeView> = agreed.iter().collect();
        assert_eq!(disputes_in_cluster(&nodes, &all, &[]), Vec::<String>::new());
        let split = [
            node_view(&nodes[0], OTHER),
            NodeView { state_ok: false, ..node_view(&nodes[1], ONE) },
            NodeView { link_up: Some(false), ..node_view(&nodes[2], OTHER) },
        ];
        let all: Vec<&NodeView> = split.iter().collect();
        assert_eq!(
            disputes_in_cluster(&nodes, &all, &[&node(2, 0).name]),
            [
                "about slots 100-200 202-16383, c/1/0 says c/1/0, but c/0/0 and c/1/1 say c/1/1",
                "about slots 201, c/1/0 says c/1/0, but c/0/0 and c/1/1 say no node",
                "about c/1/0, c/1/0 says a primary, but c/0/0 and c/1/1 say a replica of c/1/1",
                "about c/1/1, c/1/0 says a replica of c/1/0, but c/0/0 and c/1/1 say a primary",
                "the cluster state is not ok in the view of c/1/0",
                "the link to the primary is down at c/1/1",
                "no usable answer comes from c/2/0",
            ]
        );
        assert_eq!(disputes_in_cluster(&nodes, &[], &[]), ["no node answers"]);
    }

    #[test]
    fn slots_whose_owner_does_not_serve_are_told_though_all_agree_on_it() {
        let nodes = [node(0, 0), node(1, 0), node(1, 1)];
        let told = |text: &str, live: &[usize]| {
            let views: Vec<NodeView> = live.iter().map(|n| node_view(&nodes[*n], text)).collect();
            disputes_in_cluster(&nodes, &views.iter().collect::<Vec<_>>(), &[])
        };
        assert_eq!(told(ONE, &[0, 1]), Vec::<String>::new(), "a replica is away");
        let dead = "slots 100-16383 are not served: c/1/0 does not answer";
        assert_eq!(told(ONE, &[0, 2]), [dead]);
        let failed = ONE.replace("master - 0 0 2", "master,fail - 0 0 2");
        let cut_off = "slots 100-16383 are not served: c/1/0 has failed";
        assert_eq!(told(&failed, &[0, 1, 2]), [cut_off]);
        let suspected = ONE.replace("master - 0 0 2", "master,fail? - 0 0 2");
        assert_eq!(told(&suspected, &[0, 1, 2]), Vec::<String>::new(), "no majority says so");
        let some = ONE.replace("100-16383", "100-200 202-16383");
        assert_eq!(told(&some, &[0, 1, 2]), ["slots 201 are not served: no node owns them"]);
    }

    #[test]
    fn without_a_cluster_there_must_be_one_primary() {
        let nodes = [node(0, 0), node(0, 1)];
        let both: Vec<NodeView> = nodes.iter().map(|node| node_view(node, "")).collect();
        let all: Vec<&NodeView> = both.iter().collect();
        assert_eq!(
            disputes_in_replication(&nodes, &all, &[]),
            ["each of c/0/0 and c/0/1 calls itself primary"]
        );
        let replica =
            NodeView { role: Some(Role::Replica), link_up: Some(false), ..both[1].clone() };
        let told = disputes_in_replication(&nodes, &[&replica], &[]);
        assert_eq!(told, ["no live node is primary", "the link to the primary is down at c/0/1"]);
        assert_eq!(disputes_in_replication(&nodes, &[&both[0]], &[]), Vec::<String>::new());

        let names = |n: usize, of: usize| {
            let at = Some(nodes[of].announced);
            let leader = Leader { at, ..Leader::default() };
            NodeView {
                node: NodeName::sentinel("c", n as u32),
                role: None,
                leader,
                ..both[0].clone()
            }
        };
        let (first, second) = (names(0, 0), names(1, 1));
        assert_eq!(
            disputes_in_replication(&nodes, &[&both[0], &first, &second], &[]),
            ["about the primary, c/sentinel/1 says c/0/1, but c/0/0 and c/sentinel/0 say c/0/0"]
        );
        assert_eq!(
            disputes_in_replication(&nodes, &[&both[1], &first], &[]),
            ["about the primary, c/sentinel/0 says c/0/0, but c/0/1 says c/0/1"],
            "it is the only one, and nobody names it"
        );
        let nobody = NodeView { leader: Leader::default(), ..second };
        assert_eq!(
            disputes_in_replication(&nodes, &[&both[0], &nobody], &[]),
            ["about the primary, c/0/0 says c/0/0, but c/sentinel/1 says no node"]
        );
    }
}
