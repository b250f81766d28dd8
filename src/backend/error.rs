//! Errors of the places where servers run.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

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
    #[error("cannot start {name}, `{}`: {source}", program.display())]
    Spawn { name: NodeName, program: PathBuf, source: io::Error },
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// No backend was asked for, and none is available.
    #[error("{process}\nnor can they run in containers: {docker}")]
    Neither { process: Box<BinaryError>, docker: Box<BackendError> },
    #[error("cannot read this process's own start time from /proc")]
    NoProc,
    #[error("the kernel cannot cut servers off from each other that are no containers")]
    NoCuts,
    #[error("{name} runs already")]
    Running { name: NodeName },
    #[error("{name} was started without redrill's preload library")]
    NoPreload { name: NodeName },
    #[error("{name} is not running")]
    NotRunning { name: NodeName },
    #[error("{name} was killed, and is not gone after {} s", waited.as_secs())]
    Undying { name: NodeName, waited: Duration },
    #[error("cannot signal {name}: {source}")]
    Signal { name: NodeName, source: io::Error },
    #[error("cannot start a thread to run programs from: {source}")]
    Thread { source: io::Error },
}

impl BackendError {
    /// Whether no server is to blame, but this machine, or the engine that runs the servers.
    pub fn is_own(&self) -> bool {
        match self {
            BackendError::Folder { .. }
            | BackendError::Spawn { .. }
            | BackendError::Signal { .. }
            | BackendError::Thread { .. }
            | BackendError::NoProc => true,
            BackendError::Docker(error) => error.is_of_engine(),
            _ => false,
        }
    }
}
