//! Room for the end of a drill: a disk that becomes full ends it in order.
//!
//! Some bytes of the run folder's disk are kept free from the start. When its record can no
//! longer be written, they are freed, and the drill ends: there is room to say why, and for the
//! report.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::files::make;
use crate::log::OrUnheard;
use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

/// Enough for the last events and the reports.
const BYTES: u64 = 2 << 20;

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// It has no name, so it is gone with this process.
    kept: Mutex<Option<File>>,
    why: OnceLock<String>,
    out: CancellationToken,
}

impl Room {
    /// Keeps room in `folder`, unless its file system cannot.
    ///
    /// # Errors
    /// There is not so much.
    pub fn keep(folder: &Path) -> io::Result<Room> {
        let file = make::nameless(folder)?;
        let kept = match fallocate(&file, FallocateFlags::empty(), 0, BYTES) {
            Ok(()) => Some(file),
            Err(error @ (Errno::NOSPC | Errno::DQUOT)) => return Err(error.into()),
            Err(_) => None,
        };
        Ok(Room(Arc::new(Shared { kept: Mutex::new(kept), ..Shared::default() })))
    }

    /// The record cannot be written: `why`. The room is free when this returns.
    pub fn run_out(&self, why: String) {
        drop(self.0.kept.lock().take());
        // The first reason is that of the others.
        self.0.why.set(why).or_unheard();
        self.0.out.cancel();
    }

    /// Waits until the record cannot be written; why.
    pub async fn ran_out(&self) -> String {
        self.0.out.cancelled().await;
        self.0.why.get().cloned().unwrap_or_default()
    }
}
