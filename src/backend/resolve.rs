//! Decides where a drill's servers run, and finds the server, before anything starts.

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

/// A server that has reported its version, and where it would run.
#[derive(Clone, Debug)]
pub enum ResolvedBackend {
    Process(ServerBinary),
    Docker(Box<docker::DockerSetup>),
}

/// What the user asked for; `None` leaves it to the topology, and then to what is available.
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

    /// The image that `engine` names, if servers will not run from it.
    pub fn unused_image<'e>(&self, engine: &'e Engine) -> Option<&'e str> {
        engine.image.as_deref().filter(|_| self.kind(engine) == BackendKind::Process)
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
    /// Finds a server to run. Without a request the topology decides: an image asks for
    /// containers, a binary for processes. Otherwise servers are processes if there is a server
    /// on PATH, and containers if there is none. `redrill` is this program, see
    /// [`docker::DockerSetup::find`]; `heard` gets messages about what takes long.
    ///
    /// # Errors
    /// There is none.
    pub async fn find(
        request: BackendRequest<'_>,
        engine: &Engine,
        redrill: &Path,
        heard: &(dyn Fn(&str) + Sync),
    ) -> Result<ResolvedBackend, BackendError> {
        let process = || ServerBinary::find(request.binary, engine).map(ResolvedBackend::Process);
        let docker = async || {
            let found = docker::DockerSetup::find(engine, redrill, heard).await?;
            Ok::<ResolvedBackend, BackendError>(ResolvedBackend::Docker(Box::new(found)))
        };
        match request.asked(engine) {
            Some(BackendKind::Process) => Ok(process()?),
            Some(BackendKind::Docker) => docker().await,
            None => match process() {
                // There is none at all. A server that is there but wrong must be reported.
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

    /// A backend for the drill `id` with its files under `run_folder`. No server is started
    /// yet. `redrill` is this program, for the process that must outlive it, see
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
