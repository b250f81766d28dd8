//! Adds nodes to a running cluster, and removes nodes from it.
//!
//! A new node is introduced to one member (CLUSTER MEET), and gossip does the rest. Every other
//! node must forget a node that leaves within a minute (CLUSTER FORGET), or gossip brings it
//! back. So its server is ended first, and then sends no gossip.
//! <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>

use std::time::Duration;

use futures::future::join_all;
use redis::Value;
use tokio::time::{Instant, sleep};

use super::form::DeployedGroup;
use super::view::shards_now;
use crate::backend::{Backend, BackendError};
use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::{Node, NodeError, NodeLine, Section};

/// The pause between two checks.
const LOOK: Duration = Duration::from_millis(20);
/// How long gossip and a first copy of the data may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("no node of the cluster answers")]
    NobodyThere,
    #[error("the shard of {0} has no primary now")]
    NoPrimary(NodeName),
    #[error("after {} s {why}", .waited.as_secs())]
    TooLong { waited: Duration, why: String },
}

impl MemberError {
    /// Whether something was not seen, or did not happen, in time.
    pub fn is_of_time(&self) -> bool {
        match self {
            MemberError::Node(error) => error.is_silence(),
            MemberError::NobodyThere | MemberError::NoPrimary(_) | MemberError::TooLong { .. } => {
                true
            }
            MemberError::Backend(_) => false,
        }
    }
}

/// Starts the servers of `names` and adds them to the cluster. Those with a replica's name
/// become replicas of their shard's current primary. Returns when all live members know them
/// and all links are up. A new primary owns no slots.
///
/// # Errors
/// A server does not start, or the cluster does not accept it. Servers that were started stay.
pub async fn join(
    backend: &dyn Backend,
    group: &DeployedGroup,
    names: &[NodeName],
) -> Result<(), MemberError> {
    let joining: Vec<&Node> =
        group.nodes.iter().filter(|node| names.contains(&node.name)).collect();
    let member = first_member(group, names).await?;
    let plans = group.later.iter().filter(|plan| names.contains(&plan.name)).cloned().collect();
    backend.start(plans).await?;
    for node in &joining {
        node.admin.set_absent(false);
        until("it does not answer", node, async || node.admin.ping().await.is_ok()).await?;
        let at = member.announced;
        let mut cluster = redis::cmd("CLUSTER");
        let meet = cluster.arg("MEET").arg(at.ip().to_string()).arg(at.port());
        node.admin.query::<Value>(meet).await?;
    }
    for node in &joining {
        let why = "not every node of the cluster knows it";
        until(why, node, async || is_known_to_all(group, node).await).await?;
    }
    // Until it replicates its primary, a new replica is a primary without slots. No other node
    // may replicate it.
    let is_replica = |node: &Node| node.born == Role::Replica && names.contains(&node.name);
    let mut others = group.clone();
    others.nodes.retain(|node| !is_replica(node));
    for node in joining.into_iter().filter(|node| is_replica(node)) {
        follow(&others, node).await?;
    }
    Ok(())
}

/// Makes `node` a replica of the node of `group` that is the primary of its shard.
async fn follow(group: &DeployedGroup, node: &Node) -> Result<(), MemberError> {
    let mut shards = shards_now(group).await.into_iter();
    let primary = shards.find(|view| Some(view.shard) == node.shard());
    let primary = primary.and_then(|view| view.primary);
    let primary = group.nodes.iter().find(|other| Some(&other.name) == primary.as_ref());
    let primary = primary.ok_or(MemberError::NoPrimary(node.name.clone()))?;
    let mut cluster = redis::cmd("CLUSTER");
    node.admin.query::<Value>(cluster.arg("REPLICATE").arg(&primary.id)).await?;
    let is_linked = async || {
        let info = node.admin.info(Section::Replication).await;
        info.is_ok_and(|info| info.master_link_up() == Some(true))
    };
    until("its link to its primary is not up", node, is_linked).await
}

