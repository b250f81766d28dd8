//! `redrill adapter`: the `redis` crate's cluster client behind the lines that any other
//! library's adapter speaks. It is an example in Rust, and shows beside `client: redis-rs`
//! what the protocol costs.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Instant;

use redis::cluster_async::ClusterConnection;
use redis::{RedisResult, Value};
use serde_json::Value as Json;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use crate::load::client::adapter::protocol::{
    Came, Connect, Greeting, Mode, Order, Reply, VERSION, Work,
};
use crate::load::client::cluster_client;
use crate::log::OrUnheard;

/// Carry out a load of another redrill with the `redis` crate; see docs/adapters.md
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn main(_: Args) -> ExitCode {
    // The library retries by itself, so that only what may be done twice is offered.
    let does = ["get", "set", "add"].map(str::to_owned).to_vec();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    say(&Greeting { protocol: VERSION, name: "redis-rs".to_owned(), version, does });
    let (give, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        // The first line is redrill's greeting.
        for line in lines.skip(1) {
            match serde_json::from_str::<Order>(&line) {
                Ok(order) => give.send(order).or_unheard(),
                Err(error) => eprintln!("not an order ({error}): {line}"),
            }
        }
    });
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    match runtime {
        Ok(runtime) => runtime.block_on(serve(orders)),
        Err(error) => eprintln!("no runtime: {error}"),
    }
    ExitCode::SUCCESS
}

async fn serve(mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut connection = None;
    let mut under_way = tokio::task::JoinSet::new();
    while let Some(Order { id, work }) = orders.recv().await {
        match (&work, &connection) {
            (Work::Connect(place), _) => {
                let connected = connect(place).await;
                let came = match &connected {
                    Ok(_) => Came::Ok(Json::Null),
                    Err(error) => Came::Fail(error.clone()),
                };
                connection = connected.ok();
                say(&Reply { id, came, ns: None });
            }
            (Work::Noop, _) => say(&Reply { id, came: Came::Ok(Json::Null), ns: None }),
            (_, None) => say(&Reply { id, came: Came::Fail("not connected".into()), ns: None }),
            (_, Some(known)) => {
                let known = known.clone();
                under_way.spawn_local(async move {
                    let began = Instant::now();
                    let came = carry_out(known, &work).await;
                    say(&Reply { id, came, ns: Some(began.elapsed().as_nanos() as u64) });
                });
            }
        }
    }
    while under_way.join_next().await.is_some() {}
}

async fn connect(place: &Connect) -> Result<ClusterConnection, String> {
    if place.place.mode != Mode::Cluster {
        return Err("this adapter has a cluster client, and the group is no cluster".to_owned());
    }
    // As `client: redis-rs` has it.
    let client = cluster_client(&place.place.nodes, place.password.as_deref());
    let client = client.map_err(|error| error.to_string())?;
    client.get_async_connection().await.map_err(|error| error.to_string())
}

async fn carry_out(mut connection: ClusterConnection, work: &Work) -> Came {
    let command = match work {
        Work::Get { key } => redis::cmd("GET").arg(key).take(),
        Work::Set { key, value } => redis::cmd("SET").arg(key).arg(value).take(),
        Work::Add { key, value } => redis::cmd("SADD").arg(key).arg(value).take(),
        Work::Connect(_) | Work::Noop => return Came::Ok(Json::Null),
        Work::Cas { .. }
        | Work::Incr { .. }
        | Work::Push { .. }
        | Work::Pop { .. }
        | Work::Acquire { .. }
        | Work::Extend { .. }
        | Work::Release { .. }
        | Work::Read { .. }
        | Work::Writing { .. }
        | Work::Invalidate { .. }
        | Work::Write { .. } => {
            return Came::Fail("this adapter does not offer that".to_owned());
        }
    };
    let answer: RedisResult<Value> = command.query_async(&mut connection).await;
    match answer {
        Ok(Value::BulkString(text)) => Came::Ok(String::from_utf8_lossy(&text).into()),
        Ok(_) => Came::Ok(Json::Null),
        // An attempt before the last may have been done.
        Err(error) => Came::Unknown(error.to_string()),
    }
}

fn say(line: &impl serde::Serialize) {
    match serde_json::to_string(line) {
        // redrill may have ended, and then nobody reads this.
        Ok(text) => writeln!(std::io::stdout().lock(), "{text}").or_unheard(),
        Err(error) => eprintln!("an answer cannot be written as JSON: {error}"),
    }
}
