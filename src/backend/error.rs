//! What can go wrong where servers run.

use std::io;
use std::path::PathBuf;

use crate::model::NodeName;

pub use super::docker::error::DockerError;
pub use super::process::address::AddressError;
pub use super::process::binary::BinaryError;

#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    #[error(transparent)]
    Binary(#[from] BinaryError),
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The disk is full, or the folder may not be written.
    #[error(
        "cannot write `{}`: {source}; redrill needs a folder that it may write to, with room in it",
        path.display()
    )]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot start the server of {name}: {source}")]
    Spawn { name: NodeName, source: io::Error },
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// Nobody said where servers are to run, and they can run nowhere.
    #[error("{process}\nnor can they run in containers: {docker}")]
    Neither { process: Box<BinaryError>, docker: Box<BackendError> },
    #[error("cannot tell this process's own start time from /proc")]
    NoProc,
    #[error(
        "containers cannot be linked by the relay; run the servers as processes (--backend process)"
    )]
    NoRelay,
    #[error("{name} runs already")]
    Running { name: NodeName },
    #[error("{name} is not running")]
    NotRunning { name: NodeName },
    #[error("cannot signal the server of {name}: {source}")]
    Signal { name: NodeName, source: io::Error },
    #[error("cannot start a thread to run servers from: {source}")]
    Thread { source: io::Error },
}
