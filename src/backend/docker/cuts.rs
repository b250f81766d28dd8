//! Cuts in the kernel: nftables rules in the network namespaces of containers.
//!
//! A packet is dropped where it arrives, like a packet lost on the way: its sender gets no
//! error. Each cut is a separate table, so cuts are independent. A rule is in its container's
//! namespace and ends with it, however redrill ends. A container that is started again has a
//! new namespace, in which the current cuts are made again.

use std::net::IpAddr;

use futures::future::join_all;

use super::DockerBackend;
use super::error::DockerError;
use super::made::{Held, Made};
use super::nft;
use crate::backend::{BackendError, CutId, Deaf, proc};
use crate::model::NodeName;

impl DockerBackend {
    pub(super) async fn make_cut(&self, deaf: Deaf) -> Result<CutId, BackendError> {
        let mut held = self.cuts.0.write().await;
        held.made += 1;
        let cut = CutId(held.made);
        let made = join_all(deaf.iter().map(|(to, from)| self.apply(cut, to, from))).await;
        if let Err(error) = made.into_iter().collect::<Result<(), _>>() {
            join_all(deaf.keys().map(|node| self.strike(cut, node))).await;
            return Err(error);
        }
        held.deaf.insert(cut, deaf);
        Ok(cut)
    }

    pub(super) async fn heal_cut(&self, cut: CutId) -> Result<(), BackendError> {
        let mut held = self.cuts.0.write().await;
        let deaf = held.deaf.remove(&cut).unwrap_or_default();
        join_all(deaf.keys().map(|node| self.strike(cut, node))).await.into_iter().collect()
    }

    /// Makes the current cuts in the new namespace of a node that was started.
    pub(super) async fn cut_again(&self, held: &Held, node: &NodeName) -> Result<(), BackendError> {
        for (cut, deaf) in &held.deaf {
            if let Some(from) = deaf.get(node) {
                self.apply(*cut, node, from).await?;
            }
        }
        Ok(())
    }

    async fn apply(&self, cut: CutId, to: &NodeName, from: &[IpAddr]) -> Result<(), BackendError> {
        self.nft(to, &nft::table(cut, from)).await
    }

    async fn strike(&self, cut: CutId, node: &NodeName) -> Result<(), BackendError> {
        // Deleting a table that does not exist would fail.
        let name = nft::name(cut);
        self.nft(node, &format!("add table ip {name}; delete table ip {name}")).await
    }

    /// Changes the rules in the node's namespace. A node that is down or has not joined yet has
    /// none.
    async fn nft(&self, node: &NodeName, rules: &str) -> Result<(), BackendError> {
        let Ok(Made { id, pid, .. }) = self.made(node) else { return Ok(()) };
        if !self.running.lock().contains_key(&id) {
            return Ok(());
        }
        let node = node.clone();
        let Some(pid) = pid else { return Err(DockerError::Unseen { node }.into()) };
        let why = match nft::enter(pid, rules).await {
            Ok(output) if output.status.success() => return Ok(()),
            // It has ended, and its namespace with it.
            _ if !proc::is_of_container(pid, &id) => return Ok(()),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(e) => e.to_string(),
        };
        Err(DockerError::Cut { node, why }.into())
    }
}
