//! Names that are unique on this machine, for all users and wherever they keep their state.
//!
//! A claim binds an abstract unix socket to the name. No two processes can bind the same, and
//! the kernel releases it when the process ends, however it ends.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

/// How many bytes of a name count: the address of a socket has room for 107.
const COUNTED: usize = 90;

/// A name that belongs to this process until it is dropped.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "it is held")] UnixListener);

/// Claims `name`; `None` if another process, or another part of this one, has it. Of a long name
/// its end counts.
pub fn claim(name: &str) -> io::Result<Option<Claim>> {
    match UnixListener::bind_addr(&address(name)?) {
        Ok(socket) => Ok(Some(Claim(socket))),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(e) => Err(e),
    }
}

/// The user who has `name`; `None` if it is free, or if who has it lets nobody ask.
pub fn holder(name: &str) -> Option<u32> {
    let asking = UnixStream::connect_addr(&address(name).ok()?).ok()?;
    let about = rustix::net::sockopt::socket_peercred(&asking).ok()?;
    Some(about.uid.as_raw())
}

fn address(name: &str) -> io::Result<SocketAddr> {
    let end = &name.as_bytes()[name.len().saturating_sub(COUNTED)..];
    SocketAddr::from_abstract_name([b"redrill-", end].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_had_once_and_comes_back() {
        let name = format!("{}-test-{}", "long".repeat(100), std::process::id());
        let other = format!("{name}-2");
        let held = claim(&name).unwrap();
        assert!(held.is_some() && claim(&name).unwrap().is_none());
        assert_eq!(holder(&name), Some(rustix::process::geteuid().as_raw()));
        assert_eq!(holder(&format!("{name}-free")), None);
        assert!(claim(&other).unwrap().is_some());
        drop(held);
        assert!(claim(&name).unwrap().is_some());
    }
}
