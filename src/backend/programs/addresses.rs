//! The addresses of servers are kept for them from before their start until the end of all, so that
//! no other user of the machine listens where clients and replicas look for a server that is dead.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;

use crate::model::NodeName;
use crate::peer::{self, Foreign, Owner, Reservation};

/// How often it is looked whether a server listens that has been started, and for how long.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const LOOKS: u32 = 1_000;

#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<HashMap<NodeName, Kept>>);

#[derive(Debug, Default)]
struct Kept {
    all: Vec<Reservation>,
    /// How often the server was started.
    starts: u64,
}

impl Addresses {
    /// The server will listen at these, and has not been started yet.
    pub(super) fn keep(&self, name: &NodeName, all: &[SocketAddr]) {
        let all = all.iter().filter_map(|at| Reservation::of(*at)).collect();
        self.0.lock().insert(name.clone(), Kept { all, starts: 0 });
    }

    /// The server is to be started: it may listen.
    pub(super) fn open(&self, name: &NodeName) {
        if let Some(kept) = self.0.lock().get_mut(name) {
            kept.starts += 1;
            kept.all.iter().for_each(Reservation::open);
        }
    }

    /// The server has ended, and nobody may listen.
    pub(super) fn close(&self, name: &NodeName) {
        for held in self.0.lock().get(name).into_iter().flat_map(|kept| &kept.all) {
            held.close();
            let at = held.at();
            if let Owner::Other(uid) = peer::owner_of_listener(at) {
                drop(peer::note(Foreign::OfUser { at, uid }));
            }
        }
    }

    /// Closes each address once the server listens there. One at which it never does stays open.
    pub(super) async fn close_once_it_listens(&self, name: &NodeName) {
        let starts = || self.0.lock().get(name).map(|kept| kept.starts);
        let this = starts();
        for _ in 0..LOOKS {
            if this.is_none() || starts() != this || self.close_what_listens(name) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the server listens everywhere.
    fn close_what_listens(&self, name: &NodeName) -> bool {
        let all = self.0.lock();
        let mut open = 0;
        for held in all.get(name).into_iter().flat_map(|kept| &kept.all) {
            match peer::owner_of_listener(held.at()) {
                Owner::Trusted => held.close(),
                Owner::Other(_) | Owner::Nobody | Owner::Unknown => open += 1,
            }
        }
        open == 0
    }

    /// All servers have ended for good.
    pub(super) fn forget(&self) {
        self.0.lock().clear();
    }
}
