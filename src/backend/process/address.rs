//! Addresses for nodes: a block of 127.0.0.0/8 for every drill.
//!
//! All of 127.0.0.0/8 is this machine, so every drill can have 65,536 addresses
//! (`127.A.0.0/16`), and every node one of them with the usual port. A block belongs to the
//! process that claims its name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use super::super::claim::{Claim, claim, holder};
use super::super::sockets::holder_of_port;

/// Low blocks are left to others: 127.0.0.1 belongs to everybody, and some resolvers and test
/// suites use the next few.
const BLOCKS: std::ops::RangeInclusive<u8> = 64..=126;
/// Node `k` has `127.A.(k / ROW).(1 + k % ROW)`.
const ROW: usize = 250;
const FIRST_PORT: u16 = 6379;
/// How many ports are tried, 1,000 apart. All of them and their bus ports are below the
/// kernel's ephemeral ports.
const PORTS: u16 = 10;
/// The distance from a node's port to its cluster bus port.
pub const BUS: u16 = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error(
        "all {} address blocks (127.{}.0.0/16 to 127.{}.0.0/16) are taken, {}",
        BLOCKS.count(), BLOCKS.start(), BLOCKS.end(), holders(.others, .user)
    )]
    NoBlock {
        /// How many of them other users have, or somebody who does not say.
        others: usize,
        /// One of the other users.
        user: Option<u32>,
    },
    #[error("cannot take an address block: {0}")]
    Claim(#[source] io::Error),
    #[error("{count} nodes are more than the {most} that have room in one address block")]
    TooMany { count: usize, most: usize },
    #[error(
        "port {port} of {ip} is taken{}; free it, or choose another `port` (or none, and redrill \
         finds a free one)",
        held_by(.holder)
    )]
    PortTaken { ip: IpAddr, port: u16, holder: Option<String> },
    #[error(
        "port {port} cannot be used: the cluster bus needs the port 10,000 above it, and there is \
         none; choose one up to 55535"
    )]
    NoBusPort { port: u16 },
    #[error(
        "none of the ports {FIRST_PORT}, {}, … is free on all addresses of the drill; {first}",
        FIRST_PORT + 1000
    )]
    NoFreePort { first: Box<AddressError> },
    #[error("cannot listen on {addr}: {source}")]
    Cannot { addr: SocketAddr, source: io::Error },
}

/// Whose the blocks are.
fn holders(others: &usize, user: &Option<u32>) -> String {
    let user = user.map(|user| format!(", such as user {user}")).unwrap_or_default();
    match others {
        0 => "by your own drills; `redrill status` shows those that `redrill up` left running"
            .to_owned(),
        n => format!(
            "{n} of them by other users of this machine{user}, who may be no drills at all: each has \
             an abstract socket `redrill-127.N` (`ss -xlp`); run the servers in containers \
             (`--backend docker`) until they are free"
        ),
    }
}

fn held_by(holder: &Option<String>) -> String {
    holder.as_ref().map(|who| format!(" by {who}")).unwrap_or_default()
}

/// A block of addresses that belongs to this process until it is dropped.
#[derive(Debug)]
pub struct Block {
    second: u8,
    _claim: Claim,
}

impl Block {
    /// Takes the first free block.
    pub fn take() -> Result<Block, AddressError> {
        for second in BLOCKS {
            let claimed = claim(&format!("127.{second}")).map_err(AddressError::Claim)?;
            if let Some(claim) = claimed {
                return Ok(Block { second, _claim: claim });
            }
        }
        let own = rustix::process::geteuid().as_raw();
        let holders = BLOCKS.map(|second| holder(&format!("127.{second}")));
        let others: Vec<Option<u32>> = holders.filter(|holder| *holder != Some(own)).collect();
        let user = others.iter().copied().flatten().next();
        Err(AddressError::NoBlock { others: others.len(), user })
    }

    /// `127.64.0.0/16`
    pub fn name(&self) -> String {
        format!("127.{}.0.0/16", self.second)
    }

    fn ip(&self, k: usize) -> Ipv4Addr {
        // Both fit: `addresses` has kept k below 256 * ROW.
        Ipv4Addr::new(127, self.second, (k / ROW) as u8, (1 + k % ROW) as u8)
    }

