//! `redrill gc`: removes what a killed redrill left.

use std::process::ExitCode;

use super::exit::{self, fail};
use super::{out, terminal};
use crate::backend::docker::endpoint;
use crate::backend::docker::error::{DockerError, status};
use crate::backend::docker::owner::Life;
use crate::backend::docker::reaper;
use crate::backend::docker::sweep::{self, Remains};
use crate::backend::registry::{Registry, RegistryError};

#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, thiserror::Error)]
enum GcError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error("cannot look for containers that a killed redrill left: {0}")]
    NotLookedFor(DockerError),
    #[error("cannot run: {0}")]
    Runtime(#[from] std::io::Error),
}

pub fn main(_: Args) -> ExitCode {
    let mut removed = Vec::new();
    let processes = processes(&mut removed);
    let containers =
        super::runtime::block_on(containers(&mut removed)).map_err(GcError::from).flatten();
    let told = removed.iter().map(|what| format!("removed {what}\n")).collect::<String>();
    match processes.and(containers) {
        Ok(()) if removed.is_empty() => out::print("nothing was left behind\n"),
        Ok(()) => out::print(&told),
        Err(e) => {
            out::print(&told);
            fail(exit::ENVIRONMENT, &e)
        }
    }
}

/// If one cannot be removed, the others are removed all the same.
fn processes(removed: &mut Vec<String>) -> Result<(), GcError> {
    let registry = Registry::locate()?;
    let mut trouble = None;
    for record in registry.records()? {
        match registry.collect_one(&record) {
            Ok(gone) => removed.extend(gone),
            Err(e) => trouble = trouble.or(Some(e)),
        }
    }
    trouble.map_or(Ok(()), |e| Err(e.into()))
}

/// Without a Docker engine there is nothing to remove.
async fn containers(removed: &mut Vec<String>) -> Result<(), GcError> {
    let engine = match endpoint::find().await {
        Ok(engine) => engine,
        Err(e) if endpoint::is_absent(&e) => return Ok(()),
        Err(e) => return Err(GcError::NotLookedFor(e)),
    };
    let all = sweep::find(&engine.docker, None).await;
    let mut trouble = None;
    for remains in all.map_err(|e| engine.cannot("list containers", e))?.values() {
        match remains.owner.life() {
            Life::Alive => {}
            Life::Dead => match sweep::remove(&engine.docker, remains).await {
                Ok(()) => {
                    removed.push(format!("{} of {}", counted(remains), remains.owner.drill));
                }
                Err(e) if remains.containers.is_empty() && status(&e) == Some(403) => {
                    terminal::say(&format!(
                        "left alone: the network of {}, which the Docker engine does not let \
                             go though no container is on it; restarting the engine frees it",
                        remains.owner.drill
                    ));
                }
                Err(e) => trouble = trouble.or(Some(engine.cannot("remove containers", e))),
            },
            Life::Elsewhere => terminal::say(&format!(
                "left alone: {} of {}, whose redrill runs, or ran, where it cannot be seen from \
                 here; `docker rm -fv $(docker ps -aq --filter label=redrill.drill={})` removes \
                 the containers",
                counted(remains),
                remains.owner.drill,
                remains.owner.drill
            )),
        }
    }
    trouble.map_or(Ok(()), |e| Err(e.into()))
}

fn counted(remains: &Remains) -> String {
    let some = |n: usize, one: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let kinds =
        [some(remains.containers.len(), "container"), some(remains.networks.len(), "network")];
    kinds.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

#[derive(Debug, clap::Args)]
pub struct ReapArgs {
    #[arg(long)]
    host: String,
    #[arg(long)]
    drill: String,
}

/// `redrill reap`, hidden: removes the containers of a redrill that was killed, see [`reaper`].
pub fn reap(args: ReapArgs) -> ExitCode {
    match reaper::reap(&args.host, &args.drill) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads messages of this process; the exit code shows the failure.
        Err(_) => ExitCode::from(exit::ENVIRONMENT),
    }
}
