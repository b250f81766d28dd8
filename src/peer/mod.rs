//! Whose process the other end of a connection is, as the kernel tells it.
//!
//! Other users of the machine can listen at a dead server's address, join a cluster's bus, and
//! connect to any door. So redrill sends nothing, a password least of all, to a socket of
//! theirs, and takes nothing from one. A look costs two system calls, and is taken once for each
//! connection. Addresses of other machines and of containers cannot be asked for; root, which can
//! read every process, is trusted.

mod found;
mod reservation;
pub mod sock_diag;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::process::geteuid;
use tokio::net::TcpStream;

use self::sock_diag::{Found, Socket};

pub use found::{Foreign, note, take_found};
pub use reservation::Reservation;

/// Whose a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This user's, or root's.
    Trusted,
    /// Another user's.
    Other(u32),
    /// No process has it any more, or not yet.
    Nobody,
    /// The kernel does not tell, as of sockets of containers and other machines.
    Unknown,
}

/// The owner of the socket at `there`, which is connected to `here`.
pub fn owner(there: SocketAddr, here: SocketAddr) -> Owner {
    match sock_diag::find(there, here) {
        Found::Socket(socket) => owner_of(&socket),
        Found::Nothing | Found::Unasked => Owner::Unknown,
    }
}

fn owner_of(socket: &Socket) -> Owner {
    match socket.uid {
        // Of a socket that no process has, the kernel says 0.
        _ if socket.inode == 0 => Owner::Nobody,
        0 => Owner::Trusted,
        uid if uid == geteuid().as_raw() => Owner::Trusted,
        uid => Owner::Other(uid),
    }
}

/// Makes sure that the server to which a connection was made is no other user's. It may be paused,
/// and not have accepted the connection.
///
/// # Errors
/// It is another user's. That is also kept for [`take_found`].
pub fn check_server(server: SocketAddr, here: SocketAddr) -> io::Result<()> {
    if !server.ip().is_loopback() {
        return Ok(());
    }
    let owner = match owner(server, here) {
        // What waits to be accepted is the listener's: it would be reset with its end.
        Owner::Nobody => owner_of_listener(server),
        owner => owner,
    };
    match owner {
        Owner::Other(uid) => Err(note(Foreign::OfUser { at: server, uid })),
        Owner::Trusted | Owner::Nobody | Owner::Unknown => Ok(()),
    }
}

/// [`check_server`] of an open connection.
///
/// # Errors
/// It is another user's, or not open any more.
pub fn check(stream: &TcpStream) -> io::Result<()> {
    check_server(stream.peer_addr()?, stream.local_addr()?)
}

/// Connects to a server that is no other user's, to send small requests.
///
/// # Errors
/// It is not reached, or is another user's.
pub async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    check(&stream)?;
    Ok(stream)
}

/// The owner of the socket that listens at `at`.
pub fn owner_of_listener(at: SocketAddr) -> Owner {
    owner(at, SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn own_servers_are_trusted_before_and_after_they_accept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let stream = TcpStream::connect(at).unwrap();
        let here = stream.local_addr().unwrap();
        assert_eq!(owner_of_listener(at), Owner::Trusted);
        assert_eq!(owner(at, here), Owner::Nobody, "not accepted yet");
        assert!(check_server(at, here).is_ok());
        let (accepted, _) = listener.accept().unwrap();
        assert_eq!((owner(at, here), owner(here, at)), (Owner::Trusted, Owner::Trusted));
        drop(stream);
        drop(accepted);
    }

    #[test]
    fn of_other_users_nothing_is_believed() {
        let (mine, other) = (geteuid().as_raw(), geteuid().as_raw() + 1);
        let socket = |inode, uid| Socket { inode, uid };
        assert_eq!(owner_of(&socket(7, mine)), Owner::Trusted);
        assert_eq!(owner_of(&socket(7, 0)), Owner::Trusted, "root reads every process anyway");
        assert_eq!(owner_of(&socket(7, other)), Owner::Other(other));
        assert_eq!(owner_of(&socket(0, other)), Owner::Nobody);
        assert_eq!(owner_of(&socket(0, 0)), Owner::Nobody, "root's is no default");
    }
}
