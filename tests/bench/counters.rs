//! Counters: what a lock around a get and a set costs, beside one command.

use crate::drill;
use crate::table::{Better, Side, Table};

const CLIENTS: u32 = 50;

/// Fifty clients count up a hundred counters as fast as they can: more is asked for than either does.
pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut sides = [Side::new("by: incr"), Side::new("by: lock")];
    for _ in 0..runs {
        for (side, by) in sides.iter_mut().zip(["incr", "lock"]) {
            let text = format!(
                "name: counters\ntopology: standalone\nsettle: 5s\nreported: [all]\n\
                 loads:\n  app: {{ workload: counter, by: {by}, reads: 0%, rate: 300000/s, \
                 clients: {CLIENTS}, max_in_flight: {CLIENTS}, keys: 100 }}\n"
            );
            let file = tempfile::NamedTempFile::with_suffix(".yaml")?;
            std::fs::write(file.path(), text)?;
            let played = drill::play(&[&file.path().to_string_lossy()], &[])?;
            side.values.push(played.measure("throughput.before")?);
        }
    }
    let [ours, theirs] = sides;
    let what = "increments by INCR and under a lock, 50 clients";
    table.add(what, "/s", Better::Higher, ours, theirs, 1.5);
    Ok(())
}
