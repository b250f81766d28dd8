//! Moving 1,000 slots with 61,000 keys of 100 B, against
//! `redis-cli --cluster reshard --cluster-pipeline 100`: idle, and under load.
//!
//! Both sides move slots of a fresh cluster of 3 shards with a replica each,
//! whose first shard holds 61 keys in each of its slots.

use std::time::{Duration, Instant};

use redrill::model::slot::slot_of;
use redrill::node::Node;
use redrill::spec::step::Pace;

use crate::ours::{self, Felt, Live};
use crate::peer;
use crate::table::{Better, Side, Table};

const SLOTS: u32 = 1000;
const KEYS_A_SLOT: u32 = 61;
const LOAD: f64 = 4000.0;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Who moves the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mover {
    Redrill,
    RedisCli,
    /// No slot moves for as long as a move may take: what clients feel anyway.
    Nobody,
}

/// How long nobody moves slots.
const NOTHING: Duration = Duration::from_secs(2);

/// What one move came to.
struct Moved {
    keys_a_second: f64,
    /// By the clients; `None` without load.
    felt: Option<Felt>,
}

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    idle(table, runs)?;
    loaded(table, runs)
}

fn idle(table: &mut Table, runs: usize) -> crate::Outcome {
    let runtime = ours::runtime()?;
    let mut keys = sides();
    for _ in 0..runs {
        for (side, mover) in SIDES {
            keys[side].values.push(runtime.block_on(one(mover, false))?.keys_a_second);
        }
    }
    let [ours, theirs] = keys;
    let what = "moving 61,000 keys, no load, pace: fast";
    table.add(what, "keys/s", Better::Higher, ours, theirs, 2.5);
    Ok(())
}

fn loaded(table: &mut Table, runs: usize) -> crate::Outcome {
    let runtime = ours::runtime()?;
    let (mut keys, mut worst, mut usual) = (sides(), sides(), sides());
    let mut floors = [Side::new("while nothing moves"), Side::new("while nothing moves")];
    for _ in 0..runs {
        for (side, mover) in SIDES {
            let moved = runtime.block_on(one(mover, true))?;
            keys[side].values.push(moved.keys_a_second);
            worst[side].values.extend(moved.felt.map(|felt| felt.worst));
            usual[side].values.extend(moved.felt.map(|felt| felt.usual));
        }
        let still = runtime.block_on(one(Mover::Nobody, true))?;
        floors[0].values.extend(still.felt.map(|felt| felt.worst));
        floors[1].values.extend(still.felt.map(|felt| felt.usual));
    }
    let [ours, theirs] = keys;
    let what = "moving 61,000 keys under 4,000 operations a second, pace: {p99: 5ms}";
    table.add(what, "keys/s", Better::Higher, ours, theirs, 1.0);
    let whats = ["clients' worst 1 s p99 meanwhile", "clients' median 250 ms p99 meanwhile"];
    for ((what, [ours, theirs]), floor) in whats.into_iter().zip([worst, usual]).zip(floors) {
        table.add(what, "ms", Better::Lower, ours, theirs, 2.0);
        table.floor(floor);
    }
    Ok(())
}

/// In the order of their turns.
const SIDES: [(usize, Mover); 2] = [(1, Mover::RedisCli), (0, Mover::Redrill)];

fn sides() -> [Side; 2] {
    [Side::new("move_slots"), Side::new("redis-cli --cluster reshard")]
}

async fn one(mover: Mover, loaded: bool) -> Result<Moved> {
    let live = Live::up(&ours::cluster(3, 1)).await?;
    let nodes = live.nodes();
    let first = live.primary(0);
    fill(&first, &live.slots_of(0)).await?;
    let load = if loaded { Some(live.load(LOAD).await?) } else { None };
    let start = Instant::now();
    match mover {
        Mover::Redrill => {
            // Under load: what a scenario that does not say gets.
            let pace = if loaded { Pace::P99(Duration::from_millis(5)) } else { Pace::Fast };
            live.move_slots(0, 1, SLOTS, pace).await?;
        }
        Mover::RedisCli => {
            let (from, to) = (first.id.clone(), live.primary(1).id);
            tokio::task::block_in_place(|| reshard(&first, &from, &to))?;
        }
        Mover::Nobody => tokio::time::sleep(NOTHING).await,
    }
    let seconds = start.elapsed().as_secs_f64();
    let felt = match load {
        Some(load) => Some(load.stop().await?),
        None => None,
    };
    peer::until_ready(&nodes).await?;
    live.down().await?;
    Ok(Moved { keys_a_second: f64::from(SLOTS * KEYS_A_SLOT) / seconds, felt })
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
pub async fn fill(node: &Node, slots: &[u16]) -> Result<()> {
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
