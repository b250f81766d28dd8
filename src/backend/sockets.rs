//! Whose a socket is, as the kernel tells it: proc_pid_net(5) has the inode of every socket,
//! and proc_pid_fd(5) the inodes that a process has open.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::proc;
use crate::model::NodeName;
use crate::peer::sock_diag::{self, Found};

/// Who has a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketOwner {
    /// This very process.
    Redrill,
    /// A server, an actor, or a process that one of them started.
    Program(NodeName),
}

/// Tells who has the socket at the first address that is connected to the second, among the
/// processes of this machine that a backend runs. It takes milliseconds where there are many.
pub type SocketOwners = Arc<dyn Fn(SocketAddr, SocketAddr) -> Option<SocketOwner> + Send + Sync>;

/// A socket of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode(u64);

impl Inode {
    /// The socket at `local` that is connected to `remote`.
    pub fn connected(local: SocketAddr, remote: SocketAddr) -> Option<Inode> {
        match sock_diag::find(local, remote) {
            Found::Socket(socket) => (socket.inode > 0).then_some(Inode(socket.inode)),
            // A kernel that does not know the other end either has the table.
            Found::Nothing if sock_diag::find(remote, local) != Found::Nothing => None,
            Found::Nothing | Found::Unasked => Inode::in_table(local, remote),
        }
    }

    fn in_table(local: SocketAddr, remote: SocketAddr) -> Option<Inode> {
        let table = fs::read_to_string("/proc/net/tcp").ok()?;
        find(&table, |line| is_at(line.local, local) && is_at(line.remote, remote))
    }

    /// The socket that keeps others from listening on `addr`.
    fn listening(addr: SocketAddr) -> Option<Inode> {
        ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .find_map(|table| find(&fs::read_to_string(table).ok()?, |line| listens(line, addr)))
    }

    /// Whether the process has it open, as far as this user may know.
    pub fn is_of(self, pid: u32) -> bool {
        let socket = format!("socket:[{}]", self.0);
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|to| to.as_os_str() == &*socket)
    }
}

/// The process that listens on `addr`: `redis-server (pid 812)`. `None` if it belongs to
/// another user, or has gone.
pub fn holder_of_port(addr: SocketAddr) -> Option<String> {
    let inode = Inode::listening(addr)?;
    let pid = proc::pids().find(|pid| inode.is_of(*pid))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim()))
}

/// A line of /proc/net/tcp.
struct Line<'t> {
    /// `0100007F:18EB`
    local: &'t str,
    remote: &'t str,
    state: &'t str,
}

fn find(table: &str, is_it: impl Fn(&Line<'_>) -> bool) -> Option<Inode> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        is_it(&Line { local, remote, state }).then_some(())?;
        fields.nth(5)?.parse().ok().map(Inode)
    })
}

fn listens(line: &Line<'_>, addr: SocketAddr) -> bool {
    const LISTEN: &str = "0A";
    let everywhere = |(ip, port): (&str, &str)| {
        ip.bytes().all(|digit| digit == b'0') && has_port(port, addr.port())
    };
    let here = is_at(line.local, addr) || line.local.split_once(':').is_some_and(everywhere);
    line.state == LISTEN && here
}

fn has_port(hex: &str, port: u16) -> bool {
    u16::from_str_radix(hex, 16) == Ok(port)
}

/// The table writes an address as the number that its bytes are in this machine's memory.
fn is_at(text: &str, addr: SocketAddr) -> bool {
    let (Some((ip, port)), IpAddr::V4(wanted)) = (text.split_once(':'), addr.ip()) else {
        return false;
    };
    has_port(port, addr.port())
        && u32::from_str_radix(ip, 16) == Ok(u32::from_ne_bytes(wanted.octets()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = listener.local_addr().unwrap();
        let stream = TcpStream::connect(door).unwrap();
        let inode = Inode::connected(stream.local_addr().unwrap(), door).unwrap();
        assert_eq!(Inode::in_table(stream.local_addr().unwrap(), door), Some(inode));
        assert!(inode.is_of(std::process::id()));
        assert!(!inode.is_of(1) && !Inode(inode.0 + 1_000_000_000).is_of(std::process::id()));
        assert!(holder_of_port(door).unwrap().ends_with(&format!("(pid {})", std::process::id())));
    }

    #[test]
    fn both_addresses_must_be_right() {
        let line = "   1: 0200407F:18EB 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0";
        let table = format!("  sl  local_address ...\n{line}\n");
        let (local, remote) =
            ("127.64.0.2:6379".parse().unwrap(), "127.0.0.1:41394".parse().unwrap());
        let connected = |local, remote| {
            find(&table, |line| is_at(line.local, local) && is_at(line.remote, remote))
        };
        assert_eq!(connected(local, remote), Some(Inode(4711)));
        assert_eq!(connected(remote, local), None);
        assert_eq!(find("nonsense\nmore: of it\n", |_| true), None);
    }

    #[test]
    fn listeners_are_found_by_address_and_port() {
        let line = "   0: 0100407F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
                    0 0 51234 1 0000000000000000 100 0 0 10 0";
        let of = |line: &str, addr: &str| {
            let addr = addr.parse().unwrap();
            find(&format!("head\n{line}"), |line| listens(line, addr))
        };
        assert_eq!(of(line, "127.64.0.1:6379"), Some(Inode(51234)));
        assert_eq!(of(line, "127.64.0.2:6379"), None);
        assert_eq!(of(line, "127.64.0.1:6380"), None);
        assert_eq!(of(&line.replace(" 0A ", " 01 "), "127.64.0.1:6379"), None, "connected");
        let everywhere = line.replace("0100407F", "00000000");
        assert_eq!(of(&everywhere, "127.64.0.9:6379"), Some(Inode(51234)));
    }
}
