//! A memory limit that is reached: writes are refused, or keys evicted, as the policy says.

use super::FaultError;
use super::active::Applied;
use crate::model::event::Role;
use crate::node::{Node, NodeError, Section};
use crate::spec::hardship::Policy;

/// A server's memory limit, as CONFIG SET takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Former {
    maxmemory: String,
    policy: String,
}

/// A limit that a step has set.
pub(super) struct Limit {
    /// Bytes.
    maxmemory: u64,
    policy: Option<Policy>,
    /// Keys that the server had evicted before.
    evicted: u64,
}

/// Applied holds for the server now.
pub(super) async fn former(node: &Node) -> Result<Former, FaultError> {
    let get = async |name: &str| {
        let (_, value): (String, String) =
            node.admin.query(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
        Ok::<String, NodeError>(value)
    };
    Ok(Former { maxmemory: get("maxmemory").await?, policy: get("maxmemory-policy").await? })
}

/// `share` of what the server uses now.
///
/// # Errors
/// It is a replica that takes no notice.
pub(super) async fn limit(
    node: &Node,
    share: f64,
    policy: Option<Policy>,
) -> Result<Limit, FaultError> {
    let role = node.admin.info(Section::Replication).await?.role();
    let (_, ignores): (String, String) =
        node.admin.query(redis::cmd("CONFIG").arg("GET").arg("replica-ignore-maxmemory")).await?;
    if role == Some(Role::Replica) && ignores == "yes" {
        return Err(FaultError::IgnoresMemory(node.name.clone()));
    }
    let used = node.admin.info(Section::Memory).await?.number("used_memory").unwrap_or_default();
    // 0 would be no limit at all.
    let maxmemory = ((used as f64 * share) as u64).max(1);
    Ok(Limit { maxmemory, policy, evicted: evicted(node).await? })
}

/// Has the server hold to the limit that came last, or as it was without any.
pub(super) async fn apply(
    node: &Node,
    left: &[&Applied],
    former: Option<&Former>,
) -> Result<(), FaultError> {
    let Some(former) = former else { return Ok(()) };
    let limit = left.iter().rev().find_map(|what| match what {
        Applied::Memory(limit) => Some(limit),
        _ => None,
    });
    let maxmemory = limit.map_or(former.maxmemory.clone(), |limit| limit.maxmemory.to_string());
    let policy = limit.and_then(|limit| limit.policy).map(Policy::name);
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxmemory-policy").arg(policy.unwrap_or(&former.policy));
    set.arg("maxmemory").arg(maxmemory);
    // A connection of its own: another may have broken since it was used last.
    Ok(node.apart().admin.query::<()>(&set).await?)
}

impl Limit {
    /// Applied became of keys meanwhile, where it can be told.
    pub async fn remark(&self, node: &Node) -> Option<String> {
        let now = evicted(node).await.ok()?;
        let keys = now.checked_sub(self.evicted).filter(|keys| *keys > 0)?;
        Some(format!(
            "{} evicted {keys} keys for want of memory: checkers count what was written to them \
             as lost",
            node.name
        ))
    }
}

async fn evicted(node: &Node) -> Result<u64, FaultError> {
    let stats = node.admin.apart().info(Section::Stats).await?;
    Ok(stats.number("evicted_keys").unwrap_or_default())
}
