//! The relay of a deployment: a door for every node, an address for clients of every place,
//! and the standing links between regions.
//!
//! Nodes announce their doors, so whatever nodes and clients say to each other passes the
//! relay. redrill itself asks nodes at their own addresses: no cut hides the truth from it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::nodes_conf::BUS;
use super::places::Places;
use crate::backend::{Backend, BackendError};
use crate::model::NodeName;
use crate::model::traffic::End;
use crate::net::{Channel, Door, Ends, Fabric, NetError};
use crate::node::Node;
use crate::spec::Topology;

#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error(transparent)]
    Relay(#[from] NetError),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Dropping it ends all connections between nodes, and those of clients.
#[derive(Debug)]
pub struct Network {
    fabric: Fabric,
    places: Arc<Places>,
    names: Vec<NodeName>,
    /// Where clients of each place connect from.
    clients: BTreeMap<Option<String>, IpAddr>,
    /// Where those connect from who are in no place.
    outside: IpAddr,
}

impl Network {
    /// Opens the doors of `nodes` at the addresses that they announce. What the relay
    /// leaves to chance is drawn from `seed`.
    ///
    /// # Errors
    /// Servers of this backend cannot be linked, an address is taken, or the machine has no
    /// thread to give.
    pub fn open(
        backend: &dyn Backend,
        topology: &Topology,
        places: Arc<Places>,
        nodes: &[&Node],
        seed: u64,
    ) -> Result<Network, NetworkError> {
        let names = nodes.iter().map(|node| node.name.clone()).collect();
        let spots: Vec<Option<String>> = places.of_clients().cloned().collect();
        let ips = backend.client_addresses(spots.len() + 1)?;
        let outside = ips[spots.len()];
        let clients = spots.into_iter().zip(ips).collect();
        let fabric = Fabric::start(seed, backend.bridge())?;
        let network = Network { fabric, places, names, clients, outside };
        network.introduce(nodes)?;
        let ends = |region: usize| {
            let name = topology.regions.get(region).map_or("", String::as_str);
            Ends::Only(network.places.region(name))
        };
        network.fabric.links(&topology.links, ends);
        Ok(network)
    }

    fn introduce(&self, nodes: &[&Node]) -> Result<(), NetError> {
        for node in nodes {
            self.fabric.know(node.addr.ip(), node.name.clone());
            let bus =
                |addr: SocketAddr| SocketAddr::new(addr.ip(), addr.port().saturating_add(BUS));
            let (at, to) = (node.announced, node.addr);
            self.open_door(node, at, to, Channel::Client)?;
            self.open_door(node, bus(at), bus(to), Channel::Bus)?;
        }
        for (place, ip) in &self.clients {
            self.fabric.know(*ip, End::Clients(place.clone()));
        }
        self.fabric.know(self.outside, End::Outside);
        // Clients of a library leave from whatever address the kernel gives them: they are
        // told by this process, and are where clients are that were put nowhere.
        let default = End::Clients(self.places.of_client(None));
        self.fabric.runs(default, std::process::id());
        Ok(())
    }

    fn open_door(
        &self,
        node: &Node,
        at: SocketAddr,
        to: SocketAddr,
        channel: Channel,
    ) -> Result<(), NetError> {
        self.fabric.open(Door { at, to, node: node.name.clone(), channel }).map(drop)
    }

    /// Servers may have been started since: whose processes they are is needed to tell
    /// connections that leave from nobody's address, as MIGRATE's do.
    pub fn look_at_processes(&self, backend: &dyn Backend) {
        for name in &self.names {
            if let Some(pid) = backend.pid(name) {
                self.fabric.runs(name.clone(), pid);
            }
        }
    }

    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// The address to connect from that is in no region: no link is between it and any node.
    pub fn outside(&self) -> IpAddr {
        self.outside
    }

    /// The address that clients in `region` connect from, or those that are put nowhere.
    pub fn clients_from(&self, region: Option<&str>) -> Option<IpAddr> {
        self.clients.get(&self.places.of_client(region)).copied()
    }
}
