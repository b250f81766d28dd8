//! What the preload library does: a disk that is full or slow for a server, or a clock that is
//! wrong.
//!
//! The clock was set wrongly, by a person or a time service, or it runs too fast or too slow. Only
//! the time of day is wrong; the monotonic clock of the servers stays right.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::error::FaultError;
use super::hit::Hit;
use super::life::{Done, Fault, Injected, NodeFault, Site, on_each};
use super::strains::Strain;
use crate::model::NodeName;
use crate::node::Node;
use crate::spec::step::{Clock, DiskFull, SlowDisk};

/// A server reads its clock at least ten times a second.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// On a busy machine, a smaller difference cannot be seen.
const LEAST: i64 = 500_000_000;

#[async_trait]
impl Fault for DiskFull {
    /// A server that cannot write its append-only file or `nodes.conf` ends.
    fn may_end_servers(&self) -> bool {
        true
    }

    async fn inject(&self, site: Site<'_>, hit: &Hit) -> Injected {
        let files = self.files.part_of_path(&site.group.spec);
        let strain = || Strain::FullDisk { files: files.clone() };
        on_each(hit, |name| site.strain_by_library(name, strain())).await
    }
}

#[async_trait]
impl NodeFault for SlowDisk {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        let files = self.files.part_of_path(&site.group.spec);
        let strain = Strain::SlowDisk { fsync: self.fsync.0, write: self.write.0, files };
        site.strain_by_library(name, strain).await
    }
}

#[async_trait]
impl NodeFault for Clock {
    async fn on_node(&self, site: Site<'_>, name: &NodeName) -> Result<Done, FaultError> {
        let node = site.node(name)?;
        let (jump, drift) = (self.jump.0, self.drift.0);
        let seen = Seen::before(&node, jump).await;
        let strain = Strain::Clock { jump, drift, since: Instant::now() };
        let mut done = site.strain_by_library(name, strain).await?;
        match seen.has_moved(&node).await {
            Ok(()) => Ok(done),
            Err(error) => {
                done.take_back(site.backend).await;
                Err(error)
            }
        }
    }
}

/// A server's clock before it was set.
struct Seen {
    /// How far to set it, and how far it was ahead of this machine's monotonic clock.
    set: Option<(i64, i64)>,
    origin: Instant,
}

impl Seen {
    async fn before(node: &Node, jump: i64) -> Seen {
        let origin = Instant::now();
        let set = match jump.abs() >= LEAST {
            // A paused server does not answer.
            true => ahead(node, origin).await.ok().map(|ahead| (jump, ahead)),
            false => None,
        };
        Seen { set, origin }
    }

    /// # Errors
    /// The clock has not moved: the server does not have the library.
    async fn has_moved(&self, node: &Node) -> Result<(), FaultError> {
        let Some((jump, before)) = self.set else { return Ok(()) };
        let give_up = Instant::now() + PATIENCE;
        loop {
            let moved = match ahead(node, self.origin).await {
                Ok(now) => now - before,
                Err(_) => return Ok(()),
            };
            if (moved - jump).abs() < LEAST / 2 + (jump / 2).abs() {
                return Ok(());
            }
            if Instant::now() > give_up {
                return Err(FaultError::ClockStays(node.name.clone()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// The server's TIME in nanoseconds, less the time since `origin`.
async fn ahead(node: &Node, origin: Instant) -> Result<i64, FaultError> {
    let (seconds, micros): (i64, i64) = node.admin.query(&redis::cmd("TIME")).await?;
    Ok(seconds * 1_000_000_000 + micros * 1_000 - origin.elapsed().as_nanos() as i64)
}