/// Ends the servers of `names` and makes all other live nodes forget them.
///
/// # Errors
/// A server could not be ended, or a node does not forget. All have been tried.
pub async fn leave(
    backend: &dyn Backend,
    group: &DeployedGroup,
    names: &[NodeName],
) -> Result<(), MemberError> {
    let (leaving, others): (Vec<&Node>, Vec<&Node>) =
        group.nodes.iter().partition(|node| names.contains(&node.name));
    let ended = join_all(leaving.iter().map(|node| backend.stop(&node.name))).await;
    leaving.iter().for_each(|node| node.admin.set_absent(true));
    let mut outcome = Ok(());
    for result in ended {
        match result {
            // It has ended already, which is the goal.
            Ok(()) | Err(BackendError::NotRunning { .. }) => {}
            Err(error) => outcome = outcome.and(Err(error.into())),
        }
    }
    for node in others {
        outcome = outcome.and(forget_all(&node.apart(), &leaving).await);
    }
    outcome
}

/// Makes the nodes of `back`, which were dead when those of `gone` left, forget them too: their
/// files still name them. Waits until the nodes of `back` answer.
///
/// # Errors
/// A node does not answer, or does not forget. All have been tried.
pub async fn catch_up(
    group: &DeployedGroup,
    back: &[NodeName],
    gone: &[NodeName],
) -> Result<(), MemberError> {
    let named = |names: &[NodeName]| -> Vec<&Node> {
        group.nodes.iter().filter(|node| names.contains(&node.name)).collect()
    };
    let (back, gone) = (named(back), named(gone));
    let mut outcome = Ok(());
    for node in back.iter().filter(|_| !gone.is_empty()) {
        let node = node.apart();
        let there = until("it does not answer", &node, async || node.admin.ping().await.is_ok());
        outcome = outcome.and(there.await).and(forget_all(&node, &gone).await);
    }
    outcome
}

async fn forget_all(node: &Node, gone: &[&Node]) -> Result<(), MemberError> {
    let mut outcome = Ok(());
    for gone in gone {
        outcome = outcome.and(forget(node, gone).await.map_err(MemberError::from));
    }
    outcome
}

async fn forget(node: &Node, gone: &Node) -> Result<(), NodeError> {
    let lines = match node.admin.cluster_nodes().await {
        Ok(lines) => lines,
        // A dead node may catch up when it is back.
        Err(error) if error.is_gone() => return Ok(()),
        Err(error) => return Err(error),
    };
    if !lines.iter().any(|line| line.id == gone.id) {
        return Ok(());
    }
    let mut cluster = redis::cmd("CLUSTER");
    node.admin.query::<Value>(cluster.arg("FORGET").arg(&gone.id)).await.map(drop)
}

async fn first_member<'g>(
    group: &'g DeployedGroup,
    joining: &[NodeName],
) -> Result<&'g Node, MemberError> {
    for node in group.nodes.iter().filter(|node| !joining.contains(&node.name)) {
        if node.admin.cluster_info().await.is_ok_and(|info| info.known_nodes > 1) {
            return Ok(node);
        }
    }
    Err(MemberError::NobodyThere)
}

/// Whether all nodes that answer know it, with the handshake completed, and it knows all of
/// them.
async fn is_known_to_all(group: &DeployedGroup, newcomer: &Node) -> bool {
    let ask = async |node: &Node| Some((node.id.clone(), node.admin.cluster_nodes().await.ok()?));
    let answers = join_all(group.nodes.iter().map(ask)).await;
    let answers: Vec<(String, Vec<NodeLine>)> = answers.into_iter().flatten().collect();
    let knows =
        |lines: &[NodeLine], id: &str| lines.iter().any(|line| line.id == id && line.is_known());
    let Some((_, own)) = answers.iter().find(|(id, _)| *id == newcomer.id) else { return false };
    answers.iter().all(|(id, lines)| knows(lines, &newcomer.id) && knows(own, id))
}

async fn until(why: &str, node: &Node, done: impl AsyncFn() -> bool) -> Result<(), MemberError> {
    let began = Instant::now();
    while !done().await {
        if began.elapsed() >= PATIENCE {
            let why = format!("{}: {why}", node.name);
            return Err(MemberError::TooLong { waited: PATIENCE, why });
        }
        sleep(LOOK).await;
    }
    Ok(())
}
