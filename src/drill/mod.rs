//! Plays a scenario from start to end. This is the only place that knows all the parts.
//!
//! [`start`] creates the run folder and does everything that can fail before a server runs.
//! [`Drill::play`] goes through the phases (see [`play`]). Servers that stay up afterwards are
//! a [`Kept`].

mod carrier;
mod chaos;
mod comparing;
mod descriptors;
mod exit_monitor;
mod external;
mod faults;
mod folder;
mod forecast;
mod half_moved;
mod hub;
mod info;
mod loads;
mod play;
mod programs;
mod rolling;
mod room;
mod scale;
mod context;
mod step_error;
mod steps;
mod readings;
mod replicators;
mod uncarried;
mod watch;

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span};

use crate::backend::registry::{Registration, Registry, RegistryError, RunKind};
use crate::backend::{Backend, BackendError, ResolvedBackend};
use crate::cluster::Deployment;
use crate::load::applications;
use crate::log::DrillLog;
use crate::model::Clock;
use crate::model::event::{EventKind, Sink, Teller};
use crate::spec::{Scenario, write};

pub use context::Halt;
pub use folder::{EventLog, FolderError, RunFolder};
pub use hub::Hub;
pub use loads::targets;

use context::DrillContext;
use exit_monitor::ExitMonitor;
use info::Circumstances;

/// What to play, where, and with what.
pub struct Options<'a> {
    pub scenario: &'a Scenario,
    /// Where its servers run.
    pub resolved: &'a ResolvedBackend,
    /// The redrill program, see [`ResolvedBackend::open`].
    pub program: &'a Path,
    /// The folder in which the run folder is created.
    pub out: &'a Path,
    pub seed: u64,
    pub sinks: Vec<Box<dyn Sink>>,
    /// Cancel it to end the drill early and cleanly.
    pub stop: CancellationToken,
}

/// Nothing has been started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Descriptors(#[from] descriptors::TooFew),
    #[error(transparent)]
    Program(#[from] programs::NoProgram),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// A drill that is about to be played.
pub struct Drill {
    /// With its chaos steps drawn.
    scenario: Scenario,
    folder: RunFolder,
    backend: Box<dyn Backend>,
    program: PathBuf,
    registration: Registration,
    teller: Teller,
    hub: Hub,
    log: DrillLog,
    seed: u64,
    stop: CancellationToken,
}

/// Servers that outlive their drill.
pub struct Kept {
    pub deployment: Deployment,
    backend: Box<dyn Backend>,
    registration: Registration,
    _log: DrillLog,
}

/// Creates the run folder and emits the first event.
///
/// # Errors
/// The folder cannot be written, no addresses are free, or redrill's own state cannot be
/// stored. Nothing runs then.
pub async fn start(options: Options<'_>) -> Result<Drill, StartError> {
    let Options { scenario, resolved, program, out, seed, sinks, stop } = options;
    let scenario = chaos::drawn(scenario, seed);
    descriptors::check(&scenario)?;
    programs::check(&scenario)?;
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let folder = RunFolder::create(out, &started, &scenario.name)?;
    let clock = Clock::start();
    let log = DrillLog::begin(folder.path(), clock);
    info!(redrill = env!("CARGO_PKG_VERSION"), id = folder.id(), seed, started, "the drill begins");
    // With every default, profile and `--set` applied.
    folder.write("scenario.yaml", &write::scenario(&scenario, "topology.yaml"))?;
    folder.write("topology.yaml", &write::topology(&scenario.topology))?;
    let id = folder.id();
    let registry = Registry::locate()?;
    let topology = &scenario.topology.name;
    let registration =
        registry.register(&id, RunKind::Drill, folder.path(), topology, &resolved.info())?;
    let backend = resolved.open(&id, folder.path(), program).await?;
    let (teller, hub) = Hub::start(clock, folder.event_log()?, sinks);
    let engine = resolved.info();
    let around = Circumstances {
        id: &id,
        started: &started,
        backend: backend.kind(),
        engine: &engine,
        seed,
    };
    teller.tell(EventKind::Drill(info::drill_info(&scenario, &around)));
    let program = program.to_owned();
    Ok(Drill { scenario, folder, backend, program, registration, teller, hub, log, seed, stop })
}

impl Drill {
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Plays it to its end. With `keep`, the servers of a completed drill stay up in a
    /// [`Kept`]; otherwise nothing is left running.
    pub async fn play(mut self, keep: bool) -> (Result<(), Halt>, Option<Kept>) {
        let drill = DrillContext {
            scenario: &self.scenario,
            exits: ExitMonitor::watch(&*self.backend, self.teller.clone()),
            backend: &*self.backend,
            program: &self.program,
            folder: &self.folder,
            log: &self.log,
            seed: self.seed,
            applications: applications(&self.scenario.loads, self.seed),
            teller: self.teller,
            stop: self.stop,
        };
        let span = info_span!("drill");
        let played = play::play(&drill, &mut self.registration).instrument(span.clone()).await;
        let keep = keep && played.is_ok();
        play::finish(&drill, &played, keep).instrument(span).await;
        drop(drill);
        // All senders of events are gone with the drill, so the hub ends.
        let heard = self.hub.finish().map_err(Halt::from);
        let (ended, deployment) = match played {
            Ok(deployment) => (heard, Some(deployment)),
            // Servers also end on a full disk. The error of writing says more.
            Err(halt) => (heard.and(Err(halt)), None),
        };
        let kept = deployment.filter(|_| keep).map(|deployment| Kept {
            deployment,
            backend: self.backend,
            registration: self.registration,
            _log: self.log,
        });
        (ended, kept)
    }
}

impl Kept {
    /// Lets `redrill status` and `redrill down` know that the drill itself is over.
    ///
    /// # Errors
    /// redrill's own state cannot be written.
    pub fn announce(&mut self) -> Result<(), RegistryError> {
        self.registration.set_kept()
    }

    /// The name by which `redrill down` knows it.
    pub fn id(&self) -> &str {
        &self.registration.record().id
    }

    /// Stops the servers and removes what they wrote.
    pub async fn stop(self) -> Result<(), BackendError> {
        self.backend.shutdown().await
    }
}
