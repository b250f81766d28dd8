//! Rules of nftables in the network namespaces of containers, and whether they can be made.

use std::io;
use std::net::IpAddr;
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::backend::CutId;
use crate::backend::process::binary::on_path;

/// Whether this process may make cuts. It tries one in a new namespace.
///
/// # Errors
/// What it lacks, as text for a person.
pub fn usable() -> Result<(), &'static str> {
    for (program, lack) in [
        ("nft", "there is no `nft` on PATH (apt-get install nftables)"),
        ("nsenter", "there is no `nsenter` on PATH (apt-get install util-linux)"),
    ] {
        on_path(program).map(drop).ok_or(lack)?;
    }
    let table = table(CutId(0), &[IpAddr::from([127, 0, 0, 1])]);
    // Entering another namespace needs the same rights as creating one.
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

pub(super) async fn enter(pid: u32, rules: &str) -> io::Result<Output> {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{pid}/ns/net")).args(["nft", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    // Signals of the terminal to redrill's group (Ctrl-C) must not reach it.
    command.process_group(0);
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(rules.as_bytes()).await?;
    }
    child.wait_with_output().await
}

pub(super) fn name(cut: CutId) -> String {
    format!("redrill_{}", cut.0)
}

pub(super) fn table(cut: CutId, from: &[IpAddr]) -> String {
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
