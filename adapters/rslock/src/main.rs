//! Carries out a load of redrill with the crate `rslock`, as docs/adapters.md says.
//!
//! ```text
//! cargo build --locked --release --manifest-path adapters/rslock/Cargo.toml
//! redrill run ... --set 'loads.app.client={command:
//! [adapters/rslock/target/release/redrill-rslock]}'
//! ```
//!
//! It uses the library as its README does, with its defaults: a lock on all servers of the load,
//! and three tries for each order. A lock that is asked for again after that is redrill's wish.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use rslock::{Lock, LockError, LockManager};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The library, and the locks that it has, by the tokens of their sessions.
struct Locks {
    manager: LockManager,
    held: Mutex<HashMap<String, Lock>>,
}

fn main() {
    say(&json!({
        "protocol": 1, "name": "rslock", "version": "0.10.0",
        "does": ["acquire", "extend", "release"],
    }));
    let (give, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        // The first line is redrill's greeting.
        for line in std::io::stdin().lock().lines().map_while(Result::ok).skip(1) {
            match serde_json::from_str::<Value>(&line) {
                Ok(order) => {
                    if give.send(order).is_err() {
                        return;
                    }
                }
                Err(error) => eprintln!("not an order ({error}): {line}"),
            }
        }
    });
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(serve(orders)),
        Err(error) => eprintln!("no runtime: {error}"),
    }
}

async fn serve(mut orders: mpsc::UnboundedReceiver<Value>) {
    let mut locks = None;
    let mut under_way = tokio::task::JoinSet::new();
    while let Some(order) = orders.recv().await {
        let id = order["id"].clone();
        match (order["do"].as_str(), &locks) {
            (Some("noop"), _) => say(&json!({ "id": id, "ok": null })),
            (Some("connect"), _) => match connect(&order) {
                Ok(manager) => {
                    locks = Some(Arc::new(Locks { manager, held: Mutex::default() }));
                    say(&json!({ "id": id, "ok": null }));
                }
                Err(error) => say(&json!({ "id": id, "fail": error })),
            },
            (_, None) => say(&json!({ "id": id, "fail": "not connected" })),
            (_, Some(locks)) => {
                let locks = locks.clone();
                under_way.spawn(async move {
                    let began = Instant::now();
                    let mut answer = locks.carry_out(&order).await;
                    answer["id"] = id;
                    answer["ns"] = json!(began.elapsed().as_nanos() as u64);
                    say(&answer);
                });
            }
        }
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

/// A client for each server that has the locks.
fn connect(order: &Value) -> Result<LockManager, String> {
    let only = std::slice::from_ref(order);
    let groups = order["groups"].as_array().map_or(only, Vec::as_slice);
    let client = |group: &Value| {
        if group["mode"] != "standalone" {
            return Err(format!("rslock takes independent servers, and {} is none", group["group"]));
        }
        let node = group["nodes"][0].as_str().and_then(|node| node.rsplit_once(':'));
        let (host, port) = node.ok_or("a group without a server")?;
        let port = port.parse().map_err(|_| format!("no port: {port}"))?;
        let mut about = RedisConnectionInfo::default();
        if let Some(password) = order["password"].as_str() {
            about = about.set_password(password);
        }
        let address = ConnectionAddr::Tcp(host.to_owned(), port);
        let address = address.into_connection_info().map_err(|error| error.to_string())?;
        Client::open(address.set_redis_settings(about)).map_err(|error| error.to_string())
    };
    let clients: Result<Vec<Client>, String> = groups.iter().map(client).collect();
    clients.map(LockManager::from_clients)
}

impl Locks {
    async fn carry_out(&self, order: &Value) -> Value {
        let text = |part: &str| order[part].as_str().unwrap_or_default();
        let (key, token) = (text("key"), text("token").to_owned());
        let ttl = Duration::from_millis(order["ttl_ms"].as_u64().unwrap_or_default());
        match text("do") {
            "acquire" => self.acquire(key, token, ttl).await,
            "extend" => {
                let Some(lock) = self.take(&token) else { return json!({ "ok": false }) };
                let extended = self.manager.extend(&lock, ttl).await;
                let held = extended.is_ok();
                self.keep(token, extended.unwrap_or(lock));
                json!({ "ok": held })
            }
            "release" => {
                if let Some(lock) = self.take(&token) {
                    self.manager.unlock(&lock).await;
                }
                // The library does not tell.
                json!({ "ok": null })
            }
            other => json!({ "fail": format!("no such order: {other}") }),
        }
    }

    async fn acquire(&self, key: &str, token: String, ttl: Duration) -> Value {
        match self.manager.lock(key, ttl).await {
            Ok(lock) => {
                let valid = lock.validity_time;
                self.keep(token, lock);
                json!({ "ok": { "got": true, "valid_ms": valid } })
            }
            Err(LockError::Unavailable | LockError::TtlExceeded) => {
                json!({ "ok": { "got": false } })
            }
            Err(error) => json!({ "unknown": error.to_string() }),
        }
    }

    fn keep(&self, token: String, lock: Lock) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(token, lock);
    }

    fn take(&self, token: &str) -> Option<Lock> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(token)
    }
}

fn say(line: &Value) {
    // redrill may have ended, and then nobody reads this.
    _ = writeln!(std::io::stdout().lock(), "{line}");
}
