//! Where a relay listens for containers: at the bridge's address, a port for each node.
//!
//! The bridge is the drill's own, on an internal network, so only programs that listen on all
//! addresses of the machine are there too. Clients cannot be recognised by this address: they
//! connect from loopback addresses, which the kernel accepts for any address of the machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use super::error::DockerError;
use crate::backend::BackendError;
use crate::backend::process::address::{BUS, Block};
use parking_lot::{Mutex, MutexGuard};

/// All of them, and their bus ports, are below the kernel's ephemeral ports, and none of them
/// is the bus port of another.
const FIRST: u16 = 6379;
const LAST: u16 = FIRST + BUS - 1;

#[derive(Debug, Default)]
pub struct Doors {
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    /// Ports in use, counted from the first one; it includes those that were not free.
    ports: u16,
    /// Taken when it is first needed.
    block: Option<Block>,
    clients: usize,
}

impl Doors {
    pub fn open(&self, gateway: Ipv4Addr, count: usize) -> Result<Vec<SocketAddr>, BackendError> {
        let mut given = self.lock();
        let mut doors = Vec::new();
        let mut why = io::Error::other("all are given away");
        while doors.len() < count {
            let port = FIRST + given.ports;
            if port > LAST {
                let (first, last) = (FIRST, LAST);
                return Err(DockerError::NoDoors { gateway, count, first, last, why }.into());
            }
            given.ports += 1;
            match free(gateway, port).and_then(|()| free(gateway, port + BUS)) {
                Ok(()) => doors.push(SocketAddr::new(gateway.into(), port)),
                Err(e) => why = e,
            }
        }
        Ok(doors)
    }

    pub fn client_addresses(&self, count: usize) -> Result<Vec<IpAddr>, BackendError> {
        let mut given = self.lock();
        let first = given.clients;
        let block = match given.block.take() {
            Some(block) => block,
            None => Block::take()?,
        };
        let addrs = block.addresses(first, count, None);
        given.block = Some(block);
        let addrs = addrs?;
        given.clients += count;
        Ok(addrs.iter().map(SocketAddr::ip).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Given> {
        self.given.lock()
    }
}

/// # Errors
/// `gateway` is no address of this machine.
pub fn is_here(gateway: Ipv4Addr) -> Result<(), DockerError> {
    // Nothing is sent: the kernel only chooses the source address. If the address is one of its
    // own, it chooses the address itself.
    let sender = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((gateway, FIRST))?;
        socket.local_addr()
    });
    match sender {
        Ok(sender) if sender.ip() == gateway => Ok(()),
        _ => Err(DockerError::NoBridge { gateway }),
    }
}

/// Tries to listen there, as the relay will.
fn free(ip: Ipv4Addr, port: u16) -> io::Result<()> {
    TcpListener::bind((ip, port)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_are_taken_are_passed_over_and_none_is_given_twice() {
        let block = Block::take().unwrap();
        let SocketAddr::V4(addr) = block.addresses(0, 1, None).unwrap()[0] else { panic!() };
        let ip = *addr.ip();
        let _taken = TcpListener::bind((ip, FIRST + 1)).unwrap();
        let _bus = TcpListener::bind((ip, FIRST + 2 + BUS)).unwrap();
        let doors = Doors::default();
        let ports = |count| -> Vec<u16> {
            doors.open(ip, count).unwrap().iter().map(|door| door.port() - FIRST).collect()
        };
        assert_eq!(ports(2), [0, 3]);
        assert_eq!(ports(1), [4]);
        let error = doors.open(ip, usize::from(BUS)).unwrap_err().to_string();
        assert!(error.contains("6379 to 16378"), "{error}");
    }

    #[test]
    fn an_address_that_is_not_of_this_machine_is_refused() {
        let error = is_here(Ipv4Addr::new(192, 0, 2, 1)).unwrap_err();
        assert!(error.to_string().contains("192.0.2.1"), "{error}");
        is_here(Ipv4Addr::LOCALHOST).unwrap();
    }

    #[test]
    fn clients_have_addresses_of_their_own() {
        let doors = Doors::default();
        let mut ips = doors.client_addresses(2).unwrap();
        ips.extend(doors.client_addresses(1).unwrap());
        ips.dedup();
        assert_eq!(ips.len(), 3);
        assert!(ips.iter().all(IpAddr::is_loopback));
    }
}
