//! Where the relay listens for a node.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::error::NetError;
use super::shared::Shared;
use super::worker::Thread;
use crate::model::NodeName;

/// As many connections wait to be accepted as a server lets wait, by its `tcp-backlog`.
const BACKLOG: i32 = 511;

/// One of a node's ports, as others are to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The address that the node announces; with port 0, any that is free.
    pub at: SocketAddr,
    /// Where its server really listens.
    pub to: SocketAddr,
    pub node: NodeName,
    pub channel: Channel,
}

/// Which of a node's ports it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Commands: from clients, from replicas, from MIGRATE.
    Client,
    /// The cluster bus.
    Bus,
}

/// Listens at `at`, which only this machine (and containers, at the bridge's address) can reach.
pub(super) fn listen(door: &Door, bridge: Option<IpAddr>) -> Result<TcpListener, NetError> {
    let Door { at, node, .. } = door.clone();
    if !(at.ip().is_loopback() || Some(at.ip()) == bridge && !at.ip().is_unspecified()) {
        return Err(NetError::Outside { at, node });
    }
    let listening = TcpListener::bind(at).and_then(|listener| {
        rustix::net::listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listening.map_err(|source| NetError::Listen { at, node, source })
}

/// Takes in whoever comes, for ever.
pub(super) async fn keep(
    shared: Arc<Shared>,
    thread: Rc<Thread>,
    door: Door,
    listener: tokio::net::TcpListener,
) {
    let door = Rc::new(door);
    loop {
        let (client, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                let what = format!("a connection to {} was not accepted", door.node);
                shared.trouble.tell(what, error);
                // It waits in the kernel, and there may be descriptors again soon.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let number = shared.next_connection();
        let (shared, thread, door) = (shared.clone(), thread.clone(), door.clone());
        tokio::task::spawn_local(async move {
            let who = shared.places.tell(&client, peer, &door).await;
            Connection::new(shared, thread, door, number, who).run(client).await;
        });
    }
}
