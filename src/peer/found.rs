//! Which servers of other users were found where the drill's own should be.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use parking_lot::Mutex;
use tracing::warn;

/// So many are kept; who opens more is not worth more lines.
const MOST: usize = 16;

/// A server that is not the drill's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// Another user has the address.
    OfUser { at: SocketAddr, uid: u32 },
    /// A server of the drill sent a client there.
    NotOfDrill { at: SocketAddr },
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Foreign::OfUser { at, uid } => write!(
                f,
                "user {uid} of this machine listens at {at}, where only the drill's servers should"
            ),
            Foreign::NotOfDrill { at } => {
                write!(f, "a server named {at} as a node, which is no address of this drill")
            }
        }
    }
}

// A process plays one drill at a time.
static FOUND: Mutex<BTreeSet<Foreign>> = Mutex::new(BTreeSet::new());

/// Keeps it, and returns the error for whoever wanted to connect there.
pub fn note(foreign: Foreign) -> io::Error {
    let mut found = FOUND.lock();
    if found.len() < MOST && found.insert(foreign) {
        warn!(%foreign, "a server that is not the drill's was found");
    }
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{foreign}; nothing was sent to it"))
}

/// Those that were found since the last call.
pub fn take_found() -> Vec<Foreign> {
    std::mem::take(&mut *FOUND.lock()).into_iter().collect()
}
