//! `redrill up`: a topology to play with, left running in the background.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::exit::{self, Failure};
use super::play::BackendArgs;
use super::status::survey;
use super::{input, out, runtime, terminal};
use crate::backend::Wanted;
use crate::backend::registry::Registry;
use crate::files::make;
use crate::log::OrLogged;
use crate::spec::{Capabilities, Diagnostics, Options, Purpose, Topology};

/// The topology to bring up.
#[derive(Debug, clap::Args)]
pub struct TopologyArgs {
    /// A ready topology's name, or a path
    pub topology: String,
    #[command(flatten)]
    pub on: BackendArgs,
    /// Change a value of the topology, as in groups.cache.replicas=2
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl TopologyArgs {
    /// # Errors
    /// Everything that is wrong with the topology, and every part of it that cannot run.
    pub fn parse(&self) -> Result<Topology, Diagnostics> {
        let read = |capabilities| {
            let (purpose, set) = (Purpose::Run, self.set.clone());
            let options = Options { purpose, set, capabilities, ..Options::default() };
            input::topology(&self.topology, &options)
        };
        let topology = read(Capabilities::default())?;
        read(self.on.request().capabilities(&topology.engine, Wanted::default()))
    }
}

/// A line on the keeper's standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeeperMessage {
    Progress {
        ready: usize,
        total: usize,
    },
    /// The registry's record names all nodes now.
    Ready,
    Failed(Failure),
}

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    topology: TopologyArgs,
    /// What to call it; by default as the topology is called
    #[arg(long)]
    name: Option<String>,
}

/// The keeper ended, and only its log may say why.
fn silent(log: &str) -> Failure {
    let log = if log.is_empty() { String::new() } else { format!("; its log says:\n{log}") };
    let text = format!("the process in the background ended without a message{log}");
    Failure::new(exit::BUG, text)
}

pub fn main(args: Args) -> ExitCode {
    let topology = match args.topology.parse() {
        Ok(topology) => topology,
        Err(faults) => return input::refuse(&faults),
    };
    let name = args.name.clone().unwrap_or_else(|| topology.name.clone());
    exit::of(up(&args, &topology, &name))
}

fn up(args: &Args, topology: &Topology, name: &str) -> Result<ExitCode, Failure> {
    // Errors that can be found now are printed before anything runs in the background.
    let find = args.topology.on.find(&topology.engine, &terminal::say);
    runtime::block_on(find)??;
    let registry = Registry::locate()?;
    registry.make_room(name)?;
    let directory = registry.up_dir(name);
    let log = directory.join("keeper.log");
    let cannot = |what: &str, e| Failure::new(exit::ENVIRONMENT, format!("cannot {what}: {e}"));
    let folder = |e| cannot(&format!("write in `{}`", directory.display()), e);
    make::dir(&directory).map_err(folder)?;
    let keeper = spawn(args, name, make::anew(&log).map_err(folder)?)
        .map_err(|e| cannot("start a process in the background", e))?;
    watch(keeper, &log)?;
    show(&registry, name)
}

/// The keeper, in a new session: signals of this terminal do not reach it.
fn spawn(args: &Args, name: &str, log: File) -> io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["keep", "--name", name]);
    if let Some(kind) = args.topology.on.backend.and_then(|kind| kind.to_possible_value()) {
        command.args(["--backend", kind.get_name()]);
    }
    if let Some(binary) = &args.topology.on.engine_binary {
        command.arg("--engine-binary").arg(binary);
    }
    for setting in &args.topology.set {
        command.args(["--set", setting]);
    }
    command.arg("--").arg(&args.topology.topology);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    // SAFETY: setsid is a system call that may be made between fork and exec.
    unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?)) };
    command.spawn()
}

/// Shows the keeper's progress until it is ready. If this process ends first (Ctrl-C), the
/// keeper's standard input closes, and the keeper ends too.
fn watch(mut keeper: Child, log: &Path) -> Result<(), Failure> {
    let bar = ProgressBar::new(0).with_style(style());
    for line in keeper.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        match line.ok().and_then(|line| serde_json::from_str(&line).ok()) {
            Some(KeeperMessage::Progress { ready, total }) => {
                bar.set_length(total as u64);
                bar.set_position(ready as u64);
            }
            Some(KeeperMessage::Ready) => {
                bar.finish_and_clear();
                return Ok(());
            }
            Some(KeeperMessage::Failed(failure)) => {
                bar.finish_and_clear();
                keeper.wait().or_logged("wait for the keeper");
                return Err(failure);
            }
            None => break,
        }
    }
    bar.finish_and_clear();
    keeper.wait().or_logged("wait for the keeper");
    Err(silent(&fs::read_to_string(log).unwrap_or_default()))
}

fn style() -> ProgressStyle {
    // The template is constant, so only a mistake in the next line could fail.
    ProgressStyle::with_template("{spinner} {pos} of {len} nodes are ready  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn show(registry: &Registry, name: &str) -> Result<ExitCode, Failure> {
    let Some(record) = registry.find(name)? else {
        return Err(silent(""));
    };
    let survey = runtime::block_on(survey(&record))?;
    let connect: String = survey.connect().iter().map(|line| format!("  {line}\n")).collect();
    let text = survey.text();
    let text = format!("{text}\nto talk to it:\n{connect}to end it:\n  redrill down {name}\n");
    Ok(out::print(&text))
}
