//! Whether a group is healthy: every member answers, serves, and replicates the right primary.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::dispute;
use super::form::DeployedGroup;
use super::node_view::NodeView;
use super::roles;
use super::view;
use crate::model::NodeName;
use crate::model::event::Role;
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
    ailments.extend(dispute::of_replication(nodes, &node_views, &silent));
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
    ailments.extend(dispute::of_cluster(nodes, &node_views, &[]));
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
