//! Moving 333,000 keys by a server's own job, against the time that the server takes for
//! the job itself, and against MIGRATE on the same server. Left out unless `REDRILL_SERVER`
//! is one that has such jobs.

use std::time::{Duration, Instant};

use redrill::cluster::moving::{atomic, carry_out};
use redrill::cluster::plan::Route;
use redrill::node::Node;
use redrill::spec::step::{Method, Pace};

use crate::moving::fill;
use crate::ours::{self, Live};
use crate::peer;
use crate::table::{Better, Side, Table};

/// All of the shard's slots but one: a server that gives its last one becomes a replica.
const SLOTS: u16 = 5460;
const KEYS: f64 = SLOTS as f64 * 61.0;
/// What following the job may add to it.
const OVER: f64 = 1.1;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Redrill(Method),
    Server,
}

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let runtime = ours::runtime()?;
    if !runtime.block_on(is_offered())? {
        eprintln!("bench: atomic is left out: REDRILL_SERVER names no server that offers it");
        return Ok(());
    }
    let mut ours = Side::new("method: atomic");
    let mut server = Side::new("the server's own job");
    let mut migrate = Side::new("method: migrate, pace: fast");
    for _ in 0..runs {
        server.values.push(runtime.block_on(one(How::Server))?);
        migrate.values.push(runtime.block_on(one(How::Redrill(Method::Migrate)))?);
        ours.values.push(runtime.block_on(one(How::Redrill(Method::Atomic)))?);
    }
    let what = "moving 333,000 keys, no load, atomic";
    table.add(what, "keys/s", Better::Higher, ours.clone(), server, 1.0 / OVER);
    table.add(what, "keys/s", Better::Higher, ours, migrate, 1.0);
    Ok(())
}

async fn is_offered() -> Result<bool> {
    let live = Live::up(&ours::cluster(3, 0)).await?;
    let offered = atomic::offered(&live.nodes()).await.is_some();
    live.down().await?;
    Ok(offered)
}

/// Keys a second.
async fn one(how: How) -> Result<f64> {
    let live = Live::up(&ours::cluster(3, 1)).await?;
    let (nodes, first) = (live.nodes(), live.primary(0));
    fill(&first, &live.slots_of(0)).await?;
    let start = Instant::now();
    match how {
        How::Server => job(&first, &live.primary(1)).await?,
        How::Redrill(method) => {
            let route = [Route { slots: (0..=SLOTS - 1).into(), from: 0, to: 1 }];
            let moved = carry_out(&route, &nodes, (method, Pace::Fast), |_| (), || false).await?;
            if moved.slots != u64::from(SLOTS) {
                return Err(format!("moved only {moved:?}").into());
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    peer::until_ready(&nodes).await?;
    live.down().await?;
    Ok(KEYS / seconds)
}

/// The bare command, and looking until it has succeeded.
async fn job(from: &Node, to: &Node) -> Result<()> {
    let mut order = redis::cmd("CLUSTER");
    order.arg("MIGRATESLOTS").arg("SLOTSRANGE").arg(0).arg(SLOTS - 1).arg("NODE").arg(&to.id);
    from.admin.query::<()>(&order).await?;
    let mut look = redis::cmd("CLUSTER");
    look.arg("GETSLOTMIGRATIONS");
    loop {
        let told: redis::Value = from.admin.query(&look).await?;
        let told = format!("{told:?}");
        if told.contains("success") {
            return Ok(());
        }
        if told.contains("failed") || told.contains("cancel") {
            return Err(told.into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
