//! Real servers at addresses of their own, each behind its doors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redrill::backend::sockets::SocketOwner;
use redrill::backend::{Backend, NodePlan, ProcessBackend};
use redrill::model::NodeName;
use redrill::model::event::Role;
use redrill::net::{Channel, Door, Fabric, Openers};
use redrill::node::Node;
use redrill::spec::topology::Limits;
use tempfile::TempDir;
use tokio::time::sleep;

use super::rig::MS;
use crate::common;

const BUS: u16 = 10_000;

pub struct Servers {
    pub fabric: Fabric,
    /// At their own addresses: what is asked of them passes no relay.
    pub nodes: Vec<Node>,
    /// Where others are to find them.
    pub doors: BTreeMap<NodeName, SocketAddr>,
    backend: ProcessBackend,
    _dir: TempDir,
}

pub struct Setup {
    pub config: Vec<(String, String)>,
    pub files: Vec<(String, String)>,
}

impl Servers {
    /// Starts the servers and is done when all answer. `setup` says how, from the doors.
    pub async fn start(
        names: &[NodeName],
        setup: impl Fn(&NodeName, &BTreeMap<NodeName, SocketAddr>) -> Setup,
    ) -> Servers {
        let dir = tempfile::tempdir().unwrap();
        let backend = common::backend(dir.path());
        let addrs = backend.reserve(names.len(), None).unwrap();
        let doors = backend.reserve(names.len(), Some(addrs[0].port())).unwrap();
        let doors: BTreeMap<_, _> = names.iter().cloned().zip(doors).collect();
        let owners = backend.programs().socket_owners();
        let openers: Openers = Arc::new(move |from, to| match owners(from, to)? {
            SocketOwner::Program(name) => Some(name.into()),
            SocketOwner::Redrill => None,
        });
        let fabric = Fabric::start(1, Some(openers)).unwrap();
        for (name, addr) in names.iter().zip(&addrs) {
            fabric.know(addr.ip(), name.clone());
            open(&fabric, name, doors[name], *addr);
        }
        let plan = |(name, addr): (&NodeName, &SocketAddr)| {
            let Setup { config, files } = setup(name, &doors);
            let (name, addr, limits) = (name.clone(), *addr, Limits::default());
            NodePlan { name, addr, config, args: Vec::new(), files, limits }
        };
        backend.start(names.iter().zip(&addrs).map(plan).collect()).await.unwrap();
        let node = |(name, addr): (&NodeName, &SocketAddr)| {
            Node::new(name.clone(), *addr, "", Role::Primary)
        };
        let nodes: Vec<Node> = names.iter().zip(&addrs).map(node).collect();
        for node in &nodes {
            let answers = async || node.admin.ping().await.is_ok();
            wait_for(Duration::from_secs(10), "a server answers", answers).await;
        }
        Servers { fabric, nodes, doors, backend, _dir: dir }
    }

    pub async fn end(self) {
        self.backend.shutdown().await.unwrap();
    }
}

fn open(fabric: &Fabric, name: &NodeName, at: SocketAddr, to: SocketAddr) {
    let bus = |addr: SocketAddr| SocketAddr::new(addr.ip(), addr.port() + BUS);
    for (at, to, channel) in [(at, to, Channel::Client), (bus(at), bus(to), Channel::Bus)] {
        fabric.open(Door { at, to, node: name.clone(), channel }).unwrap();
    }
}

/// Looks again and again, for so long at most.
pub async fn wait_for(most: Duration, what: &str, fact: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !fact().await {
        assert!(began.elapsed() < most, "not within {most:?}: {what}");
        sleep(20 * MS).await;
    }
}
