//! Who opened a connection: recognised by its source address, or by whoever knows the processes
//! of this machine.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::door::{Channel, Door};
use crate::log::OrLogged;
use crate::model::NodeKind;
use crate::model::traffic::{Class, End};

/// Tells who opened the connection from the first address to the second. It may take its time.
pub type Openers = Arc<dyn Fn(SocketAddr, SocketAddr) -> Option<End> + Send + Sync>;

pub(super) struct Places {
    by_ip: RwLock<HashMap<IpAddr, End>>,
    openers: Option<Openers>,
    looking: Semaphore,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("by_ip", &self.by_ip).finish_non_exhaustive()
    }
}

impl Places {
    pub(super) fn new(openers: Option<Openers>) -> Places {
        Places { by_ip: RwLock::default(), openers, looking: Semaphore::new(1) }
    }

    pub(super) fn know(&self, ip: IpAddr, end: End) {
        self.by_ip.write().insert(ip, end);
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
            (Channel::Client, Some(End::Node(node))) => match node.kind {
                NodeKind::Shard(_) => class_of_nodes(stream).await,
                // Sentinels' messages to nodes and to each other count as the bus of the group.
                NodeKind::Sentinel => Class::Bus,
                NodeKind::Actor => Class::Client,
            },
            (
                Channel::Client,
                Some(End::Actor(_) | End::Clients(_) | End::Subscriber(_) | End::Outside) | None,
            ) => Class::Client,
        };
        if let Some(known) = known {
            return (known, class);
        }
        match self.opener(peer, door.at).await {
            // Servers open all other connections from their own address, and MIGRATE's from any
            // address of the machine.
            Some(End::Node(node)) if class == Class::Client => (node.into(), Class::Migration),
            Some(end) => (end, class),
            None => (End::Outside, class),
        }
    }

    /// Whether an end of the drill has the address.
    pub(super) fn knows(&self, ip: IpAddr) -> bool {
        self.by_ip.read().contains_key(&ip)
    }

    fn by_ip(&self, ip: IpAddr) -> Option<End> {
        self.by_ip.read().get(&ip).cloned()
    }

    /// Looking takes milliseconds if there are many sockets, so it is done outside the relay's
    /// thread.
    async fn opener(&self, peer: SocketAddr, door: SocketAddr) -> Option<End> {
        let openers = self.openers.clone()?;
        // One looks at a time: a crowd at the door is to leave the processors to the drill.
        let _turn = self.looking.acquire().await.ok()?;
        tokio::task::spawn_blocking(move || openers(peer, door)).await.ok().flatten()
    }
}

/// The purpose of a connection between nodes. A container has one address, so MIGRATE uses it
/// too. But MIGRATE begins with a SELECT, after an AUTH if there is a password, and all of it is one
/// write; a replica begins with a PING, and waits. The client always speaks first, and the
/// connection is not opened before it has.
async fn class_of_nodes(stream: &TcpStream) -> Class {
    const SELECT: &[u8] = b"*2\r\n$6\r\nSELECT\r\n";
    let mut first = [0; 128];
    let peeked = stream.peek(&mut first).await;
    let begins = peeked.or_logged("see what a connection between nodes is for").unwrap_or_default();
    match first[..begins].windows(SELECT.len()).any(|words| words == SELECT) {
        true => Class::Migration,
        false => Class::Replication,
    }
}
