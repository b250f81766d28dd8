//! Where a drill's servers are to run, decided and found before anything starts.

use std::fmt;
use std::path::Path;

use super::process::binary::{BinaryError, ServerBinary};
use super::{Backend, BackendError, DockerBackend, ProcessBackend, Wanted, docker, process};
use crate::model::event::EngineInfo;
use crate::spec::Capabilities;
use crate::spec::topology::Engine;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BackendKind {
    Process,
    Docker,
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BackendKind::Process => "process",
            BackendKind::Docker => "docker",
        })
    }
}

/// A server that has said which version it is, and where it would run.
#[derive(Clone, Debug)]
pub enum ResolvedBackend {
    Process(ServerBinary),
    Docker(Box<docker::DockerSetup>),
}

/// What a person wants; `None` leaves it to the topology, and then to what there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct BackendRequest<'a> {
    pub kind: Option<BackendKind>,
    /// A server to run as a process.
    pub binary: Option<&'a Path>,
}

impl BackendRequest<'_> {
    fn asked(&self, engine: &Engine) -> Option<BackendKind> {
        self.kind.or_else(|| match (self.binary.or(engine.binary.as_deref()), &engine.image) {
            (Some(_), _) => Some(BackendKind::Process),
            (None, Some(_)) => Some(BackendKind::Docker),
            (None, None) => None,
        })
    }

    /// Where servers will run, if they will run at all.
    pub fn kind(&self, engine: &Engine) -> BackendKind {
        self.asked(engine).unwrap_or_else(|| match ServerBinary::find(None, engine) {
            Ok(_) => BackendKind::Process,
            Err(_) => BackendKind::Docker,
        })
    }

    /// What servers will be able to do there.
    pub fn capabilities(&self, engine: &Engine, wanted: Wanted) -> Capabilities {
        match self.kind(engine) {
            BackendKind::Process => process::capabilities(self.binary, engine, wanted),
            BackendKind::Docker => docker::capabilities(wanted),
        }
    }
}

impl ResolvedBackend {
    /// Finds a server to run. Without a wish it is as the topology says: an image asks for
    /// containers, a binary for processes. Else processes are taken if there is a server on
    /// PATH, and containers if there is none. `redrill` is this program, see
    /// [`docker::DockerSetup::find`]; `heard` is told of what takes long.
    ///
    /// # Errors
    /// There is none.
    pub async fn find(
        wish: BackendRequest<'_>,
        engine: &Engine,
        redrill: &Path,
        heard: &(dyn Fn(&str) + Sync),
    ) -> Result<ResolvedBackend, BackendError> {
        let process = || ServerBinary::find(wish.binary, engine).map(ResolvedBackend::Process);
        let docker = async || {
            let found = docker::DockerSetup::find(engine, redrill, heard).await?;
            Ok::<ResolvedBackend, BackendError>(ResolvedBackend::Docker(Box::new(found)))
        };
        match wish.asked(engine) {
            Some(BackendKind::Process) => Ok(process()?),
            Some(BackendKind::Docker) => docker().await,
            None => match process() {
                // Not there at all; what is there and wrong is to be told.
                Err(error @ (BinaryError::NoneFound | BinaryError::NoneOfKind { .. })) => {
                    docker().await.map_err(|docker| BackendError::Neither {
                        process: Box::new(error),
                        docker: Box::new(docker),
                    })
                }
                found => Ok(found?),
            },
        }
    }

    pub fn kind(&self) -> BackendKind {
        match self {
            ResolvedBackend::Process(_) => BackendKind::Process,
            ResolvedBackend::Docker(_) => BackendKind::Docker,
        }
    }

    pub fn info(&self) -> EngineInfo {
        match self {
            ResolvedBackend::Process(binary) => binary.info(),
            ResolvedBackend::Docker(found) => found.info(),
        }
    }

    /// A backend for the drill `id` that keeps its files under `run_folder`. No server is
    /// started yet. `redrill` is this program, for what must outlive it, see
    /// [`docker::reaper`].
    pub async fn open(
        &self,
        id: &str,
        run_folder: &Path,
        redrill: &Path,
    ) -> Result<Box<dyn Backend>, BackendError> {
        Ok(match self {
            ResolvedBackend::Process(binary) => Box::new(ProcessBackend::open(binary, run_folder)?),
            ResolvedBackend::Docker(found) => {
                Box::new(DockerBackend::open(found, id, run_folder, redrill).await?)
            }
        })
    }
}
