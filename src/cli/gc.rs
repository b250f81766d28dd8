//! `redrill gc`: removes what a killed redrill left.

use std::process::ExitCode;

use super::exit::{self, Failure};
use super::{out, runtime, terminal};
use crate::backend::docker::endpoint;
use crate::backend::docker::error::status;
use crate::backend::docker::owner::Life;
use crate::backend::docker::reaper;
use crate::backend::docker::sweep::{self, Remains};
use crate::backend::registry::{Listing, Registry};
use crate::model::printable_lines;
use crate::spec::rules::count;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn main(_: Args) -> ExitCode {
    let mut removed = Vec::new();
    let processes = processes(&mut removed);
    let containers = runtime::block_on(containers(&mut removed)).flatten();
    let told = removed.iter().map(|what| format!("removed {what}\n")).collect::<String>();
    match processes.and(containers) {
        Ok(Looked::Everywhere) if removed.is_empty() => out::print("nothing was left behind\n"),
        Ok(Looked::AtProcesses) if removed.is_empty() => out::print("no process was left behind\n"),
        Ok(Looked::Everywhere | Looked::AtProcesses) => out::print(&told),
        Err(e) => {
            out::print(&told);
            exit::of(Err(e))
        }
    }
}

/// Where it was looked for what is left.
enum Looked {
    Everywhere,
    /// Containers are not this user's to look at.
    AtProcesses,
}

/// If one cannot be removed, the others are removed all the same.
fn processes(removed: &mut Vec<String>) -> Result<(), Failure> {
    let registry = Registry::locate()?;
    let mut trouble = None;
    let Listing { records, doubtful } = registry.list()?;
    for what in doubtful {
        terminal::say(&printable_lines(&format!("left alone: {what}")));
    }
    for record in records {
        match registry.collect_one(&record) {
            Ok(gone) => removed.extend(gone),
            Err(e) => trouble = trouble.or(Some(e)),
        }
    }
    trouble.map_or(Ok(()), |e| Err(e.into()))
}

/// Without a Docker engine there is nothing to remove.
async fn containers(removed: &mut Vec<String>) -> Result<Looked, Failure> {
    let engine = match endpoint::find().await {
        Ok(engine) => engine,
        Err(e) if endpoint::is_absent(&e) => return Ok(Looked::Everywhere),
        Err(e) if endpoint::is_forbidden(&e) => {
            terminal::say(
                "not looked for: containers, because this user may not use the Docker engine; if \
                 one of your drills used it, run `redrill gc` as a user who may",
            );
            return Ok(Looked::AtProcesses);
        }
        Err(e) => {
            return Err(Failure::new(
                exit::ENVIRONMENT,
                format_args!("cannot look for containers that a killed redrill left: {e}"),
            ));
        }
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
    trouble.map_or(Ok(Looked::Everywhere), |e| Err(e.into()))
}

fn counted(remains: &Remains) -> String {
    let kinds = [(remains.containers.len(), "container"), (remains.networks.len(), "network")];
    let some = kinds.into_iter().filter(|(n, _)| *n > 0);
    some.map(|(n, one)| count(n as u32, one)).collect::<Vec<_>>().join(" and ")
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