    /// Addresses for the nodes numbered from `first`, all on one port.
    pub fn addresses(
        &self,
        first: usize,
        count: usize,
        port: Option<u16>,
    ) -> Result<Vec<SocketAddr>, AddressError> {
        let most = 256 * ROW;
        if first + count > most {
            return Err(AddressError::TooMany { count: first + count, most });
        }
        let ips: Vec<IpAddr> = (first..first + count).map(|k| self.ip(k).into()).collect();
        let port = match port {
            Some(port) => all_free(&ips, port).map(|()| port)?,
            None => first_free(&ips)?,
        };
        Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

fn first_free(ips: &[IpAddr]) -> Result<u16, AddressError> {
    let mut trouble = None;
    for port in (0..PORTS).map(|n| FIRST_PORT + n * 1000) {
        match all_free(ips, port) {
            Ok(()) => return Ok(port),
            Err(e @ AddressError::PortTaken { .. }) => trouble = trouble.or(Some(e)),
            Err(e) => return Err(e),
        }
    }
    let none = AddressError::NoBusPort { port: FIRST_PORT };
    Err(AddressError::NoFreePort { first: Box::new(trouble.unwrap_or(none)) })
}

fn all_free(ips: &[IpAddr], port: u16) -> Result<(), AddressError> {
    let bus = port.checked_add(BUS).ok_or(AddressError::NoBusPort { port })?;
    for &ip in ips {
        free(ip, port)?;
        free(ip, bus)?;
    }
    Ok(())
}

/// Tries to listen there, as the server will.
fn free(ip: IpAddr, port: u16) -> Result<(), AddressError> {
    let addr = SocketAddr::new(ip, port);
    match TcpListener::bind(addr) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
            Err(AddressError::PortTaken { ip, port, holder: holder_of_port(addr) })
        }
        Err(source) => Err(AddressError::Cannot { addr, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_all_blocks_is_said() {
        let text = |others, user| AddressError::NoBlock { others, user }.to_string();
        assert!(text(0, None).contains("by your own drills"));
        let strangers = text(63, Some(65_534));
        assert!(
            strangers.contains("63 of them by other users of this machine, such as user 65534")
        );
    }

    #[test]
    fn blocks_are_exclusive_and_come_back() {
        let one = Block::take().unwrap();
        let two = Block::take().unwrap();
        assert_ne!(one.second, two.second);
        let name = format!("127.{}", one.second);
        assert!(claim(&name).unwrap().is_none());
        drop(one);
        // Another test may have taken it in between. Either way it was free.
        assert!(claim(&name).unwrap().is_some() || Block::take().is_ok());
    }

    #[test]
    fn every_node_has_its_own_address() {
        let block = Block::take().unwrap();
        let addrs = block.addresses(248, 5, None).unwrap();
        let last: Vec<_> = addrs.iter().map(|a| a.ip().to_string()).collect();
        let a = block.second;
        assert_eq!(last[1], format!("127.{a}.0.250"));
        assert_eq!(last[2], format!("127.{a}.1.1"));
        assert!(addrs.iter().all(|addr| addr.port() == addrs[0].port()));
    }

    #[test]
    fn a_taken_port_is_named_with_who_holds_it() {
        let block = Block::take().unwrap();
        let held = TcpListener::bind((block.ip(1), 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        // An ephemeral port may be too high to have a bus port; then the error says so.
        match block.addresses(0, 2, Some(port)) {
            Err(e @ AddressError::PortTaken { .. }) => {
                let said = e.to_string();
                assert!(said.contains(&format!("port {port} of {}", block.ip(1))), "{said}");
                assert!(said.contains(&format!("(pid {})", std::process::id())), "{said}");
            }
            Err(AddressError::NoBusPort { .. }) => assert!(port > 55_535),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_next_port_is_taken_when_one_is_not_free_on_all() {
        let block = Block::take().unwrap();
        let first = block.addresses(0, 3, None).unwrap()[0].port();
        let bus = TcpListener::bind((block.ip(2), first + BUS)).unwrap();
        let next = block.addresses(0, 3, None).unwrap()[0].port();
        assert!(next > first, "{next} after {first}");
        drop(bus);
    }
}
