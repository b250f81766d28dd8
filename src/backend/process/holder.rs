//! Who listens on a port, as far as /proc tells.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use super::super::proc;

/// The process that keeps others from listening on `addr`: `redis-server (pid 812)`.
/// None if it belongs to another user, or has gone.
pub fn of_port(addr: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let text = fs::read_to_string(table).ok()?;
        text.lines().skip(1).find_map(|line| listener(line, addr))
    })?;
    let socket = format!("socket:[{inode}]");
    let pid = proc::pids().find(|&pid| has_open(pid, &socket))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim()))
}

/// The inode of the socket in a line of /proc/net/tcp, if it listens on `addr` or
/// on all addresses.
fn listener(line: &str, addr: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (ip, port) = fields.get(1)?.split_once(':')?;
    let same_port = u16::from_str_radix(port, 16).ok()? == addr.port();
    let everywhere = ip.bytes().all(|digit| digit == b'0');
    (same_port && *fields.get(3)? == LISTEN && (everywhere || is(ip, addr.ip())))
        .then(|| fields.get(9)?.parse().ok())
        .flatten()
}

/// The table writes addresses as hexadecimal words in the machine's own byte order.
fn is(hex: &str, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => u32::from_str_radix(hex, 16) == Ok(u32::from_ne_bytes(ip.octets())),
        IpAddr::V6(_) => false,
    }
}

fn has_open(pid: u32, file: &str) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|to| to.as_os_str() == file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_found_by_address_and_port() {
        let line = "   0: 0100407F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
                    0 0 51234 1 0000000000000000 100 0 0 10 0";
        let inode = |addr: &str| listener(line, addr.parse().unwrap());
        assert_eq!(inode("127.64.0.1:6379"), Some(51234));
        assert_eq!(inode("127.64.0.2:6379"), None);
        assert_eq!(inode("127.64.0.1:6380"), None);
        let connected = line.replace(" 0A ", " 01 ");
        assert_eq!(listener(&connected, "127.64.0.1:6379".parse().unwrap()), None);
        let everywhere = line.replace("0100407F", "00000000");
        assert_eq!(listener(&everywhere, "127.64.0.9:6379".parse().unwrap()), Some(51234));
    }
}
