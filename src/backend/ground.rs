//! Where a drill's servers are to run, decided and found before anything starts.

use std::fmt;
use std::path::Path;

use super::docker;
use super::preload;
use super::process::binary::{BinaryError, ServerBinary};
use super::{Backend, BackendError, DockerBackend, ProcessBackend};
use crate::model::event::EngineInfo;
use crate::spec::topology::Engine;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Process,
    Docker,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Process => "process",
            Kind::Docker => "docker",
        })
    }
}

/// A server that has said which version it is, and where it would run.
#[derive(Clone, Debug)]
pub enum Ground {
    Process(ServerBinary),
    Docker(Box<docker::Ground>),
}

/// What a person wants; `None` leaves it to the topology, and then to what there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    pub kind: Option<Kind>,
    /// A server to run as a process.
    pub binary: Option<&'a Path>,
}

impl Wish<'_> {
    fn kind(&self, engine: &Engine) -> Option<Kind> {
        self.kind.or_else(|| match (self.binary.or(engine.binary.as_deref()), &engine.image) {
            (Some(_), _) => Some(Kind::Process),
            (None, Some(_)) => Some(Kind::Docker),
            (None, None) => None,
        })
    }

    /// Why the server that would run as a process does not take redrill's preload library, if
    /// so. One that is not found is told of elsewhere.
    pub fn refuses_preload(&self, engine: &Engine) -> Option<String> {
        let server = ServerBinary::find(self.binary, engine).ok()?;
        preload::is_refused_by(&server.path)
    }

    /// Whether servers will be processes, if they will run at all.
    pub fn is_for_processes(&self, engine: &Engine) -> bool {
        match self.kind(engine) {
            Some(kind) => kind == Kind::Process,
            None => ServerBinary::find(None, engine).is_ok(),
        }
    }
}

impl Ground {
    /// Finds a server to run. Without a wish it is as the topology says: an image asks for
    /// containers, a binary for processes. Else processes are taken if there is a server on
    /// PATH, and containers if there is none. `redrill` is this program, see
    /// [`docker::Ground::find`]; `heard` is told of what takes long.
    ///
    /// # Errors
    /// There is none.
    pub async fn find(
        wish: Wish<'_>,
        engine: &Engine,
        redrill: &Path,
        heard: &(dyn Fn(&str) + Sync),
    ) -> Result<Ground, BackendError> {
        let process = || ServerBinary::find(wish.binary, engine).map(Ground::Process);
        let docker = async || {
            let found = docker::Ground::find(engine, redrill, heard).await?;
            Ok::<Ground, BackendError>(Ground::Docker(Box::new(found)))
        };
        match wish.kind(engine) {
            Some(Kind::Process) => Ok(process()?),
            Some(Kind::Docker) => docker().await,
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

    pub fn kind(&self) -> Kind {
        match self {
            Ground::Process(_) => Kind::Process,
            Ground::Docker(_) => Kind::Docker,
        }
    }

    pub fn info(&self) -> EngineInfo {
        match self {
            Ground::Process(binary) => binary.info(),
            Ground::Docker(found) => found.info(),
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
            Ground::Process(binary) => Box::new(ProcessBackend::open(binary, run_folder)?),
            Ground::Docker(found) => {
                Box::new(DockerBackend::open(found, id, run_folder, redrill).await?)
            }
        })
    }
}
