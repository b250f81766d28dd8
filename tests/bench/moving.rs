//! Moving 1,000 slots with 61,000 keys of 100 B, against
//! `redis-cli --cluster reshard --cluster-pipeline 100`: idle, and under load.
//!
//! Both sides move slots of a fresh cluster of 3 shards with a replica each,
//! whose first shard holds 61 keys in each of its slots.

use std::time::{Duration, Instant};

use redrill::model::slot::slot_of;
use redrill::node::Node;
use redrill::spec::scenario::Pace;

use crate::ours::{self, Live};
use crate::peer;
use crate::table::{Better, Side, Table};

const SLOTS: u32 = 1000;
const KEYS_A_SLOT: u32 = 61;
const LOAD: f64 = 4000.0;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What one move came to.
struct Moved {
    keys_a_second: f64,
    /// Of the clients, in ms; `None` without load.
    worst_p99: Option<f64>,
}

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let runtime = ours::runtime()?;
    for loaded in [false, true] {
        let mut keys = [Side::new("move_slots"), Side::new("redis-cli --cluster reshard")];
        let mut p99 = keys.clone();
        for _ in 0..runs {
            for side in [1, 0] {
                let moved = runtime.block_on(one(side == 0, loaded))?;
                keys[side].values.push(moved.keys_a_second);
                p99[side].values.extend(moved.worst_p99);
            }
        }
        let under = if loaded { "under 4,000 operations a second" } else { "no load, pace: fast" };
        let [ours, theirs] = keys;
        let reach = if loaded { 1.0 } else { 2.5 };
        table.add(
            format!("moving 61,000 keys, {under}"),
            "keys/s",
            Better::Higher,
            ours,
            theirs,
            reach,
        );
        if loaded {
            let [ours, theirs] = p99;
            table.add("clients' worst 1 s p99 meanwhile", "ms", Better::Lower, ours, theirs, 2.0);
        }
    }
    Ok(())
}

async fn one(ours: bool, loaded: bool) -> Result<Moved> {
    let live = Live::up(&ours::cluster(3, 1)).await?;
    let nodes = live.nodes();
    let first = live.primary(0);
    fill(&first, &live.slots_of(0)).await?;
    let load = if loaded { Some(live.load(LOAD).await?) } else { None };
    let start = Instant::now();
    if ours {
        // Under load: what a scenario that does not say gets.
        let pace = if loaded { Pace::P99(Duration::from_millis(5)) } else { Pace::Fast };
        live.move_slots(0, 1, SLOTS, pace).await?;
    } else {
        let (from, to) = (first.id.clone(), live.primary(1).id);
        tokio::task::block_in_place(|| reshard(&first, &from, &to))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let worst_p99 = match load {
        Some(load) => Some(load.stop().await?),
        None => None,
    };
    peer::until_ready(&nodes).await?;
    live.down().await?;
    Ok(Moved { keys_a_second: f64::from(SLOTS * KEYS_A_SLOT) / seconds, worst_p99 })
}

fn reshard(first: &Node, from: &str, to: &str) -> std::io::Result<()> {
    let (address, slots) = (first.addr.to_string(), SLOTS.to_string());
    peer::redis_cli(&[
        "--cluster",
        "reshard",
        &address,
        "--cluster-from",
        from,
        "--cluster-to",
        to,
        "--cluster-slots",
        &slots,
        "--cluster-pipeline",
        "100",
        "--cluster-yes",
    ])
    .map(drop)
}

/// Writes the same number of keys of 100 B into each of the slots.
async fn fill(node: &Node, slots: &[u16]) -> Result<()> {
    let mut tags = vec![None; 16_384];
    let mut missing = 16_384;
    for n in 0u32.. {
        let tag = &mut tags[usize::from(slot_of(n.to_string().as_bytes()))];
        if tag.is_none() {
            *tag = Some(n);
            missing -= 1;
        }
        if missing == 0 {
            break;
        }
    }
    let value = "v".repeat(100);
    for some in slots.chunks(50) {
        let mut pipe = redis::pipe();
        for tag in some.iter().filter_map(|slot| tags[usize::from(*slot)]) {
            for key in 0..KEYS_A_SLOT {
                pipe.cmd("SET").arg(format!("{{{tag}}}:{key}")).arg(&value).ignore();
            }
        }
        node.admin.replies(&pipe).await?;
    }
    Ok(())
}
