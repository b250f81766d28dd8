//! The Compose files of the ready topologies: current, and each comes up without redrill.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use redrill::backend::process::binary::on_path;
use redrill::model::NodeName;
use redrill::model::event::Role;
use redrill::node::{Node, Section};
use redrill::spec::library;
use tempfile::TempDir;

use crate::backend::place::Place;
use crate::common::need::{self, Need};
use crate::common::{assert_redis_cli_agrees, redrill, run};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("compose").join(format!("{name}.yaml"))
}

/// Ready topologies that can be a Compose file: Docker knows no distance.
fn composable() -> impl Iterator<Item = &'static library::Ready> {
    library::topologies().iter().filter(|ready| !ready.text.contains("\nregions:"))
}

#[test]
fn distance_cannot_be_composed() {
    let dir = tempfile::tempdir().unwrap();
    let refused = run(&mut redrill(dir.path(), &["compose", "two-regions"]));
    assert_eq!(refused.code, Some(65), "{}", refused.err);
    assert!(refused.out.is_empty() && refused.err.contains("two-regions.yaml:"), "{}", refused.err);
    let why = "a topology with `regions` cannot be written down for Compose";
    assert!(refused.err.contains(why), "{}", refused.err);
}

#[test]
fn the_files_are_what_redrill_prints() {
    let dir = tempfile::tempdir().unwrap();
    for ready in composable() {
        let name = ready.name;
        let printed = run(&mut redrill(dir.path(), &["compose", name]));
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        let there = fs::read_to_string(file(name)).unwrap_or_default();
        let advice = format!("`redrill compose {name} > compose/{name}.yaml` makes it current");
        assert!(printed.out == there, "{advice}");
    }
}

/// A project of docker-compose; dropping it removes what it brought up.
struct Project {
    folder: TempDir,
    name: String,
}

impl Project {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker-compose");
        command
            .arg("-f")
            .arg(self.folder.path().join("compose.yaml"))
            .args(["-p", &self.name])
            .args(args);
        command
    }

    /// `text` is the topology's file.
    fn up(name: &str, text: &str) -> Project {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("compose.yaml"), text).unwrap();
        let own = format!("redrill-test-{}-{name}", std::process::id());
        let project = Project { folder, name: own };
        let up = run(&mut project.command(&["up", "-d"]));
        assert_eq!(up.code, Some(0), "{name}: {}", up.err);
        project
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let down = run(&mut self.command(&["down", "-v"]));
        if down.code != Some(0) {
            eprintln!("{} is not down: {}", self.name, down.err);
        }
    }
}

#[tokio::test]
async fn every_ready_topology_comes_up_without_redrill() {
    if Place::docker().await.is_none() {
        return;
    }
    if on_path("docker-compose").is_none() {
        return need::skip(Need::Compose, "there is no docker-compose on PATH");
    }
    // One way of writing them makes all the files: a cluster and sentinels show what it does.
    let is_played = |ready: &&library::Ready| {
        need::all() || ["cluster-3x1", "sentinel-1x2"].contains(&ready.name)
    };
    for (n, ready) in composable().filter(is_played).enumerate() {
        // Each has a subnet of its own: the engine sometimes forgets that a network is empty,
        // and then does not remove it.
        let text = fs::read_to_string(file(ready.name)).unwrap();
        let text = text.replace("10.200.0.", &format!("10.200.{}.", 16 * (n + 1)));
        let _project = Project::up(ready.name, &text);
        for group in nodes(&text).chunk_by(|a, b| a.node.name.group == b.node.name.group) {
            until_it_is_up(group).await;
        }
    }
}

async fn until_it_is_up(group: &[Service]) {
    let (sentinels, nodes): (Vec<&Service>, Vec<&Service>) =
        group.iter().partition(|service| service.node.name.is_sentinel());
    for node in &nodes {
        until_good(node, nodes.len()).await;
    }
    for sentinel in &sentinels {
        until_it_watches(&sentinel.node, nodes.len() - 1, sentinels.len() - 1).await;
    }
    if nodes[0].in_cluster {
        assert_redis_cli_agrees(&nodes[0].node.addr.to_string(), None);
    }
}

/// One of a file.
struct Service {
    node: Node,
    in_cluster: bool,
}

/// By the names and addresses that the file gives, `  cache-0-1:` first.
fn nodes(text: &str) -> Vec<Service> {
    let parts: Vec<&str> = text.split("    image: ").collect();
    let service = |(n, pair): (usize, &[&str])| {
        let (_, rest) = pair[1].split_once("ipv4_address: ")?;
        let ip = rest.split_whitespace().next().unwrap();
        let addr: SocketAddr = format!("{ip}:6379").parse().unwrap();
        let name = pair[0].trim_end().trim_end_matches(':').rsplit(' ').next().unwrap();
        let (group, _) = name.split_once('-').unwrap();
        let name = match pair[1].contains("\"--sentinel\"") {
            true => NodeName::sentinel(group, n as u32),
            false => NodeName::new(group, n as u32, 0),
        };
        let node = Node::new(name, addr, String::new(), Role::Primary);
        Some(Service { node, in_cluster: pair[1].contains("\"--cluster-enabled\"") })
    };
    parts.windows(2).enumerate().filter_map(service).collect()
}

/// A sentinel has found all by itself: it was told of the primary only.
async fn until_it_watches(sentinel: &Node, replicas: usize, others: usize) {
    let found = async || {
        let (admin, name) = (&sentinel.admin, "cache");
        let seen = admin.sentinel_replicas(name).await.ok()?.len();
        let peers = admin.sentinel_others(name).await.ok()?.len();
        Some((seen, peers))
    };
    for _ in 0..300 {
        if found().await == Some((replicas, others)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!(
        "{} has found {:?} of {replicas} replicas, {others} others",
        sentinel.addr,
        found().await
    );
}

/// A cluster's node knows all others and is ok; another's replicas are linked.
async fn until_good(Service { node, in_cluster }: &Service, all: usize) {
    let good = async || {
        if *in_cluster {
            let info = node.admin.cluster_info().await.ok()?;
            return (info.state_ok && info.known_nodes == all as u64).then_some(());
        }
        let info = node.admin.info(Section::Replication).await.ok()?;
        let replicas =
            info.role() == Some(Role::Replica) || info.connected_replicas() == Some(all as u64 - 1);
        (replicas && info.master_link_up() != Some(false)).then_some(())
    };
    for _ in 0..600 {
        if good().await.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} is not ready", node.addr);
}
