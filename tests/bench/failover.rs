//! What the watcher and the client add to a failover: from the election until a write
//! succeeds, by the drill's own measures.

use crate::drill;
use crate::table::{Better, Side, Table};

/// As the bound is meant: nothing that anybody would notice beside the servers' own time.
const BOUND_MS: f64 = 100.0;
const SETTINGS: [&str; 2] = ["settle=6s", "groups.cache.config.cluster-node-timeout=1000"];

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut ours = Side::new("redrill run primary-kill");
    for _ in 0..runs {
        let played = drill::play(&["primary-kill"], &SETTINGS)?;
        ours.values.push(played.measure("failover.reconnect")?);
    }
    let what = "served again after a replica was elected";
    table.add(what, "ms", Better::Lower, ours, Side::bound(BOUND_MS), 1.0);
    Ok(())
}
