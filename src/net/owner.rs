//! Which process owns a socket: proc_pid_net(5) has the inode of every connection, and
//! proc_pid_fd(5) the inodes that a process has open.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// The inode of the socket at `local` that is connected to `remote`, on this machine.
pub(super) fn inode(local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    find(&fs::read_to_string("/proc/net/tcp").ok()?, local, remote)
}

/// Whether the process has the socket with this inode, as far as this user can see.
pub(super) fn has(pid: u32, inode: u64) -> bool {
    let socket = format!("socket:[{inode}]");
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.into_iter()
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == &*socket))
}

fn find(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = address(fields.get(1)?)? == local && address(fields.get(2)?)? == remote;
        if is_it { fields.get(9)?.parse().ok() } else { None }
    })
}

/// `0100007F:18EB`: the address as the number that its bytes form in this machine's memory.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some(SocketAddrV4::new(ip, u16::from_str_radix(port, 16).ok()?).into())
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
        let inode = inode(stream.local_addr().unwrap(), door).unwrap();
        assert!(has(std::process::id(), inode));
        assert!(!has(1, inode) && !has(std::process::id(), inode + 1_000_000_000));
    }

    #[test]
    fn both_addresses_must_be_right() {
        let line = "   1: 0200407F:18EB 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0";
        let table = format!("  sl  local_address ...\n{line}\n");
        let (local, remote) =
            ("127.64.0.2:6379".parse().unwrap(), "127.0.0.1:41394".parse().unwrap());
        assert_eq!(find(&table, local, remote), Some(4711));
        assert_eq!(find(&table, remote, local), None);
        assert_eq!(find("nonsense\nmore: of it\n", local, remote), None);
    }
}
