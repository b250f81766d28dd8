//! Reads and writes a cache for a load of redrill with the client-side cache of the `redis` crate,
//! as docs/adapters.md says.
//!
//! ```text
//! cargo build --locked --release --manifest-path adapters/cache-aio/Cargo.toml
//! redrill run ... --set 'loads.app.client={command:
//! [adapters/cache-aio/target/release/redrill-cache-aio]}'
//! ```
//!
//! It uses the library as its documentation does: `CacheConfig` and RESP3, with the library's own
//! defaults but for the time-out and the time of copies. One `ClusterConnection` for a cluster, one
//! `ConnectionManager` for a single server, both shared by all orders. For a group with sentinels
//! it is a connection of `SentinelClient`, and after an error a new one. GET is answered from
//! memory if it can be; the server tells of changed keys (CLIENT TRACKING). What no server has,
//! redrill computes, and SET leaves it there. Without a layer in the process it is the library
//! without its cache.
//!
//! What it cannot promise:
//!
//! - It counts keys and not bytes, 10,000 of them: `near_bytes` is not for it.
//! - A reply that is taken up after the message about its key is kept, and no further message
//!   comes: under load it serves old texts until their time is over.
//! - A connection that is silently cut serves its copies until it is not, or their time is over.
//! - In a cluster it does not tell a copy near from one in the group.
//! - Nothing keeps a reader from leaving in the group what it computed before somebody's write.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io::{BufRead, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use redis::aio::{
    ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection, SendError,
};
use redis::caching::CacheConfig;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisResult,
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// The library, and the answers that are awaited from redrill.
struct Adapter {
    servers: Servers,
    ttl_ms: u64,
    patience: Duration,
    /// `None` when the input has ended: nobody answers then.
    waiting: Asks,
    asked: AtomicU64,
}

type Asks = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

enum Servers {
    One(ConnectionManager),
    Cluster(ClusterConnection),
    Sentinels(Box<tokio::sync::Mutex<Sentinels>>),
}

struct Sentinels {
    client: SentinelClient,
    config: AsyncConnectionConfig,
    /// The connection, and whether it is lost.
    primary: Option<(MultiplexedConnection, Arc<AtomicBool>)>,
}

fn main() {
    say(&json!({
        "protocol": 1, "name": "cache-aio", "version": "redis 1.8.1",
        "does": ["read", "write", "invalidate"],
    }));
    let (give, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        // The first line is redrill's greeting.
        for line in std::io::stdin().lock().lines().map_while(Result::ok).skip(1) {
            match serde_json::from_str::<Value>(&line) {
                Ok(line) => {
                    if give.send(line).is_err() {
                        return;
                    }
                }
                Err(error) => eprintln!("not an order ({error}): {line}"),
            }
        }
    });
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(serve(lines)),
        Err(error) => eprintln!("no runtime: {error}"),
    }
}

async fn serve(mut lines: mpsc::UnboundedReceiver<Value>) {
    let waiting = Asks::new(Mutex::new(Some(HashMap::new())));
    let mut adapter = None;
    let mut under_way = tokio::task::JoinSet::new();
    while let Some(order) = lines.recv().await {
        if let Some(number) = order["answer"].as_u64() {
            let asker = locked(&waiting).as_mut().and_then(|asks| asks.remove(&number));
            // One that comes too late is for nobody.
            _ = asker.map(|asker| asker.send(order));
            continue;
        }
        let id = order["id"].clone();
        match (order["do"].as_str(), &adapter) {
            (Some("noop"), _) => say(&json!({ "id": id, "ok": null })),
            (Some("connect"), _) => match connect(&order, waiting.clone()).await {
                Ok(connected) => {
                    adapter = Some(Arc::new(connected));
                    say(&json!({ "id": id, "ok": null }));
                }
                Err(error) => say(&json!({ "id": id, "fail": error })),
            },
            (_, None) => say(&json!({ "id": id, "fail": "not connected" })),
            (_, Some(adapter)) => {
                let adapter = adapter.clone();
                under_way.spawn(async move {
                    let began = Instant::now();
                    let mut answer = adapter.carry_out(&order).await;
                    answer["id"] = id;
                    answer["ns"] = json!(began.elapsed().as_nanos() as u64);
                    say(&answer);
                });
            }
        }
        while under_way.try_join_next().is_some() {}
    }
    *locked(&waiting) = None;
    while under_way.join_next().await.is_some() {}
}

