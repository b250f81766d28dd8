//! The relay of a deployment: a door for every node, an address for the clients of every place,
//! and the permanent links between regions.
//!
//! Each node announces the relay's address for itself, so all traffic between nodes and clients passes the relay.
//! redrill itself connects to the nodes' own addresses, so no cut hides their state from it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::nodes_conf::BUS;
use super::places::Places;
use crate::backend::sockets::SocketOwner;
use crate::backend::{Backend, BackendError};
use crate::model::NodeName;
use crate::model::traffic::End;
use crate::net::{Channel, Door, Ends, Fabric, NetError, Openers};
use crate::node::Node;
use crate::spec::Topology;

#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error(transparent)]
    Relay(#[from] NetError),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Dropping it closes all connections between nodes, and those of clients.
#[derive(Debug)]
pub struct Network {
    fabric: Fabric,
    places: Arc<Places>,
    /// The addresses from which the clients of each place connect, and instances.
    clients: BTreeMap<End, IpAddr>,
    /// The address from which everybody else connects who is in no place.
    outside: IpAddr,
}

impl Network {
    /// Opens the doors of `nodes` at the addresses that they announce. The relay draws its
    /// random choices from `seed`.
    ///
    /// # Errors
    /// Servers of this backend cannot be linked, an address is taken, or the machine gives no
    /// thread.
    pub fn open(
        backend: &dyn Backend,
        topology: &Topology,
        places: Arc<Places>,
        nodes: &[&Node],
        seed: u64,
    ) -> Result<Network, NetworkError> {
        let spots: Vec<End> = places.addressed().collect();
        let ips = backend.client_addresses(spots.len() + 1)?;
        let outside = ips[spots.len()];
        let clients = spots.into_iter().zip(ips).collect();
        let fabric = Fabric::start(seed, Some(openers(backend, &places)))?;
        let network = Network { fabric, places, clients, outside };
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
        for (end, ip) in &self.clients {
            self.fabric.know(*ip, end.clone());
        }
        self.fabric.know(self.outside, End::Outside);
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

    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// The address for connections from no region: no link lies between it and any node.
    pub fn outside(&self) -> IpAddr {
        self.outside
    }

    /// The address from which clients in `region` connect, or those without a region.
    pub fn clients_from(&self, region: Option<&str>) -> Option<IpAddr> {
        self.clients.get(&End::Clients(self.places.of_client(region))).copied()
    }

    /// The address from which an instance connects to be told of changes.
    pub fn subscriber_from(&self, load: &str, instance: u16) -> Option<IpAddr> {
        self.clients.get(&End::Subscriber(NodeName::actor(load, instance.into()))).copied()
    }

    /// The address from which an instance connects that is not the only one of its load.
    pub fn instance_from(&self, load: &str, instance: u16) -> Option<IpAddr> {
        self.clients.get(&End::Actor(NodeName::actor(load, instance.into()))).copied()
    }
}

/// Who comes from an address that is nobody's: a server whose MIGRATE does, an actor, or clients
/// of a library in this process, which are where clients are that were put nowhere.
fn openers(backend: &dyn Backend, places: &Places) -> Openers {
    let (owners, default) =
        (backend.programs().socket_owners(), End::Clients(places.of_client(None)));
    Arc::new(move |from, to| {
        Some(match owners(from, to)? {
            SocketOwner::Redrill => default.clone(),
            SocketOwner::Program(name) => name.into(),
        })
    })
}
