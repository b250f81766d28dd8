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

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::exit::{self, Failure};
use super::play::{program, random_seed};
use super::up::{KeeperMessage, TopologyArgs};
use super::{runtime, terminal};
use crate::backend::Backend;
use crate::backend::registry::{Registration, Registry, RunKind};
use crate::cluster::{Deployment, bring_up};
use crate::log::{DrillLog, OrLogged, OrUnheard};
use crate::model::Clock;
use crate::spec::Topology;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    topology: TopologyArgs,
    #[arg(long)]
    name: String,
}

pub fn main(args: Args) -> ExitCode {
    match runtime::block_on(keep(&args)).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.code;
            tell(&KeeperMessage::Failed(failure));
            ExitCode::from(code)
        }
    }
}

/// Failure is ignored: the parent may be gone, and then nobody needs the message.
fn tell(told: &KeeperMessage) {
    if let Ok(line) = serde_json::to_string(told) {
        writeln!(io::stdout(), "{line}").or_unheard();
    }
}

async fn keep(args: &Args) -> Result<(), Failure> {
    let end = runtime::token();
    let topology = args.topology.parse().map_err(|found| Failure::new(exit::BAD_FILE, found))?;
    // Its parent has reported what took long.
    let resolved = args.topology.on.find(&topology.engine, &|_| ()).await?;
    let registry = Registry::locate()?;
    let directory = registry.up_dir(&args.name);
    // First of all: only the record makes the folder this process's own.
    let mut registration =
        registry.register(&args.name, RunKind::Up, &directory, &topology.name, &resolved.info())?;
    let log = DrillLog::begin(&directory, Clock::start());
    let kept = match resolved.open(&args.name, &directory, &program()).await {
        Ok(backend) => {
            let kept = until_down(&*backend, &topology, &mut registration, &end).await;
            let stopped = backend.shutdown().await;
            kept.and_then(|()| Ok(stopped?))
        }
        Err(e) => Err(e.into()),
    };
    if let Some(trouble) = log.trouble() {
        terminal::say(&trouble);
    }
    drop(log);
    remove(&directory);
    kept
}

/// Brings the topology up and waits until it is asked to end.
async fn until_down(
    backend: &dyn Backend,
    topology: &Topology,
    registration: &mut Registration,
    end: &CancellationToken,
) -> Result<(), Failure> {
    let mut exits = backend.exits();
    let heard = |ready, total| tell(&KeeperMessage::Progress { ready, total });
    let relay = topology.needs_relay().then(random_seed);
    let deployment: Deployment = tokio::select! {
        up = bring_up(backend, topology, relay, &heard) => up?,
        () = end.cancelled() => return Err(interrupted()),
        () = parent_gone() => return Err(interrupted()),
    };
    registration.set_nodes(deployment.node_records(backend), deployment.password.as_ref())?;
    tell(&KeeperMessage::Ready);
    loop {
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            exited = exits.recv() => match exited {
                Ok(exited) => terminal::say(&exited.to_string()),
                Err(RecvError::Lagged(missed)) => terminal::say(&format!("{missed} more servers ended")),
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
}

fn interrupted() -> Failure {
    Failure::new(exit::INTERRUPTED, "ended before all was ready")
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

fn remove(directory: &Path) {
    if let Err(e) = fs::remove_dir_all(directory) {
        terminal::say(&format!("cannot remove `{}`: {e}", directory.display()));
    }
}
