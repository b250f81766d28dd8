//! The other side: servers started by hand, `redis-cli`, `redis-benchmark`.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use redrill::model::event::Role;
use redrill::model::{NodeName, Password};
use redrill::node::{Node, Section};
use tempfile::TempDir;

/// Servers on 127.0.0.1, started as a person's script would; they end with this value.
pub struct Servers {
    pub ports: Vec<u16>,
    children: Vec<Child>,
    _dir: TempDir,
}

impl Servers {
    pub fn start(count: usize, cluster: bool) -> io::Result<Servers> {
        let dir = tempfile::tempdir()?;
        let ports = free_ports(count)?;
        let children = ports
            .iter()
            .map(|port| start_one(dir.path(), *port, cluster))
            .collect::<io::Result<Vec<Child>>>()?;
        Ok(Servers { ports, children, _dir: dir })
    }

    pub fn nodes(&self) -> Vec<Node> {
        let node = |(at, port): (usize, &u16)| {
            let address = SocketAddr::from(([127, 0, 0, 1], *port));
            Node::new(NodeName::new("peer", 0, at as u32), address, "", Role::Primary)
        };
        self.ports.iter().enumerate().map(node).collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ports that are free, with the cluster bus's ten thousand above them.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let free = |port: &u16| {
        TcpListener::bind(("127.0.0.1", *port)).is_ok()
            && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok()
    };
    let ports: Vec<u16> = (20_000..30_000).filter(free).take(count).collect();
    if ports.len() == count { Ok(ports) } else { Err(io::Error::other("too few free ports")) }
}

fn start_one(dir: &Path, port: u16, cluster: bool) -> io::Result<Child> {
    let home = dir.join(port.to_string());
    fs::create_dir(&home)?;
    let log = File::create(home.join("log"))?;
    let mut server = Command::new(program("REDRILL_SERVER", "redis-server"));
    server.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    server.args(["--dir", &home.to_string_lossy(), "--repl-diskless-sync-delay", "0"]);
    if cluster {
        server.args(["--cluster-enabled", "yes"]);
    }
    server.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).spawn()
}

fn program(variable: &str, usual: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| usual.to_owned())
}

pub fn redis_cli(args: &[&str], password: Option<&Password>) -> io::Result<Output> {
    let output = Command::new(program("REDRILL_CLI", "redis-cli"))
        .args(args)
        .envs(password.map(|password| ("REDISCLI_AUTH", password.reveal())))
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("redis-cli {} failed: {text}", args.join(" "))))
}

/// `redis-cli --cluster create` over the servers, one replica for each primary.
pub fn create_cluster(servers: &Servers, replicas: u32) -> io::Result<()> {
    let addresses: Vec<String> = servers.ports.iter().map(|p| format!("127.0.0.1:{p}")).collect();
    for port in &servers.ports {
        wait_for_port(*port)?;
    }
    let replicas = replicas.to_string();
    let mut args = vec!["--cluster", "create"];
    args.extend(addresses.iter().map(String::as_str));
    args.extend(["--cluster-replicas", &replicas, "--cluster-yes"]);
    redis_cli(&args, None).map(drop)
}

pub fn wait_for_port(port: u16) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = std::net::TcpStream::connect(("127.0.0.1", port)) {
        if Instant::now() > deadline {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Both sides are ready by the same test: every node says that the cluster is
/// ok, and every replica's link is up.
pub async fn until_ready(nodes: &[Node]) -> Result<(), Box<dyn std::error::Error>> {
    let deadline = Instant::now() + Duration::from_secs(120);
    for node in nodes {
        while !ready(node).await {
            if Instant::now() > deadline {
                return Err(format!("{} is not ready after 120 s", node.addr).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}

async fn ready(node: &Node) -> bool {
    let Ok(cluster) = node.admin.cluster_info().await else { return false };
    let Ok(info) = node.admin.info(Section::Replication).await else { return false };
    let linked = info.role() == Some(Role::Primary) || info.master_link_up() == Some(true);
    cluster.state_ok && linked
}
