//! Cuts that the kernel makes: nftables rules in the network namespaces of containers.
//!
//! A packet is dropped where it arrives, as one that was lost on the way: its sender is told
//! nothing. Each cut is a table of its own, so cuts do not know of each other. A rule lives
//! in its container's namespace and ends with it, however redrill ends; and a container that
//! is started again has a new namespace, in which the cuts that hold are made anew.

use std::io;
use std::net::IpAddr;
use std::process::{Output, Stdio};

use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::DockerBackend;
use super::error::DockerError;
use super::made::{Held, Made};
use crate::backend::process::binary::on_path;
use crate::backend::{BackendError, CutId, Deaf, proc};
use crate::model::NodeName;

/// Whether this process may make cuts: it tries one in a namespace of its own.
///
/// # Errors
/// What it lacks, in words for a person.
pub fn usable() -> Result<(), &'static str> {
    for (program, lack) in [
        ("nft", "there is no `nft` on PATH (apt-get install nftables)"),
        ("nsenter", "there is no `nsenter` on PATH (apt-get install util-linux)"),
    ] {
        on_path(program).map(drop).ok_or(lack)?;
    }
    let table = table(CutId(0), &[IpAddr::from([127, 0, 0, 1])]);
    // Entering another's namespace takes what it takes to make one's own.
    let tried = std::process::Command::new("unshare")
        .args(["--net", "nft", &table])
        .stdin(Stdio::null())
        .output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) if String::from_utf8_lossy(&output.stderr).starts_with("unshare:") => {
            Err("it takes the right to enter network namespaces (CAP_SYS_ADMIN), as root has it")
        }
        _ => Err("its nftables refuse a rule; `nft list ruleset` says more"),
    }
}

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

    /// The node has been started, and no cut holds in its new namespace.
    pub(super) async fn cut_again(&self, held: &Held, node: &NodeName) -> Result<(), BackendError> {
        for (cut, deaf) in &held.deaf {
            if let Some(from) = deaf.get(node) {
                self.apply(*cut, node, from).await?;
            }
        }
        Ok(())
    }

    async fn apply(&self, cut: CutId, to: &NodeName, from: &[IpAddr]) -> Result<(), BackendError> {
        self.nft(to, &table(cut, from)).await
    }

    async fn strike(&self, cut: CutId, node: &NodeName) -> Result<(), BackendError> {
        // A table that is not there could not be deleted.
        let name = name(cut);
        self.nft(node, &format!("add table ip {name}; delete table ip {name}")).await
    }

    /// Has the rules in the node's namespace changed; a node that is down, or has yet to join,
    /// has none.
    async fn nft(&self, node: &NodeName, rules: &str) -> Result<(), BackendError> {
        let Ok(Made { id, pid, .. }) = self.made(node) else { return Ok(()) };
        if !self.running.lock().contains_key(&id) {
            return Ok(());
        }
        let node = node.clone();
        let Some(pid) = pid else { return Err(DockerError::Unseen { node }.into()) };
        let why = match enter(pid, rules).await {
            Ok(output) if output.status.success() => return Ok(()),
            // It has ended, and its namespace with it.
            _ if !proc::is_of_container(pid, &id) => return Ok(()),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(e) => e.to_string(),
        };
        Err(DockerError::Cut { node, why }.into())
    }
}

async fn enter(pid: u32, rules: &str) -> io::Result<Output> {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{pid}/ns/net")).args(["nft", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    // What a terminal sends to redrill's group (Ctrl-C) is not for it.
    command.process_group(0);
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(rules.as_bytes()).await?;
    }
    child.wait_with_output().await
}

fn name(cut: CutId) -> String {
    format!("redrill_{}", cut.0)
}

fn table(cut: CutId, from: &[IpAddr]) -> String {
    let from: Vec<String> = from.iter().map(IpAddr::to_string).collect();
    format!(
        "table ip {} {{ chain lost {{ type filter hook input priority 0; ip saddr {{ {} }} drop; }}; }}",
        name(cut),
        from.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_a_table_of_its_own() {
        let from = [IpAddr::from([10, 201, 0, 16]), IpAddr::from([10, 201, 0, 17])];
        let text = table(CutId(3), &from);
        assert!(text.starts_with("table ip redrill_3 {"), "{text}");
        assert!(text.contains("ip saddr { 10.201.0.16, 10.201.0.17 } drop"), "{text}");
    }
}
