//! Whether a group is whole: every member answers, serves, and copies whom it should.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::form::DeployedGroup;
use super::roles;
use super::view::{self, Sight};
use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::{Node, NodeError, Section};
use crate::spec::topology::Mode;

/// What keeps the group from being whole, node by node; empty if nothing does.
///
/// A node of a cluster that neither answers nor is known to any other is no member: it has
/// not joined yet, or has left.
pub async fn ailments(group: &DeployedGroup) -> Vec<String> {
    match group.spec.mode {
        Mode::Cluster { .. } => of_cluster(&group.nodes, view::views(&group.nodes).await),
        _ => {
            let own: Vec<_> = join_all(group.all().map(of_node)).await;
            let own: Vec<String> = own.into_iter().flatten().collect();
            let differ = own.is_empty() && !roles::now(group).await.1;
            own.into_iter()
                .chain(differ.then(|| "nodes or sentinels name different primaries".to_owned()))
                .collect()
        }
    }
}

/// Why a node does not answer as one that is ready to serve; `None` if it does.
pub async fn of_node(node: &Node) -> Option<String> {
    let why = match node.admin.info(Section::Everything).await {
        Err(error) => error.to_string(),
        Ok(info) if info.is_loading() => "it is loading its data".to_owned(),
        Ok(info) => match (info.role(), info.master_link_up()) {
            (Some(Role::Replica), Some(false) | None) => "its link to its primary is down".into(),
            _ => return None,
        },
    };
    Some(format!("{}: {why}", node.name))
}

fn of_cluster(nodes: &[Node], views: Vec<Result<Sight, NodeError>>) -> Vec<String> {
    let answers = || views.iter().flatten();
    let known: BTreeSet<&str> =
        answers().flat_map(|sight| &sight.lines).map(|line| line.id.as_str()).collect();
    let mut ailments = Vec::new();
    let mut ail = |name: &NodeName, why: String| ailments.push(format!("{name}: {why}"));
    for (node, answer) in nodes.iter().zip(&views) {
        match answer {
            Err(_) if !known.contains(node.id.as_str()) => {}
            Err(error) => ail(&node.name, error.to_string()),
            Ok(sight) if !sight.state_ok => ail(&node.name, "its cluster_state is fail".into()),
            Ok(sight) if sight.link_up == Some(false) => {
                ail(&node.name, "its link to its primary is down".into());
            }
            Ok(_) => {}
        }
    }
    for sight in answers() {
        let failed = |node: &&Node| {
            sight.lines.iter().any(|l| l.id == node.id && (l.flags.fail || l.flags.pfail))
        };
        for node in nodes.iter().filter(failed) {
            ail(&sight.node, format!("it takes {} for failed", node.name));
        }
    }
    let seen: Vec<_> = answers().map(|sight| (sight.node.clone(), sight.lines.clone())).collect();
    if ailments.is_empty() && !view::compare(nodes, &seen).agreed {
        ailments.push("nodes name different owners of slots, or roles".to_owned());
    }
    ailments
}
