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
const NLMSG_ERROR: u16 = 2;
/// -ENOENT.
const NOT_FOUND: u32 = -2_i32 as u32;
const TCP_LISTEN: u8 = 10;
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// Lengths of `struct nlmsghdr`, `inet_diag_req_v2` and `inet_diag_msg`; and where in the answer the
/// state and the inode are.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const ANSWER: usize = HEADER + 72;
const STATE: usize = HEADER + 1;
const INODE: usize = ANSWER - 4;
const UID: usize = INODE - 4;

/// A socket of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// 0 if no process has it: it is closing, or was not accepted yet.
    pub inode: u64,
    /// The user who has it; of no meaning without a process.
    pub uid: u32,
}

/// What the kernel says of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Socket(Socket),
    /// There is none in this network, or this kernel knows none by this way.
    Nothing,
    /// The kernel was not asked, or did not answer.
    Unasked,
}

/// The socket at `local` that is connected to `remote`; the one that listens at `local`, if `remote`
/// is no address.
pub fn find(local: SocketAddr, remote: SocketAddr) -> Found {
    let Some(length_and_answer) = ask(local, remote) else { return Found::Unasked };
    let (length, answer) = length_and_answer;
    answer.get(..length).map_or(Found::Unasked, |answer| read(answer, remote.ip().is_unspecified()))
}

fn ask(local: SocketAddr, remote: SocketAddr) -> Option<(usize, [u8; 1024])> {
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
    Some((length, answer))
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
fn read(answer: &[u8], wants_listener: bool) -> Found {
    let number = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    let kind = answer.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match (kind, answer.get(STATE), number(INODE), number(UID)) {
        (Some(BY_FAMILY), Some(state), Some(inode), Some(uid)) => {
            match (*state == TCP_LISTEN) == wants_listener {
                true => Found::Socket(Socket { inode: inode.into(), uid }),
                false => Found::Nothing,
            }
        }
        (Some(NLMSG_ERROR), ..) if number(HEADER) == Some(NOT_FOUND) => Found::Nothing,
        _ => Found::Unasked,
    }
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
        let inode = |local, remote| match find(local, remote) {
            Found::Socket(socket) => Some(socket.inode),
            Found::Nothing => None,
            Found::Unasked => panic!("this kernel does not answer"),
        };
        assert_eq!(inode(from, door), Some(inode_by_file(&stream).unwrap()));
        assert_eq!(inode(door, from), Some(inode_by_file(&accepted).unwrap()));
        let nobody = "127.0.0.1:1".parse().unwrap();
        assert_eq!((inode(nobody, door), inode(door, nobody)), (None, None));
        let other_family = "[::1]:1".parse().unwrap();
        assert_eq!(find(other_family, door), Found::Unasked);
    }
}
