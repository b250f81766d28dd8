//! The history: every operation of every load, in `history.jsonl.zst`, one JSON object a line.
//!
//! A separate thread writes it during the drill. At least once a second it flushes everything
//! as complete zstd blocks, so a killed run leaves a file that can be read up to its last
//! second.

pub mod edn;
mod fast;
mod old;
mod order;
mod packed;
mod read;
#[cfg(test)]
mod some;
mod write;

use std::io;
use std::path::PathBuf;

pub use packed::Packed;
pub use read::{Reader, read};
pub use write::{History, Writer, create};

#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("cannot write the history {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read the history {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "line {line} of the history {} is not an operation: {source}; was the file changed?",
        path.display()
    )]
    Line { path: PathBuf, line: u64, source: serde_json::Error },
    #[error("cannot keep the rows of the history in {}: {source}; it is the folder for temporary files, which TMPDIR names", path.display())]
    Keep { path: PathBuf, source: io::Error },
    #[error("the thread that writes the history ended early; this is a bug in redrill")]
    Ended,
}
