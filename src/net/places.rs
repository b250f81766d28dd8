//! Who opened a connection: recognised by its source address, or by the process that owns the
//! socket.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use parking_lot::RwLock;
use tokio::net::TcpStream;

use super::door::{Channel, Door};
use super::owner;
use crate::model::traffic::{Class, End};

#[derive(Debug, Default)]
pub(super) struct Places {
    by_ip: RwLock<HashMap<IpAddr, End>>,
    by_pid: RwLock<HashMap<u32, End>>,
}

impl Places {
    pub(super) fn know(&self, ip: IpAddr, end: End) {
        self.by_ip.write().insert(ip, end);
    }

    pub(super) fn runs(&self, pid: u32, end: End) {
        let mut by_pid = self.by_pid.write();
        // A node that was started again has another pid.
        by_pid.retain(|_, other| *other != end);
        by_pid.insert(pid, end);
    }

    /// The end that opened the connection from `peer` to `door`, and the connection's purpose.
    pub(super) async fn tell(
        &self,
        stream: &TcpStream,
        peer: SocketAddr,
        door: &Door,
    ) -> (End, Class) {
        let known = self.by_ip(peer.ip());
        let class = match (door.channel, &known) {
            (Channel::Bus, _) => Class::Bus,
            // Sentinels' messages to nodes and to each other count as the bus of the group.
            (Channel::Client, Some(End::Node(node))) if node.is_sentinel() => Class::Bus,
            (Channel::Client, Some(End::Node(_))) => class_of_nodes(stream).await,
            (Channel::Client, _) => Class::Client,
        };
        if let Some(known) = known {
            return (known, class);
        }
        match self.owner(peer, door.at).await {
            // Servers open all other connections from their own address, and MIGRATE's from any
            // address of the machine.
            Some(End::Node(node)) if class == Class::Client => (node.into(), Class::Migration),
            Some(end) => (end, class),
            None => (End::Outside, class),
        }
    }

    fn by_ip(&self, ip: IpAddr) -> Option<End> {
        self.by_ip.read().get(&ip).cloned()
    }

    /// The end whose process owns the socket. Looking takes milliseconds if there are many
    /// sockets, so it is done outside the relay's thread.
    async fn owner(&self, peer: SocketAddr, door: SocketAddr) -> Option<End> {
        let by_pid = self.by_pid.read().clone();
        if by_pid.is_empty() {
            return None;
        }
        let look = move || {
            let inode = owner::inode(peer, door)?;
            by_pid.into_iter().find(|(pid, _)| owner::has(*pid, inode)).map(|(_, end)| end)
        };
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }
}

/// The purpose of a connection between nodes. A container has one address, so MIGRATE uses it
/// too. But MIGRATE begins with a SELECT, and a replica with a PING. The client always speaks
/// first, and the connection is not opened before it has.
async fn class_of_nodes(stream: &TcpStream) -> Class {
    const SELECT: &[u8] = b"*2\r\n$6\r\nSELECT\r\n";
    let mut first = [0; SELECT.len()];
    match stream.peek(&mut first).await {
        Ok(_) if first == SELECT => Class::Migration,
        _ => Class::Replication,
    }
}
