//! Groups that all take writes: the functions of each rule on real servers, and the replicator.

mod hardships;
mod replicator;
mod rules;
mod shards;
mod standby;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use redis::{Cmd, Connection, FromRedisValue, RedisResult};
use redrill::spec::sync::SyncRule;
use redrill::sync::functions::{self, Writers};
use redrill::sync::protocol::Place;
use redrill::sync::shard::{Shard, Tag};

use crate::common::until;

/// A loopback address that no other server of this process has, nor one of another process, but for
/// a rare coincidence of process ids.
pub fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU16 = AtomicU16::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    // Some tests start dozens of servers, and all of them together more than 256.
    let [more, count] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    // Drills take 127.64.0.0 and above.
    Ipv4Addr::new(127, 1 + high % 4 * 8 + more % 8, low, count)
}

/// A server with the functions of a rule.
pub struct Server {
    pub group: &'static str,
    pub address: SocketAddr,
    pub connection: Connection,
    shard: Shard,
    child: Child,
    _dir: tempfile::TempDir,
}

impl Server {
    pub fn start(binary: &Path, group: &'static str, rule: SyncRule) -> Server {
        let mut server = Server::launch(binary, group, Shard::default(), &[]);
        server.gets_functions(rule, Writers::All);
        server
    }

    /// One that takes writes if the term says so.
    pub fn start_standby(binary: &Path, group: &'static str) -> Server {
        let mut server = Server::launch(binary, group, Shard::default(), &[]);
        server.gets_functions(SyncRule::Lww, Writers::OneOf);
        server
    }

    /// A node that has one shard of a cluster, and knows nobody who has the others.
    pub fn start_shard(
        binary: &Path,
        group: &'static str,
        rule: SyncRule,
        shard: (Shard, [&str; 2]),
    ) -> Server {
        let (shard, [first, last]) = shard;
        let cluster =
            ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"].as_slice();
        let mut server = Server::launch(binary, group, shard, cluster);
        server.say::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        let is_ok = |server: &mut Server| server.say::<String>(&["CLUSTER", "INFO"]);
        let ok = "cluster_state:ok";
        assert!(until(Duration::from_secs(20), || is_ok(&mut server).contains(ok)));
        server.gets_functions(rule, Writers::All);
        server
    }

    fn gets_functions(&mut self, rule: SyncRule, writers: Writers) {
        let load = functions::load(rule, writers, self.group, self.tag());
        self.ask::<redis::Value>(&load).unwrap();
        self.ask::<redis::Value>(&functions::open()).unwrap();
    }

    pub fn tag(&self) -> &Tag {
        &self.shard.tag
    }

    fn launch(binary: &Path, group: &'static str, shard: Shard, more: &[&str]) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let address = SocketAddr::from((own_address(), 6379));
        let child = Command::new(binary)
            .args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()])
            .args(["--save", "", "--dir"])
            .arg(dir.path())
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("the server starts");
        let client = redis::Client::open(format!("redis://{address}")).unwrap();
        let mut connection = None;
        let connected = until(Duration::from_secs(20), || {
            connection = client.get_connection().ok();
            connection.is_some()
        });
        assert!(connected, "the server at {address} does not answer");
        let connection = connection.unwrap();
        Server { group, address, connection, shard, child, _dir: dir }
    }

    /// Where a replicator finds it.
    pub fn place(&self) -> Place {
        Place { group: self.group.to_owned(), tag: self.tag().clone(), nodes: vec![self.address] }
    }

    pub fn ask<T: FromRedisValue>(&mut self, cmd: &Cmd) -> RedisResult<T> {
        cmd.query(&mut self.connection)
    }

    pub fn say<T: FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut cmd = Cmd::new();
        cmd.arg(words);
        self.ask(&cmd).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub fn write(&mut self, what: &str, key: &str, value: &str) {
        let written: RedisResult<redis::Value> =
            self.ask(&functions::write(what, key, value.as_bytes()));
        written.unwrap_or_else(|error| panic!("{what} {key}: {error}"));
    }

    pub fn get(&mut self, key: &str) -> Option<String> {
        self.say(&["GET", key])
    }

    pub fn follow(&mut self, of: SocketAddr) {
        self.say::<()>(&["REPLICAOF", &of.ip().to_string(), &of.port().to_string()]);
    }

    /// Its elements in order.
    pub fn members(&mut self, key: &str) -> Vec<String> {
        let mut members: Vec<String> = self.say(&["SMEMBERS", key]);
        members.sort();
        members
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }
}
