//! What `up` and its keeper share: the topology to bring up, and the messages of the keeper.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::input;
use crate::backend::resolve::{BackendKind, BackendRequest};
use crate::spec::{Diagnostics, Options, Purpose, Topology};

/// The topology to bring up.
#[derive(Debug, clap::Args)]
pub struct Topo {
    /// A ready topology's name, or a path
    pub topology: String,
    /// Where servers run: as processes on this machine, or in containers; by default as the
    /// topology says, else as processes if there is a server to run, else in containers
    #[arg(long, value_enum)]
    pub backend: Option<BackendKind>,
    /// The redis-server or valkey-server to run
    #[arg(long, value_name = "PATH", env = "REDRILL_ENGINE_BINARY")]
    pub engine_binary: Option<PathBuf>,
    /// Change a value of the topology, as in groups.cache.replicas=2
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Topo {
    pub fn wish(&self) -> BackendRequest<'_> {
        BackendRequest { kind: self.backend, binary: self.engine_binary.as_deref() }
    }

    /// # Errors
    /// Everything that is wrong with the topology, and every part of it that cannot run.
    pub fn parse(&self) -> Result<Topology, Diagnostics> {
        let read = |purpose| {
            let options = Options { purpose, set: self.set.clone(), ..Options::default() };
            input::topology(&self.topology, &options)
        };
        let topology = read(Purpose::Run)?;
        match self.wish().is_for_processes(&topology.engine) {
            true => read(Purpose::RunAsProcesses),
            false => read(Purpose::RunInContainers),
        }
    }
}

/// A line on the keeper's standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Progress {
        ready: usize,
        total: usize,
    },
    /// The registry's record names all nodes now.
    Ready,
    Failed {
        code: u8,
        text: String,
    },
}
