//! An open loop at 20,000 operations a second: how much of the asked rate is
//! held, and what that costs redrill itself.

use crate::drill;
use crate::table::{Better, Side, Table};

const SETTINGS: [&str; 2] = ["loads.app.rate=20000/s", "settle=10s"];

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut held = Side::new("open loop, 20,000/s, 10 s, cluster-3x1");
    let mut cpu = Side::new("redrill's own share of a core");
    for _ in 0..runs {
        let played = drill::play(&["steady-state"], &SETTINGS)?;
        held.values.push(played.measure("schedule.held")?);
        cpu.values.push(played.measure("redrill.cpu")?);
    }
    table.add("rate held, of 20,000/s", "%", Better::Higher, held, Side::bound(99.0), 1.0);
    let what = "redrill's own CPU meanwhile";
    table.add(what, "% of a core", Better::Lower, cpu, Side::bound(100.0), 1.0);
    Ok(())
}
