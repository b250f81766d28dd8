//! An open loop at 20,000 operations a second: how much of the asked rate is
//! held, and what that costs redrill itself.

use std::process::{Command, Stdio};

use crate::table::{Better, Side, Table};

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut held = Side::new("open loop, 20,000/s, 10 s, cluster-3x1");
    let mut cpu = Side::new("redrill's own share of a core");
    for _ in 0..runs {
        let report = one()?;
        let value =
            |name: &str| report["measures"][name]["value"].as_f64().ok_or(format!("no {name}"));
        held.values.push(value("schedule.held")?);
        cpu.values.push(value("redrill.cpu")?);
    }
    let bound = |value| Side { name: "bound".to_owned(), values: vec![value] };
    table.add("rate held, of 20,000/s", "%", Better::Higher, held, bound(99.0), 1.0);
    table.add("redrill's own CPU meanwhile", "% of a core", Better::Lower, cpu, bound(100.0), 1.0);
    Ok(())
}

fn one() -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let out = tempfile::tempdir()?;
    let output = Command::new(env!("CARGO_BIN_EXE_redrill"))
        .args([
            "run",
            "steady-state",
            "--format",
            "json",
            "--set",
            "loads.app.rate=20000/s",
            "--set",
            "settle=10s",
        ])
        .arg("--out")
        .arg(out.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    if output.stdout.is_empty() {
        return Err(format!("redrill run steady-state: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