async fn connect(order: &Value, waiting: Asks) -> Result<Adapter, String> {
    let patience = Duration::from_millis(order["timeout_ms"].as_u64().unwrap_or(1000));
    // Without a layer in the process there is no cache in it.
    let near = order["cache"]["near_ttl_ms"]
        .as_u64()
        .map(|ttl| CacheConfig::new().set_default_client_ttl(Duration::from_millis(ttl)));
    let servers = servers(order, patience, near).await.map_err(|error| error.to_string())?;
    let ttl_ms = order["cache"]["ttl_ms"].as_u64().unwrap_or_default();
    let adapter = Adapter { servers, ttl_ms, patience, waiting, asked: AtomicU64::new(0) };
    adapter.query(&redis::cmd("PING")).await.map_err(|error| error.to_string())?;
    Ok(adapter)
}

async fn servers(
    order: &Value,
    patience: Duration,
    near: Option<CacheConfig>,
) -> RedisResult<Servers> {
    let nodes = order["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let nodes = nodes.iter().filter_map(|node| node.as_str()?.rsplit_once(':'));
    let addresses: Vec<ConnectionAddr> = nodes
        .filter_map(|(host, port)| Some(ConnectionAddr::Tcp(host.to_owned(), port.parse().ok()?)))
        .collect();
    let password = order["password"].as_str();
    let mut about = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    if let Some(password) = password {
        about = about.set_password(password);
    }
    let infos: RedisResult<Vec<ConnectionInfo>> = addresses
        .iter()
        .map(|address| {
            Ok(address.clone().into_connection_info()?.set_redis_settings(about.clone()))
        })
        .collect();
    let infos = infos?;
    match order["mode"].as_str() {
        Some("cluster") => {
            let mut builder = ClusterClientBuilder::new(infos)
                .connection_timeout(patience)
                .response_timeout(patience);
            if let Some(near) = near {
                builder = builder.cache_config(near);
            }
            builder.build()?.get_async_connection().await.map(Servers::Cluster)
        }
        Some("sentinel") => {
            let name = order["group"].as_str().unwrap_or_default();
            let mut builder =
                SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?
                    .set_client_to_redis_protocol(ProtocolVersion::RESP3);
            if let Some(password) = password {
                builder = builder
                    .set_client_to_redis_password(password)
                    .set_client_to_sentinel_password(password);
            }
            let mut config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(patience))
                .set_response_timeout(Some(patience));
            if let Some(near) = near {
                config = config.set_cache_config(near);
            }
            let sentinels = Sentinels { client: builder.build()?, config, primary: None };
            Ok(Servers::Sentinels(Box::new(sentinels.into())))
        }
        _ => {
            let mut config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(patience))
                .set_response_timeout(Some(patience));
            if let Some(near) = near {
                config = config.set_cache_config(near);
            }
            let first = infos.into_iter().next();
            let first =
                first.ok_or((ErrorKind::InvalidClientConfig, "a group without a server"))?;
            ConnectionManager::new_with_config(Client::open(first)?, config).await.map(Servers::One)
        }
    }
}

impl Sentinels {
    async fn primary(&mut self) -> RedisResult<(MultiplexedConnection, Arc<AtomicBool>)> {
        if let Some(primary) = &self.primary
            && !primary.1.load(Ordering::Relaxed)
        {
            return Ok(primary.clone());
        }
        // Without being told, nobody who finds all in memory would see that it is lost.
        let lost = Arc::new(AtomicBool::new(false));
        let told = lost.clone();
        let config = self.config.clone().set_push_sender(move |push: PushInfo| {
            told.fetch_or(push.kind == PushKind::Disconnection, Ordering::Relaxed);
            Ok::<(), SendError>(())
        });
        let primary = self.client.get_async_connection_with_config(&config).await?;
        Ok(self.primary.insert((primary, lost)).clone())
    }
}

