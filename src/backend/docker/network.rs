//! The network of a drill: a bridge with addresses that nobody else has.
//!
//! It is internal: containers on it reach each other and this machine, and nothing else. Fixed
//! addresses need a chosen subnet, and the engine compares a chosen subnet only with its own
//! networks. So redrill also looks at the machine's routes.

use std::fs;
use std::net::Ipv4Addr;

use bollard::Docker;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};

use super::call::call;
use super::endpoint::Engine;
use super::error::{DockerError, status};
use super::owner::Owner;

/// `10.X.0.0/20`, with these second octets: far from the defaults of home networks, office
/// networks and Docker.
const SECONDS: std::ops::RangeInclusive<u8> = 201..=254;
const PREFIX: u32 = 20;
/// The first addresses are left to the bridge and to other containers on the network.
const FIRST_NODE: u32 = 16;
/// All except the subnet's own address, broadcast, and those before [`FIRST_NODE`].
pub const MOST_NODES: usize = (1 << (32 - PREFIX)) - FIRST_NODE as usize - 1;

#[derive(Clone, Debug)]
pub struct Network {
    pub name: String,
    base: u32,
}

impl Network {
    /// Creates the network of a drill in the first free subnet.
    ///
    /// # Errors
    /// No subnet is free, or the engine refuses.
    pub async fn make(engine: &Engine, name: &str, owner: &Owner) -> Result<Network, DockerError> {
        let mut last_refusal = "the machine has routes to all of them".to_owned();
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        for base in SECONDS.map(base).filter(|base| !overlaps(&routes, *base)) {
            match create(&engine.docker, name, owner, base).await {
                Ok(()) => return Ok(Network { name: name.to_owned(), base }),
                Err(e) if is_taken(&e) => last_refusal = e.to_string(),
                Err(source) => {
                    let (host, source) = (engine.endpoint.host.clone(), Box::new(source));
                    return Err(DockerError::Engine { host, what: "make a network", source });
                }
            }
        }
        let (first, last) = (subnet(base(*SECONDS.start())), subnet(base(*SECONDS.end())));
        Err(DockerError::NoSubnet { first, last, why: last_refusal })
    }

    /// The address of the `k`th node.
    pub fn node(&self, k: usize) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base + FIRST_NODE + k as u32)
    }

    /// The bridge's own address: containers reach this machine there.
    pub fn gateway(&self) -> Ipv4Addr {
        gateway(self.base)
    }

    pub fn subnet(&self) -> String {
        subnet(self.base)
    }
}

async fn create(
    docker: &Docker,
    name: &str,
    owner: &Owner,
    base: u32,
) -> Result<(), bollard::errors::Error> {
    let gateway = Some(gateway(base).to_string());
    let pool = IpamConfig { subnet: Some(subnet(base)), gateway, ..IpamConfig::default() };
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        internal: Some(true),
        ipam: Some(Ipam { config: Some(vec![pool]), ..Ipam::default() }),
        labels: Some(owner.labels(None)),
        ..NetworkCreateRequest::default()
    };
    call("make the network", name, docker.create_network(request)).await.map(drop)
}

/// The engine says so in several ways, and with several codes.
fn is_taken(error: &bollard::errors::Error) -> bool {
    let text = error.to_string().to_lowercase();
    status(error).is_some() && (text.contains("overlap") || text.contains("already in use"))
}

fn base(second: u8) -> u32 {
    Ipv4Addr::new(10, second, 0, 0).to_bits()
}

fn gateway(base: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(base + 1)
}

fn subnet(base: u32) -> String {
    format!("{}/{PREFIX}", Ipv4Addr::from_bits(base))
}

/// Whether a route of /proc/net/route overlaps the subnet. The default route overlaps
/// everything and does not count.
fn overlaps(routes: &str, base: u32) -> bool {
    let own = u32::MAX << (32 - PREFIX);
    routes.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Hexadecimal words in the machine's byte order.
        let word = |i: usize| {
            let word = u32::from_str_radix(fields.get(i)?, 16).ok()?;
            Some(u32::from_be_bytes(word.to_ne_bytes()))
        };
        let (Some(to), Some(mask)) = (word(1), word(7)) else { return false };
        mask != 0 && (to & own & mask) == (base & own & mask)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_with_a_route_are_left_alone() {
        let head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";
        let route = |to: [u8; 4], mask: [u8; 4]| {
            let hex = |octets| format!("{:08X}", u32::from_ne_bytes(octets));
            format!("{head}eth0 {} 00000000 0001 0 0 0 {} 0 0 0\n", hex(to), hex(mask))
        };
        assert!(!overlaps(head, base(201)));
        assert!(!overlaps(&route([0, 0, 0, 0], [0, 0, 0, 0]), base(201)), "the default route");
        assert!(overlaps(&route([10, 0, 0, 0], [255, 0, 0, 0]), base(201)), "it is within");
        assert!(
            overlaps(&route([10, 201, 3, 0], [255, 255, 255, 0]), base(201)),
            "it has it within"
        );
        assert!(!overlaps(&route([10, 201, 16, 0], [255, 255, 255, 0]), base(201)), "beside it");
        assert!(!overlaps(&route([10, 202, 0, 0], [255, 255, 0, 0]), base(201)));
    }

    #[test]
    fn nodes_have_addresses_within_the_subnet() {
        let network = Network { name: String::new(), base: base(201) };
        assert_eq!(network.subnet(), "10.201.0.0/20");
        assert_eq!(network.node(0).to_string(), "10.201.0.16");
        assert_eq!(network.node(MOST_NODES - 1).to_string(), "10.201.15.254");
    }
}
