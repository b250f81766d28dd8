//! A cluster in containers: ready, and gone again, against the Docker command line and
//! `redis-cli --cluster create`. Left out where no Docker engine answers.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redrill::backend::ResolvedBackend;
use redrill::backend::resolve::{BackendKind, BackendRequest};
use redrill::cluster::bring_up;
use redrill::model::NodeName;
use redrill::model::event::Role;
use redrill::node::Node;

use crate::ours;
use crate::peer;
use crate::table::{Better, Side, Table};

/// Shards, replicas of each, and how many times as fast we mean to be ready.
const SIZES: &[(u32, u32, f64)] = &[(3, 1, 1.5), (10, 2, 2.0)];
const NETWORK: &str = "bench-by-hand";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Seconds.
struct Times {
    ready: f64,
    gone: f64,
}

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let runtime = ours::runtime()?;
    if let Err(error) = runtime.block_on(resolved()) {
        eprintln!("bench: containers are left out: {error}");
        return Ok(());
    }
    for &(shards, replicas, reach) in SIZES {
        let nodes = shards * (replicas + 1);
        let mut ready = [Side::new("bollard"), Side::new("docker run, redis-cli --cluster create")];
        let mut gone = [Side::new("bollard"), Side::new("docker rm -f of all")];
        for _ in 0..runs {
            let theirs = runtime.block_on(by_hand(shards, replicas))?;
            let ours = runtime.block_on(by_redrill(shards, replicas))?;
            for (side, times) in [ours, theirs].into_iter().enumerate() {
                ready[side].values.push(times.ready);
                gone[side].values.push(times.gone);
            }
        }
        let what = format!("cluster of {nodes} containers, from nothing to ready");
        let [ours, theirs] = ready;
        table.add(what, "s", Better::Lower, ours, theirs, reach);
        let [ours, theirs] = gone;
        let what = format!("removing {nodes} containers and their network");
        table.add(what, "s", Better::Lower, ours, theirs, 1.0);
    }
    Ok(())
}

async fn resolved() -> Result<ResolvedBackend> {
    let wish = BackendRequest { kind: Some(BackendKind::Docker), binary: None };
    Ok(ResolvedBackend::find(
        wish,
        &Default::default(),
        Path::new(env!("CARGO_BIN_EXE_redrill")),
        &|_| (),
    )
    .await?)
}

/// With all that a drill does before: finding the engine, and asking the image's version.
async fn by_redrill(shards: u32, replicas: u32) -> Result<Times> {
    let topology = ours::cluster(shards, replicas);
    let dir = tempfile::tempdir()?;
    let program = Path::new(env!("CARGO_BIN_EXE_redrill"));
    let start = Instant::now();
    let backend = resolved().await?.open("bench", dir.path(), program).await?;
    let deployment = bring_up(&*backend, &topology, None, &|_, _| ()).await?;
    let nodes: Vec<Node> = deployment.nodes().cloned().collect();
    peer::until_ready(&nodes).await?;
    let ready = start.elapsed().as_secs_f64();
    let start = Instant::now();
    backend.shutdown().await?;
    Ok(Times { ready, gone: start.elapsed().as_secs_f64() })
}

/// As a person's script would.
async fn by_hand(shards: u32, replicas: u32) -> Result<Times> {
    let count = shards * (replicas + 1);
    let address = |n: u32| Ipv4Addr::from_bits(Ipv4Addr::new(10, 199, 0, 16).to_bits() + n);
    let names: Vec<String> = (0..count).map(|n| format!("{NETWORK}-{n}")).collect();
    let start = Instant::now();
    let by_hand = ByHand(names.clone());
    docker(&["network", "create", "--internal", "--subnet", "10.199.0.0/20", NETWORK])?;
    for (name, n) in names.iter().zip(0..) {
        let ip = address(n).to_string();
        let placed = ["run", "-d", "--name", name, "--network", NETWORK, "--ip", &ip];
        let server = ["--entrypoint", "redis-server", "redis:8.0", "--port", "6379"];
        let set = ["--protected-mode", "no", "--save", "", "--cluster-enabled", "yes"];
        let delay = ["--repl-diskless-sync-delay", "0"];
        docker(&[&placed[..], &server, &set, &delay].concat())?;
    }
    (0..count).try_for_each(|n| listens(SocketAddr::from((address(n), 6379))))?;
    let addresses: Vec<String> = (0..count).map(|n| format!("{}:6379", address(n))).collect();
    let replicas = replicas.to_string();
    let mut create = vec!["--cluster", "create"];
    create.extend(addresses.iter().map(String::as_str));
    create.extend(["--cluster-replicas", &replicas, "--cluster-yes"]);
    tokio::task::block_in_place(|| peer::redis_cli(&create, None))?;
    let node = |n: u32| {
        let addr = SocketAddr::from((address(n), 6379));
        Node::new(NodeName::new("peer", 0, n), addr, "", Role::Primary)
    };
    let nodes: Vec<Node> = (0..count).map(node).collect();
    peer::until_ready(&nodes).await?;
    let ready = start.elapsed().as_secs_f64();
    let start = Instant::now();
    by_hand.remove()?;
    Ok(Times { ready, gone: start.elapsed().as_secs_f64() })
}

/// Containers by their names, and the network; removed with this if not before.
struct ByHand(Vec<String>);

impl ByHand {
    fn remove(&self) -> io::Result<()> {
        let all: Vec<&str> = self.0.iter().map(String::as_str).collect();
        docker(&[&["rm", "-f", "-v"][..], &all].concat())?;
        docker(&["network", "rm", NETWORK])
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

fn listens(address: SocketAddr) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
        if Instant::now() > deadline {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn docker(args: &[&str]) -> io::Result<()> {
    let output = Command::new("docker").args(args).stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "docker {} failed: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}