impl Adapter {
    async fn carry_out(&self, order: &Value) -> Value {
        let text = |part: &str| order[part].as_str().unwrap_or_default();
        let key = text("key");
        let done = match text("do") {
            "read" => return self.read(key).await.unwrap_or_else(unknown),
            "write" => self.query(&self.set(key, text("text"))).await,
            "invalidate" => self.query(redis::cmd("DEL").arg(key)).await,
            other => return json!({ "fail": format!("no such order: {other}") }),
        };
        done.map_or_else(unknown, |_| json!({ "ok": null }))
    }

    async fn read(&self, key: &str) -> RedisResult<Value> {
        let (found, at_once) = self.query(redis::cmd("GET").arg(key)).await?;
        if let Some(text) = redis::from_redis_value::<Option<String>>(found)? {
            let mut copy = json!({ "text": text });
            // In a cluster it goes through another task in any case.
            if !matches!(self.servers, Servers::Cluster(_)) {
                copy["from"] = json!(if at_once { "near" } else { "group" });
            }
            return Ok(json!({ "ok": copy }));
        }
        let text = match self.compute(key).await {
            Ok(text) => text,
            Err(why) => return Ok(json!({ "fail": why })),
        };
        self.query(&self.set(key, &text)).await?;
        Ok(json!({ "ok": { "text": text, "from": "origin" } }))
    }

    fn set(&self, key: &str, text: &str) -> Cmd {
        let mut set = redis::cmd("SET");
        set.arg(key).arg(text).arg("PX").arg(self.ttl_ms);
        set
    }

    /// What the library says, and whether it had that without waiting for anybody.
    async fn query(&self, command: &Cmd) -> RedisResult<(redis::Value, bool)> {
        match &self.servers {
            Servers::One(manager) => ask(&mut manager.clone(), command).await,
            Servers::Cluster(cluster) => ask(&mut cluster.clone(), command).await,
            Servers::Sentinels(sentinels) => {
                let (mut primary, lost) = sentinels.lock().await.primary().await?;
                let reply = ask(&mut primary, command).await;
                // After an error the sentinels may know another primary.
                lost.fetch_or(reply.is_err(), Ordering::Relaxed);
                reply
            }
        }
    }

    async fn compute(&self, key: &str) -> Result<String, String> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let (give, answer) = oneshot::channel();
        match locked(&self.waiting).as_mut() {
            Some(asks) => asks.insert(number, give),
            None => return Err("the input has ended".to_owned()),
        };
        say(&json!({ "ask": number, "compute": key }));
        let answer = match tokio::time::timeout(self.patience, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return Err("the input has ended".to_owned()),
            Err(_) => {
                locked(&self.waiting).as_mut().and_then(|asks| asks.remove(&number));
                return Err("the origin did not answer within the time-out".to_owned());
            }
        };
        let failed = || answer["fail"].as_str().unwrap_or("no text").to_owned();
        answer["ok"].as_str().map(str::to_owned).ok_or_else(failed)
    }
}

async fn ask<C: ConnectionLike>(to: &mut C, command: &Cmd) -> RedisResult<(redis::Value, bool)> {
    let mut reply = pin!(to.req_packed_command(command));
    // What is ready when it is first looked at came from memory: a server's word takes a while.
    let first = poll_fn(|context| Poll::Ready(reply.as_mut().poll(context))).await;
    let (reply, at_once) = match first {
        Poll::Ready(reply) => (reply, true),
        Poll::Pending => (reply.await, false),
    };
    // An error of the server is a value until somebody looks.
    Ok((reply?.extract_error()?, at_once))
}

fn unknown(error: redis::RedisError) -> Value {
    json!({ "unknown": error.to_string() })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn say(line: &Value) {
    // redrill may have ended, and then nobody reads this.
    _ = writeln!(std::io::stdout().lock(), "{line}");
}
