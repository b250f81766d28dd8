//! What the watcher and the client add to a failover: from the election until a write
//! succeeds, by the drill's own measures.

use std::process::{Command, Stdio};

use crate::table::{Better, Side, Table};

/// As the bound is meant: nothing that anybody would notice beside the servers' own time.
const BOUND_MS: f64 = 100.0;

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut ours = Side::new("redrill run primary-kill");
    for _ in 0..runs {
        ours.values.push(one()?);
    }
    let bound = Side { name: "bound".to_owned(), values: vec![BOUND_MS] };
    table.add("served again after a replica was elected", "ms", Better::Lower, ours, bound, 1.0);
    Ok(())
}

fn one() -> Result<f64, Box<dyn std::error::Error>> {
    let out = tempfile::tempdir()?;
    let ran = Command::new(env!("CARGO_BIN_EXE_redrill"))
        .args(["run", "primary-kill", "--format", "json", "--set", "settle=6s"])
        .args(["--set", "groups.cache.config.cluster-node-timeout=1000", "--out"])
        .arg(out.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout)?;
    let measured = report["measures"]["failover.reconnect"]["value"].as_f64();
    measured.ok_or_else(|| "no replica took over".into())
}
