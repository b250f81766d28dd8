//! `redrill keep`, hidden: the background process that `redrill up` leaves.
//!
//! It owns the servers, so they live as long as it does. Until all is ready, it reports its
//! progress to its parent, in lines of JSON on standard output, and watches its standard input:
//! if the parent ends first, the keeper ends too.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;

use super::exit;
use super::play::{program, random_seed};
use super::up::{KeeperMessage, TopologyArgs};
use crate::backend::registry::{Registration, Registry, RegistryError, RunKind};
use crate::backend::{Backend, BackendError, ResolvedBackend};
use crate::cluster::{Deployment, FormError, bring_up};
use crate::log::{OrLogged, OrUnheard};
use crate::spec::Topology;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    topology: TopologyArgs,
    #[arg(long)]
    name: String,
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("{0}")]
    Topology(String),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("cannot install signal handlers: {0}")]
    Signals(io::Error),
    #[error("ended before all was ready")]
    Interrupted,
}

impl KeepError {
    fn code(&self) -> u8 {
        match self {
            KeepError::Topology(_) => exit::BAD_FILE,
            KeepError::Form(e) if e.blames_topology() => exit::BAD_FILE,
            KeepError::Registry(RegistryError::BadName { .. } | RegistryError::Taken { .. }) => {
                exit::USAGE
            }
            KeepError::Interrupted => exit::INTERRUPTED,
            _ => exit::ENVIRONMENT,
        }
    }
}

pub fn main(args: Args) -> ExitCode {
    let kept = super::runtime::block_on(keep(&args)).unwrap_or_else(|e| Err(KeepError::Signals(e)));
    match kept {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tell(&KeeperMessage::Failed { code: e.code(), text: e.to_string() });
            ExitCode::from(e.code())
        }
    }
}

/// Failure is ignored: the parent may be gone, and then nobody needs the message.
fn tell(told: &KeeperMessage) {
    if let Ok(line) = serde_json::to_string(told) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}

async fn keep(args: &Args) -> Result<(), KeepError> {
    let mut end = End::new().map_err(KeepError::Signals)?;
    let topology = args.topology.parse().map_err(|found| KeepError::Topology(found.to_string()))?;
    // Its parent has reported what took long.
    let resolved = ResolvedBackend::find(
        args.topology.backend_request(),
        &topology.engine,
        &program(),
        &|_| (),
    )
    .await?;
    let registry = Registry::locate()?;
    let directory = registry.up_dir(&args.name);
    // First of all: only the record makes the folder this process's own.
    let mut registration =
        registry.register(&args.name, RunKind::Up, &directory, &topology.name, &resolved.info())?;
    let kept = match resolved.open(&args.name, &directory, &program()).await {
        Ok(backend) => {
            let kept = until_down(&*backend, &topology, &mut registration, &mut end).await;
            let stopped = backend.shutdown().await;
            kept.and_then(|()| Ok(stopped?))
        }
        Err(e) => Err(e.into()),
    };
    remove(&directory);
    kept
}

/// Brings the topology up and waits until it is asked to end.
async fn until_down(
    backend: &dyn Backend,
    topology: &Topology,
    registration: &mut Registration,
    end: &mut End,
) -> Result<(), KeepError> {
    let mut exits = backend.exits();
    let heard = |ready, total| tell(&KeeperMessage::Progress { ready, total });
    let relay = topology.needs_relay().then(random_seed);
    let deployment: Deployment = tokio::select! {
        up = bring_up(backend, topology, relay, &heard) => up?,
        () = end.asked() => return Err(KeepError::Interrupted),
        () = parent_gone() => return Err(KeepError::Interrupted),
    };
    registration.set_nodes(deployment.node_records(backend))?;
    tell(&KeeperMessage::Ready);
    loop {
        tokio::select! {
            () = end.asked() => return Ok(()),
            exited = exits.recv() => match exited {
                Ok(exited) => eprintln!("{exited}"),
                Err(RecvError::Lagged(missed)) => eprintln!("{missed} more servers ended"),
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
}

/// Returns when the parent ends: nothing is ever written to the keeper's standard input.
async fn parent_gone() {
    let (tell, told) = oneshot::channel();
    // A detached thread, because a blocking read cannot be cancelled.
    thread::spawn(move || {
        io::copy(&mut io::stdin(), &mut io::sink()).or_logged("watch the parent");
        tell.send(()).or_unheard();
    });
    told.await.or_unheard();
}

/// The signals and events that end the keeper.
struct End {
    signals: [Signal; 2],
}

impl End {
    fn new() -> io::Result<End> {
        Ok(End { signals: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?] })
    }

    async fn asked(&mut self) {
        let [terminate, interrupt] = &mut self.signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

fn remove(directory: &Path) {
    if let Err(e) = fs::remove_dir_all(directory) {
        eprintln!("cannot remove `{}`: {e}", directory.display());
    }
}
