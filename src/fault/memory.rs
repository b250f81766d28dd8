//! A memory limit that is reached: the server refuses writes or evicts keys, according to its
//! policy.

use async_trait::async_trait;

use super::error::FaultError;
use super::life::{Done, NodeFault, Note, Site, Undo};
use super::strains::{Strain, StrainHandle, config};
use crate::backend::Backend;
use crate::model::NodeName;
use crate::model::event::Role;
use crate::node::{Node, Section};
use crate::spec::step::MemoryPressure;

#[async_trait]
impl NodeFault for MemoryPressure {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        if !site.backend.runs(name) {
            return Err(FaultError::Down(name.clone()));
        }
        let node = site.node(name)?;
        let role = node.admin.info(Section::Replication).await?.role();
        if role == Some(Role::Replica) && config(&node, "replica-ignore-maxmemory").await? == "yes"
        {
            return Err(FaultError::IgnoresMemory(name.clone()));
        }
        let used = node.admin.info(Section::Memory).await?.number("used_memory");
        // 0 would be no limit at all.
        let share = self.maxmemory.0 / 100.0;
        let bytes = ((used.unwrap_or_default() as f64 * share) as u64).max(1);
        let evicted = evicted(&node).await?;
        let strain = Strain::Memory { node: node.clone(), bytes, policy: self.policy };
        let handle = site.strains.lay(site.backend, name, strain).await?;
        Ok(Done::to_undo(Pressed { node, handle, evicted }))
    }
}

struct Pressed {
    node: Node,
    handle: StrainHandle,
    /// Keys that the server had evicted before.
    evicted: u64,
}

#[async_trait]
impl Undo for Pressed {
    async fn undo(&mut self, backend: &dyn Backend) -> Result<Option<Note>, FaultError> {
        let node = &self.node;
        let has_ended = self.handle.end(backend).await?;
        if !has_ended || !backend.runs(&node.name) {
            return Ok(None);
        }
        // What happened to keys meanwhile, if that is known.
        let keys = evicted(node).await.ok().and_then(|now| now.checked_sub(self.evicted));
        Ok(keys.filter(|keys| *keys > 0).map(|keys| {
            Note::Warning(format!(
                "{} evicted {keys} keys for want of memory: checkers of all loads but caches \
                 count what was written to them as lost",
                node.name
            ))
        }))
    }

    fn holds_server(&self) -> bool {
        true
    }
}

async fn evicted(node: &Node) -> Result<u64, FaultError> {
    let stats = node.admin.apart().info(Section::Stats).await?;
    Ok(stats.number("evicted_keys").unwrap_or_default())
}
