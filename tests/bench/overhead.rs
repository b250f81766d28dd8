//! What a drill costs beyond the scenario's own seconds: the wall time of
//! `redrill run cluster-reshard`, less the time from the load's begin to its end.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::table::{Better, Side, Table};

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut ours = Side::new("redrill run cluster-reshard");
    for _ in 0..runs {
        ours.values.push(one()?);
    }
    let bound = Side { name: "bound".to_owned(), values: vec![4.0] };
    table.add("a drill's time beyond the scenario's own", "s", Better::Lower, ours, bound, 1.0);
    Ok(())
}

fn one() -> Result<f64, Box<dyn std::error::Error>> {
    let out = tempfile::tempdir()?;
    let start = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_redrill"))
        .args(["run", "cluster-reshard", "--out"])
        .arg(out.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let seconds = start.elapsed().as_secs_f64();
    if status.code().is_none_or(|code| code > 2) {
        return Err(format!("redrill run: {status}").into());
    }
    Ok(seconds - own_seconds(out.path())?)
}

/// From the phase in which the load runs to the one in which it has stopped.
fn own_seconds(out: &std::path::Path) -> Result<f64, Box<dyn std::error::Error>> {
    let run = std::fs::read_dir(out)?.next().ok_or("no run folder")??.path();
    let (mut from, mut to) = (None, None);
    for line in std::fs::read_to_string(run.join("events.jsonl"))?.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        let at = event["at"].as_f64().map(|nanos| nanos / 1e9);
        match event["phase"].as_str() {
            Some("steps") => from = at,
            Some("verify") => to = at,
            _ => {}
        }
    }
    Ok(to.ok_or("the drill did not come to its end")? - from.ok_or("the load did not begin")?)
}
