//! Asks the kernel for one connection (sock_diag(7)). It looks it up in its table, and does not write
//! all of that out, as for /proc/net/tcp: with ten thousand connections that takes some 50 ms.

use std::net::{IpAddr, SocketAddr};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

const AF_INET: u8 = 2;
const IPPROTO_TCP: u8 = 6;
/// SOCK_DIAG_BY_FAMILY, which is also the type of the answer.
const BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const TCP_LISTEN: u8 = 10;
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// Lengths of `struct nlmsghdr`, `inet_diag_req_v2` and `inet_diag_msg`; and where in the answer the
/// state and the inode are.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const ANSWER: usize = HEADER + 72;
const STATE: usize = HEADER + 1;
const INODE: usize = ANSWER - 4;

/// The inode of the socket at `local` that is connected to `remote`. None if there is none, or if
/// the kernel does not tell.
pub fn inode_of(local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .ok()?;
    send(&kernel, &request(local, remote)?, SendFlags::empty()).ok()?;
    let mut answer = [0; 1024];
    // The kernel has answered before `send` returns.
    let (_, length) = recv(&kernel, &mut answer, RecvFlags::DONTWAIT).ok()?;
    inode(answer.get(..length)?)
}

fn request(local: SocketAddr, remote: SocketAddr) -> Option<Vec<u8>> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (local.ip(), remote.ip()) else { return None };
    let address = |ip: [u8; 4]| [&ip[..], &[0; 12]].concat();
    let parts: [&[u8]; 12] = [
        &(REQUEST as u32).to_ne_bytes(),
        &BY_FAMILY.to_ne_bytes(),
        &NLM_F_REQUEST.to_ne_bytes(),
        &[0; 8],
        &[AF_INET, IPPROTO_TCP, 0, 0],
        // In any state.
        &u32::MAX.to_ne_bytes(),
        &local.port().to_be_bytes(),
        &remote.port().to_be_bytes(),
        &address(from.octets()),
        &address(to.octets()),
        // On any interface.
        &[0; 4],
        &NO_COOKIE,
    ];
    Some(parts.concat())
}

/// A listener answers for a connection that is not there.
fn inode(answer: &[u8]) -> Option<u64> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let inode = u32::from_ne_bytes(answer.get(INODE..ANSWER)?.try_into().ok()?);
    let is_connected = kind == BY_FAMILY && answer.get(STATE) != Some(&TCP_LISTEN);
    (is_connected && inode > 0).then_some(inode.into())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::linux::fs::MetadataExt;
    use std::{fs, io};

    use super::*;

    /// As the file system has it.
    fn inode_by_file(stream: &TcpStream) -> io::Result<u64> {
        use std::os::fd::AsRawFd;
        Ok(fs::metadata(format!("/proc/self/fd/{}", stream.as_raw_fd()))?.st_ino())
    }

    #[test]
    fn the_kernel_tells_of_both_ends_of_a_connection_and_of_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = listener.local_addr().unwrap();
        let stream = TcpStream::connect(door).unwrap();
        let (accepted, from) = listener.accept().unwrap();
        assert_eq!(inode_of(from, door), Some(inode_by_file(&stream).unwrap()));
        assert_eq!(inode_of(door, from), Some(inode_by_file(&accepted).unwrap()));
        let nobody = "127.0.0.1:1".parse().unwrap();
        assert_eq!((inode_of(nobody, door), inode_of(door, nobody)), (None, None));
        let other_family = "[::1]:1".parse().unwrap();
        assert_eq!(inode_of(other_family, door), None);
    }
}
