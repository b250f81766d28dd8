//! `redrill down`: ends what `redrill up` or `redrill run --keep` left running.

use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::exit::{self, Failure};
use super::out;
use crate::backend::proc::ProcessId;
use crate::backend::registry::{Record, Registry, RunKind};

/// A keeper needs about a second to end a hundred servers.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which one; may be left out if there is one only
    #[arg(conflicts_with = "all")]
    name: Option<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

fn known(running: &[String]) -> String {
    if running.is_empty() { String::new() } else { format!(" (running: {})", running.join(", ")) }
}

pub fn main(args: Args) -> ExitCode {
    exit::of(down(&args).map(|(ended, drills)| out::print(&said(&ended, &drills))))
}

fn said(ended: &[String], drills: &[String]) -> String {
    let mut text: String = ended.iter().map(|name| format!("{name} is down\n")).collect();
    if ended.is_empty() && drills.is_empty() {
        text.push_str("nothing is running\n");
    }
    for drill in drills {
        text.push_str(&format!(
            "{drill} goes on: it is a drill, and ends by itself or by Ctrl-C where it runs\n"
        ));
    }
    text
}

/// What was ended, and the drills that run: `down` does not break them off.
fn down(args: &Args) -> Result<(Vec<String>, Vec<String>), Failure> {
    let registry = Registry::locate()?;
    let records = registry.records()?;
    let drills = records.iter().filter(|record| record.kind == RunKind::Drill && record.is_live());
    // A caller who names one does not ask about the others.
    let drills = drills.filter(|_| args.name.is_none()).map(|record| record.id.clone()).collect();
    let chosen = choose(args, records)?;
    for record in &chosen {
        end(record)?;
        // If the keeper was killed, its record and files are still there.
        registry.collect_one(record)?;
    }
    Ok((chosen.into_iter().map(|record| record.id).collect(), drills))
}

fn choose(args: &Args, records: Vec<Record>) -> Result<Vec<Record>, Failure> {
    let usage = |text: String| Err(Failure::new(exit::USAGE, text));
    let named = |record: &Record| args.name.as_ref() == Some(&record.id);
    if let Some(drill) =
        records.iter().find(|r| named(r) && r.kind == RunKind::Drill && r.is_live())
    {
        return usage(format!(
            "`{}` is a drill; it ends by itself, or by Ctrl-C where it runs (pid {})",
            drill.id, drill.owner.pid
        ));
    }
    let ups: Vec<Record> = records.into_iter().filter(|r| r.kind != RunKind::Drill).collect();
    let running: Vec<String> = ups.iter().map(|record| record.id.clone()).collect();
    match &args.name {
        Some(name) if !running.contains(name) => {
            usage(format!("nothing named `{name}` is running{}", known(&running)))
        }
        Some(_) => Ok(ups.into_iter().filter(named).collect()),
        None if args.all || ups.len() <= 1 => Ok(ups),
        None => usage(format!("several are running; say which one, or --all{}", known(&running))),
    }
}

/// Asks the keeper to end, waits, and kills it if it does not end. Its servers die with it.
fn end(record: &Record) -> Result<(), Failure> {
    let (name, pid) = (&record.id, record.owner.pid);
    let cannot = |text: String| Err(Failure::new(exit::ENVIRONMENT, text));
    match signal_and_wait(record.owner, Signal::TERM, PATIENCE).and_then(|ended| match ended {
        true => Ok(true),
        false => signal_and_wait(record.owner, Signal::KILL, PATIENCE),
    }) {
        Ok(true) => Ok(()),
        Ok(false) => cannot(format!("process {pid}, which keeps `{name}`, does not end")),
        Err(e) => cannot(format!("cannot end process {pid}, which keeps `{name}`: {e}")),
    }
}

/// Whether the process has ended within `most`.
fn signal_and_wait(process: ProcessId, signal: Signal, most: Duration) -> std::io::Result<bool> {
    let Some(pid) = Pid::from_raw(process.pid as i32) else { return Ok(true) };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Ok(true),
        handle => handle?,
    };
    // The pidfd is open, so if this process still lives, the handle is its, and the pid cannot
    // pass to another one.
    if !process.is_alive() {
        return Ok(true);
    }
    match pidfd_send_signal(&handle, signal) {
        Err(rustix::io::Errno::SRCH) => return Ok(true),
        sent => sent?,
    }
    let most = Timespec::try_from(most).map_err(std::io::Error::other)?;
    Ok(poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&most))? > 0)
}
