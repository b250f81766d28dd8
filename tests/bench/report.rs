//! The report of a long run: 20,000 operations a second for three minutes.

use std::time::Instant;

use crate::fixture::{self, Plan};
use crate::table::{Better, Side, Table};

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let dir = tempfile::tempdir()?;
    let plan = Plan { rate: 20_000.0, seconds: 183.0, keys: 200_000, ..fixture::reshard() };
    let folder = fixture::write(&plan, dir.path());
    let mut seconds = Side::new("report::build");
    for _ in 0..runs {
        let start = Instant::now();
        let report = redrill::report::build(&folder)?;
        redrill::report::write(&report)?;
        seconds.values.push(start.elapsed().as_secs_f64());
    }
    let what = "the report of 3.7 million operations";
    table.add(what, "s", Better::Lower, seconds, Side::bound(10.0), 1.0);
    Ok(())
}
