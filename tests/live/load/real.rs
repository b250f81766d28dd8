//! Real servers, one process each.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Server {
    pub address: SocketAddr,
    child: Child,
    _dir: tempfile::TempDir,
}

fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("REDRILL_SERVER") {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["redis-server", "valkey-server"];
    std::env::split_paths(&path)
        .flat_map(|dir| names.map(|name| dir.join(name)))
        .find(|file| file.is_file())
        .expect("these tests need a server: set REDRILL_SERVER or install redis-server")
}

/// A port that is free, and so is the cluster bus's port above it.
fn free_port() -> u16 {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let begin = 20_000 + (std::process::id() % 10_000) as u16;
    let random = std::collections::hash_map::RandomState::new();
    (0..1000_u16)
        .map(|n| begin + (std::hash::BuildHasher::hash_one(&random, n) % 10_000) as u16)
        .find(|&port| free(port) && free(port + 10_000))
        .expect("a free port")
}

impl Server {
    pub fn start(options: &[&str]) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let child = Command::new(binary())
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(dir.path())
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .expect("the server starts");
        let server = Server { address, child, _dir: dir };
        let ready = || server.ask::<String>(&["PING"]).is_ok();
        wait("the server answers", ready);
        server
    }

    pub fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(format!("redis://{}", self.address))?;
        redis::Cmd::new().arg(command).query(&mut client.get_connection()?)
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !until() {
        assert!(Instant::now() < deadline, "waited 20 s until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
