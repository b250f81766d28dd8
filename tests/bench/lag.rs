//! How much later than by the servers' own replication a write is seen in another region, if a
//! replicator carries it: 2,000 writes a second over the same link, drill after drill in turn.
//!
//! Both have two regions with a primary and a replica each, and all writes go to one of them. The
//! cores are shared by four servers, redrill with its relay, and two replicators on the one side.

use crate::drill;
use crate::table::{Better, Side, Table};

/// Latencies, one way.
const LINKS: [&str; 2] = ["0ms", "40ms"];
/// What a replicator may add to native replication.
const MORE_MS: f64 = 10.0;
const SETTINGS: [&str; 7] = [
    "loads.app.group=us",
    "loads.app.rate=2000/s",
    "loads.app.reads=0%",
    "probe.every=5ms",
    "probe.deadline=400ms",
    "settle=8s",
    "expect=[errors.total == 0, schedule.held >= 99%]",
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    for link in LINKS {
        let mut sides = [Side::new("a replicator, rule lww"), Side::new("native replication")];
        for run in 0..runs {
            for turn in 0..2 {
                let side = (run + turn) % 2;
                sides[side].values.push(p99_ms(TOPOLOGIES[side], link)?);
            }
        }
        let [ours, native] = sides;
        // The ratio at which ours is so much longer.
        let reach = native.median() / (native.median() + MORE_MS);
        let what = format!("lag p99 over a link of {link}, 10 ms more at most");
        table.add(what, "ms", Better::Lower, ours, native, reach);
    }
    Ok(())
}

const TOPOLOGIES: [&str; 2] = ["active-active-2r", "standby-2r"];

/// From the acknowledgement until the write was seen in the other region.
fn p99_ms(topology: &str, link: &str) -> Result<f64> {
    let link = format!("links.0={{ between: [us-east, eu-west], latency: {link} }}");
    let settings: Vec<&str> = SETTINGS.into_iter().chain([&*link]).collect();
    let played = drill::play(&["steady-state", "--topology", topology], &settings)?;
    let lag =
        played.report.sync.iter().find(|lag| lag.from == "us").ok_or("no lag was measured")?;
    if lag.is_open(lag.p99_ms) {
        return Err(format!("{topology}: {} writes were never seen", lag.unseen).into());
    }
    Ok(lag.p99_ms)
}
