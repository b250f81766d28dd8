//! From nothing to a ready cluster, against starting the servers and
//! `redis-cli --cluster create`. One replica for each primary.

use std::time::Instant;

use redrill::spec::Topology;

use crate::ours;
use crate::peer::{self, Servers};
use crate::table::{Better, Side, Table};

/// Nodes, and how many times as fast we mean to be.
const SIZES: &[(u32, f64)] = &[(6, 1.0), (30, 1.5), (100, 2.5)];

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let runtime = ours::runtime()?;
    for (nodes, reach) in SIZES {
        let topology: Topology = ours::cluster(nodes / 2, 1);
        let mut ours = Side::new("nodes.conf written beforehand");
        let mut theirs = Side::new("redis-cli --cluster create");
        for _ in 0..runs {
            theirs.values.push(runtime.block_on(by_hand(*nodes as usize))?);
            ours.values.push(runtime.block_on(ours::time_to_ready(&topology))?);
        }
        table.add(
            format!("cluster of {nodes} nodes, from nothing to ready"),
            "s",
            Better::Lower,
            ours,
            theirs,
            *reach,
        );
    }
    Ok(())
}

async fn by_hand(nodes: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    let servers = Servers::start(nodes, true)?;
    tokio::task::block_in_place(|| peer::create_cluster(&servers, 1))?;
    peer::until_ready(&servers.nodes()).await?;
    Ok(start.elapsed().as_secs_f64())
}
