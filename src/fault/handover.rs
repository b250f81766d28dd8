//! A failover by an operator, in a group where nobody else does it: makes a replica the
//! primary, and makes all other nodes follow it.
//!
//! With FAILOVER the primary itself hands over: it holds writes back until the replica has all
//! of them. <https://redis.io/docs/latest/commands/failover/>

use std::time::Duration;

use futures::future::join_all;
use redis::Value;
use tokio::time::{Instant, sleep};

use super::error::FaultError;
use super::life::Site;
use crate::cluster::roles;
use crate::log::OrLogged;
use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::{Node, NodeError, Section};
use crate::spec::step::Force;

/// With force, how long a primary waits for the replica to have all its writes.
const FORCE_AFTER: Duration = Duration::from_secs(1);
/// How long a handover may take: it blocks all writes.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Returns when `name` is primary and all other live nodes follow it.
pub async fn to(site: Site<'_>, name: &NodeName, force: Force) -> Result<(), FaultError> {
    let new = &site.node(name)?;
    let old = match force {
        Force::None | Force::Force => {
            let old = roles::now(site.group).await.primary;
            let old = site.node(&old.ok_or_else(|| FaultError::NoPrimary(name.clone()))?)?;
            hand_over(&old, new, force).await?;
            Some(old.name)
        }
        Force::Takeover => {
            stop_following(new).await?;
            None
        }
    };
    // A primary that handed over follows already.
    let others = site.group.nodes.iter();
    let others = others.filter(|node| node.name != *name && Some(&node.name) != old.as_ref());
    let others: Vec<Node> = others.map(Node::apart).collect();
    let followed = join_all(others.iter().map(|node| follow(node, new))).await;
    remember(new).await;
    let refused = |error: &NodeError| !error.is_gone();
    match followed.into_iter().filter_map(Result::err).find(refused) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Makes the node a primary, whatever its primary says.
pub async fn stop_following(new: &Node) -> Result<(), NodeError> {
    new.admin.query::<Value>(redis::cmd("REPLICAOF").arg("NO").arg("ONE")).await?;
    remember(new).await;
    Ok(())
}

/// Sends FAILOVER TO to the primary `old`, and waits until `new` has taken its place.
pub async fn hand_over(old: &Node, new: &Node, force: Force) -> Result<(), FaultError> {
    let mut command = redis::cmd("FAILOVER");
    command.arg("TO").arg(new.announced.ip().to_string()).arg(new.announced.port());
    let most = match force {
        Force::Force => {
            command.arg("FORCE");
            FORCE_AFTER
        }
        // Longer than it is waited for here. Without a TIMEOUT, the primary goes on to send PINGs to
        // its replicas. If each comes just after the replica has told how far it is, they are never
        // seen to be alike, and it never ends.
        Force::None | Force::Takeover => 2 * PATIENCE,
    };
    command.arg("TIMEOUT").arg(most.as_millis() as u64);
    old.admin.query::<Value>(&command).await.map_err(|error| match unknown(&error) {
        true => FaultError::NoFailover(old.name.clone()),
        false => error.into(),
    })?;
    let give_up = Instant::now() + PATIENCE;
    while !(role(new).await == Some(Role::Primary) && role(old).await != Some(Role::Primary)) {
        if Instant::now() >= give_up {
            let abort = old.admin.query::<Value>(redis::cmd("FAILOVER").arg("ABORT")).await;
            let (name, aborted) = (new.name.clone(), abort.is_ok());
            return Err(FaultError::NotTaken { name, waited: PATIENCE, aborted });
        }
        sleep(LOOK_AGAIN).await;
    }
    remember(old).await;
    Ok(())
}

async fn role(node: &Node) -> Option<Role> {
    node.admin.info(Section::Replication).await.ok()?.role()
}

/// Whether a server does not know the command.
fn unknown(error: &NodeError) -> bool {
    error.to_string().contains("unknown command")
}

/// Makes the node a replica of `new`.
pub async fn follow(node: &Node, new: &Node) -> Result<(), NodeError> {
    let mut command = redis::cmd("REPLICAOF");
    command.arg(new.announced.ip().to_string()).arg(new.announced.port());
    node.admin.query::<Value>(&command).await?;
    remember(node).await;
    Ok(())
}

/// Stores the role in the node's file, for its next start. A server that cannot write its file
/// goes on.
async fn remember(node: &Node) {
    let rewritten = node.admin.query::<Value>(redis::cmd("CONFIG").arg("REWRITE")).await;
    rewritten.or_logged("write a configuration");
}
