//! Moving 1,000 slots with 61,000 keys of 100 B, against `redis-cli --cluster reshard`: idle, and
//! under load at several paces and with several pipelines, each with what clients feel of it.
//!
//! Both sides move slots of a fresh cluster of 3 shards with a replica each,
//! whose first shard holds 61 keys in each of its slots.

use std::time::{Duration, Instant};

use redrill::model::slot::slot_of;
use redrill::node::Node;
use redrill::spec::step::Pace;

use crate::front::{Front, Point};
use crate::ours::{self, Felt, Live};
use crate::peer;
use crate::table::{Better, Side, Table};

const SLOTS: u32 = 1000;
const KEYS_A_SLOT: u32 = 61;
const LOAD: f64 = 4000.0;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Who moves the slots.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mover {
    Redrill(Pace),
    /// Keys in a MIGRATE.
    RedisCli(u32),
    /// No slot moves for as long as a move may take: what clients feel anyway.
    Nobody,
}

/// No PING is answered so soon, so this pace is given up at once.
const OUT_OF_REACH: Mover = Mover::Redrill(Pace::P99(Duration::from_micros(1)));

/// How long nobody moves slots: then, and before each move.
const NOTHING: Duration = Duration::from_secs(2);

/// What one move came to.
struct Moved {
    keys_a_second: f64,
    /// By the clients before it and meanwhile; `None` without load.
    felt: Option<(Felt, Felt)>,
}

impl Mover {
    fn name(self) -> String {
        match self {
            Mover::Redrill(pace) => format!("redrill, pace: {pace}"),
            Mover::RedisCli(keys) => format!("redis-cli, pipeline {keys}"),
            Mover::Nobody => "nothing moves".to_owned(),
        }
    }
}

impl Moved {
    fn over_floor(&self) -> Option<f64> {
        self.felt.map(|(before, during)| during.usual - before.usual)
    }
}

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    idle(table, runs)?;
    front(table, runs)
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

fn front(table: &mut Table, runs: usize) -> crate::Outcome {
    let adds = |micros| Mover::Redrill(Pace::Adds(Duration::from_micros(micros)));
    let p99 = Mover::Redrill(Pace::P99(Duration::from_millis(5)));
    let paces = [Mover::Redrill(Pace::Fast), adds(5_000), adds(2_000), adds(500), p99];
    let redrill = paces.into_iter().chain([OUT_OF_REACH]);
    let redis_cli = [1, 10, 100].map(Mover::RedisCli);
    let ours = redrill.map(|mover| (mover, Point::new(&mover.name(), true)));
    let theirs = redis_cli.map(|mover| (mover, Point::new(&mover.name(), false)));
    let mut points: Vec<(Mover, Point)> = ours.chain(theirs).collect();
    let (mut machine_load, mut nothing) = (Vec::new(), Side::new("nothing moves"));
    let runtime = ours::runtime()?;
    for _ in 0..runs {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        machine_load.extend(load.split(' ').next().map(str::to_owned));
        let still = runtime.block_on(one(Mover::Nobody, true))?;
        nothing.values.extend(still.over_floor());
        for (mover, point) in &mut points {
            let moved = runtime.block_on(one(*mover, true))?;
            point.keys_a_second.values.push(moved.keys_a_second);
            point.felt.values.extend(moved.felt.map(|(_, during)| during.usual));
            point.over_floor.values.extend(moved.over_floor());
        }
    }
    let what = format!("moving 61,000 keys under {LOAD} operations a second");
    // A pace that was given up is not to be worse than a person's choice, who says nothing.
    let [given_up, theirs] = [OUT_OF_REACH, Mover::RedisCli(10)].map(|mover| {
        let of = points.iter().find(|(known, _)| *known == mover);
        of.map(|(_, point)| point.keys_a_second.clone()).expect("both are points of the front")
    });
    let given = "moving 61,000 keys under load, a pace out of reach";
    table.add(given, "keys/s", Better::Higher, given_up, theirs, 1.0);
    let points = points.into_iter().map(|(_, point)| point).collect();
    table.front(Front { what, machine_load, points, nothing });
    Ok(())
}

/// In the order of their turns.
const SIDES: [(usize, Mover); 2] = [(1, Mover::RedisCli(100)), (0, Mover::Redrill(Pace::Fast))];

fn sides() -> [Side; 2] {
    [Side::new("move_slots"), Side::new("redis-cli --cluster reshard --cluster-pipeline 100")]
}

async fn one(mover: Mover, loaded: bool) -> Result<Moved> {
    let live = Live::up(&ours::cluster(3, 1)).await?;
    let nodes = live.nodes();
    let first = live.primary(0);
    fill(&first, &live.slots_of(0)).await?;
    let load = if loaded { Some(live.load(LOAD).await?) } else { None };
    if loaded {
        tokio::time::sleep(NOTHING).await;
    }
    let start = Instant::now();
    match mover {
        Mover::Redrill(pace) => live.move_slots(0, 1, SLOTS, pace).await?,
        Mover::RedisCli(keys) => {
            let (from, to) = (first.id.clone(), live.primary(1).id);
            tokio::task::block_in_place(|| reshard(&first, &from, &to, keys))?;
        }
        Mover::Nobody => tokio::time::sleep(NOTHING).await,
    }
    let seconds = start.elapsed().as_secs_f64();
    let felt = match load {
        Some(load) => Some(load.stop(start).await?),
        None => None,
    };
    peer::until_ready(&nodes).await?;
    live.down().await?;
    Ok(Moved { keys_a_second: f64::from(SLOTS * KEYS_A_SLOT) / seconds, felt })
}

fn reshard(first: &Node, from: &str, to: &str, keys: u32) -> std::io::Result<()> {
    let (address, slots) = (first.addr.to_string(), SLOTS.to_string());
    let args = [
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
        &keys.to_string(),
        "--cluster-yes",
    ];
    peer::redis_cli(&args, first.admin.password()).map(drop)
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
