//! An address that is kept for a server: a socket that is bound to it and never listens.
//!
//! Two sockets that allow it (SO_REUSEADDR) may have one address, as long as only one of them
//! listens. While this one allows it, a server can come beside it. From the moment on at which it
//! does not, nobody else can, and the server goes on listening. When the server dies, connections
//! are refused as they would be without it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use crate::log::OrLogged;

#[derive(Debug)]
pub struct Reservation {
    at: SocketAddr,
    socket: OwnedFd,
}

impl Reservation {
    /// Open: a server may listen there. `None` if somebody does already.
    pub fn of(at: SocketAddr) -> Option<Reservation> {
        reserve(at).or_logged("keep the address of a server")
    }

    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// A server may listen there.
    pub fn open(&self) {
        self.allow(true);
    }

    /// Nobody who does not listen there already may.
    pub fn close(&self) {
        self.allow(false);
    }

    fn allow(&self, on: bool) {
        sockopt::set_socket_reuseaddr(&self.socket, on).or_logged("keep an address, or give it");
    }
}

fn reserve(at: SocketAddr) -> io::Result<Reservation> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &at)?;
    Ok(Reservation { at, socket })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_server_listens_beside_it_and_nobody_else_does_before_and_after_its_death() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = free.local_addr().unwrap();
        assert!(Reservation::of(at).is_none(), "somebody listens");
        drop(free);
        let kept = Reservation::of(at).unwrap();
        let refused = || TcpListener::bind(at).err().map(|e| e.kind());
        for _ in 0..2 {
            kept.open();
            let server = TcpListener::bind(at).unwrap();
            kept.close();
            let client = TcpStream::connect(at).unwrap();
            assert_eq!(refused(), Some(io::ErrorKind::AddrInUse));
            // The server's end closes first, as of one that is killed.
            drop((server.accept().unwrap(), server));
            drop(client);
            assert_eq!(refused(), Some(io::ErrorKind::AddrInUse));
            let dead = TcpStream::connect(at).unwrap_err().kind();
            assert_eq!(dead, io::ErrorKind::ConnectionRefused);
        }
    }
}
