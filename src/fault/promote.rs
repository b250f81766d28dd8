//! Of groups that have the same data, makes another one take the writes: at once and without asking
//! (`promote`), or when it has everything (`fail-back`). Of clusters, `standby` does it.
//!
//! <https://redis.io/docs/latest/commands/replicaof/>
//! <https://redis.io/docs/latest/commands/failover/>

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::error::FaultError;
use super::handover;
use super::hit::Hit;
use super::life::{ActiveFault, Fault, Injected, Note, Site};
use super::standby::{self, Done};
use crate::cluster::DeployedGroup;
use crate::cluster::view::shards_now;
use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::{Node, Section};
use crate::spec::step::{FailBack, Force, Promote};

/// How long a group may take to copy all data.
const COPIED: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Of several promotions at once, one comes after the other: else one group may be made to follow
/// another one just after it was promoted itself.
static TURN: Mutex<()> = Mutex::const_new(());

#[async_trait]
impl Fault for Promote {
    fn asks_for_roles(&self, _: Site<'_>) -> bool {
        true
    }

    fn also_hits(&self, _: Site<'_>, hit: &Hit) -> Vec<NodeName> {
        hit.primaries.clone()
    }

    async fn inject(&self, site: Site<'_>, _: &Hit) -> Injected {
        told(match site.group.spec.is_cluster() {
            true => standby::promote(site).await,
            false => promote(site).await,
        })
    }
}

#[async_trait]
impl Fault for FailBack {
    fn asks_for_roles(&self, _: Site<'_>) -> bool {
        true
    }

    fn also_hits(&self, _: Site<'_>, hit: &Hit) -> Vec<NodeName> {
        hit.primaries.clone()
    }

    fn ends_when_interrupted(&self) -> bool {
        true
    }

    async fn inject(&self, site: Site<'_>, _: &Hit) -> Injected {
        told(match site.group.spec.is_cluster() {
            true => standby::fail_back(site).await,
            false => fail_back(site).await,
        })
    }
}

fn told(done: Result<Done, FaultError>) -> Injected {
    match done {
        Ok((nodes, note)) => {
            let notes = note.map(Note::OfStep).into_iter().collect();
            (ActiveFault { nodes, notes, ..ActiveFault::default() }, None)
        }
        Err(error) => (ActiveFault::default(), Some(error)),
    }
}

async fn promote(site: Site<'_>) -> Result<Done, FaultError> {
    let _turn = TURN.lock().await;
    let new = head(site.group).await?;
    if role(&new).await? == Role::Primary {
        let note = "it took the writes already".to_owned();
        return Ok((vec![new.name], Some(note)));
    }
    handover::stop_following(&new).await?;
    let mut primaries = Vec::new();
    for other in others(site).await {
        match role(&other).await {
            Ok(Role::Replica) => handover::follow(&other, &new).await?,
            // The source may be lost, and is not touched; neither is who was promoted before.
            Ok(Role::Primary) => primaries.push(other.name.to_string()),
            Ok(Role::Sentinel) | Err(_) => {}
        }
    }
    let note = format!("{} took writes already, and was not touched", primaries.join(", "));
    Ok((vec![new.name], (!primaries.is_empty()).then_some(note)))
}

async fn fail_back(site: Site<'_>) -> Result<Done, FaultError> {
    let new = head(site.group).await?;
    let others = others(site).await;
    let mut primaries = Vec::new();
    for other in &others {
        if role(other).await.ok() == Some(Role::Primary) {
            primaries.push(other);
        }
    }
    let old = match &primaries[..] {
        [old] => *old,
        [] if role(&new).await? == Role::Primary => {
            return Ok((vec![new.name], Some("it took the writes already".to_owned())));
        }
        [] => return Err(FaultError::NoSource(new.name)),
        [one, other, ..] => {
            return Err(FaultError::SeveralSources(one.name.clone(), other.name.clone()));
        }
    };
    let began = Instant::now();
    handover::follow(&new, old).await?;
    while !has_all(&new, old).await {
        if began.elapsed() >= COPIED {
            return Err(FaultError::NotCopied { name: new.name, waited: COPIED });
        }
        sleep(LOOK_AGAIN).await;
    }
    let copied = began.elapsed();
    handover::hand_over(old, &new, Force::None).await?;
    for other in others.iter().filter(|other| other.name != old.name) {
        handover::follow(other, &new).await?;
    }
    let note = format!("it had all of {} after {:.2} s", old.name, copied.as_secs_f64());
    Ok((vec![new.name], Some(note)))
}

/// The node that leads the group.
async fn head(group: &DeployedGroup) -> Result<Node, FaultError> {
    let shards = shards_now(group).await;
    let name = shards.into_iter().find_map(|shard| shard.primary);
    let node = group.nodes.iter().find(|node| Some(&node.name) == name.as_ref());
    node.map(Node::apart).ok_or_else(|| FaultError::NoHead(group.spec.name.clone()))
}

/// The nodes that lead the other groups with the same data, as far as they answer.
async fn others(site: Site<'_>) -> Vec<Node> {
    let mut heads = Vec::new();
    for group in site.deployment.followers(site.group).into_iter().skip(1) {
        heads.extend(head(group).await.ok());
    }
    heads
}

async fn role(node: &Node) -> Result<Role, FaultError> {
    let info = node.admin.info(Section::Replication).await?;
    info.role().ok_or_else(|| FaultError::NoHead(node.name.group.clone()))
}

/// Whether the replica has all data of its primary, by the account of both. Until the primary has
/// heard that, it hands over to nobody.
async fn has_all(replica: &Node, primary: &Node) -> bool {
    let own = replica.admin.info(Section::Replication).await;
    let told = primary.admin.info(Section::Replication).await;
    own.is_ok_and(|info| info.master_link_up() == Some(true))
        && told.is_ok_and(|info| info.has_online(replica.announced))
}
