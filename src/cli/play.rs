//! Plays one scenario from the command line: the part that `run`, `suite` and `matrix` share.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::exit::Failure;
use super::out::{self, Format};
use super::{exit, input, reading, terminal};
use crate::backend::resolve::{BackendKind, BackendRequest};
use crate::backend::{BackendError, ResolvedBackend, Wanted};
use crate::drill::{self, Halt, Kept, Options, RunFolder};
use crate::log;
use crate::log::OrLogged;
use crate::report::{self, Report, ReportError};
use crate::spec::topology::Engine;
use crate::spec::{self, Capabilities, Purpose, Scenario};

/// What servers run on.
#[derive(Clone, Debug, clap::Args)]
pub struct BackendArgs {
    /// Where servers run: as processes on this machine, or in containers; by default as the
    /// topology says, else as processes if there is a server to run, else in containers
    #[arg(long, value_enum)]
    pub backend: Option<BackendKind>,
    /// The redis-server or valkey-server to run
    #[arg(long, value_name = "PATH", env = "REDRILL_ENGINE_BINARY")]
    pub engine_binary: Option<PathBuf>,
}

impl BackendArgs {
    pub fn request(&self) -> BackendRequest<'_> {
        BackendRequest { kind: self.backend, binary: self.engine_binary.as_deref() }
    }

    /// Where servers of `engine` will run; `heard` gets messages about what takes long.
    pub async fn find(
        &self,
        engine: &Engine,
        heard: &(dyn Fn(&str) + Sync),
    ) -> Result<ResolvedBackend, BackendError> {
        ResolvedBackend::find(self.request(), engine, &program(), heard).await
    }

    /// The binary is named on the command line, not by the environment.
    pub fn names_a_binary(&self) -> bool {
        let by_environment = std::env::var_os("REDRILL_ENGINE_BINARY").map(PathBuf::from);
        self.engine_binary.is_some() && self.engine_binary != by_environment
    }
}

/// How to play.
#[derive(Clone, Debug, clap::Args)]
pub struct PlayArgs {
    /// Play it on this topology: a ready one's name, or a path
    #[arg(long, value_name = "TOPOLOGY")]
    pub topology: Option<String>,
    #[command(flatten)]
    pub on: BackendArgs,
    /// A profile of the scenario, such as ci
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Draw the keys, values and choices of an earlier run again
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The folder that run folders are made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Change any value of the scenario or its topology: loads.app.rate=8000/s
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// What to print on standard output; json is the report and nothing else
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// There is no report. The reason has been printed to standard error.
pub struct Refused {
    pub code: u8,
    pub why: String,
}

/// The exit code of a command that plays drills.
pub fn exit_code(played: Result<u8, Refused>) -> ExitCode {
    ExitCode::from(played.unwrap_or_else(|refused| refused.code))
}

/// A drill that has been played, with its report written.
pub struct Played {
    pub report: Report,
    pub interrupted: bool,
    pub kept: Option<Kept>,
}

impl Played {
    pub fn exit_code(&self) -> u8 {
        if self.interrupted { exit::INTERRUPTED } else { self.report.verdict.exit_code() }
    }
}

/// Prints an error and returns the refusal with its exit code.
pub fn refuse(code: u8, error: impl std::fmt::Display) -> Refused {
    exit::fail(code, &error);
    Refused { code, why: error.to_string() }
}

/// The scenario `name` as the arguments change it, checked for whether it can run.
pub fn read(name: &str, args: &PlayArgs) -> Result<Scenario, Refused> {
    if args.on.backend == Some(BackendKind::Docker) && args.on.names_a_binary() {
        let why = "--engine-binary names a server to run as a process, and --backend docker runs \
                   none; name an image instead: --set engine.image=valkey/valkey:9.1";
        return Err(refuse(exit::USAGE, why));
    }
    let read = |capabilities: Capabilities| {
        // The file may be right, and only the machine lacks something.
        let code = if capabilities.blame_machine() { exit::ENVIRONMENT } else { exit::BAD_FILE };
        let (set, profile, purpose) = (args.set.clone(), args.profile.clone(), Purpose::Run);
        let options = spec::Options { purpose, set, profile, topology: None, capabilities };
        input::scenario(name, args.topology.as_deref(), options).map_err(|faults| {
            input::refuse(&faults);
            Refused { code, why: faults.to_string() }
        })
    };
    // The topology, too, can say where it runs.
    let scenario = read(Capabilities::default())?;
    let (request, engine) = (args.on.request(), &scenario.topology.engine);
    if let Some(image) = request.unused_image(engine) {
        terminal::say(&format!("servers run as processes: the image `{image}` is not used"));
    }
    let wanted =
        Wanted { preload: scenario.needs_preload(), kernel_cuts: scenario.cuts_in_kernel() };
    read(request.capabilities(engine, wanted))
}

/// Where the scenario's servers will run. Pulling an image may take long; Ctrl-C interrupts it.
pub async fn resolved(
    scenario: &Scenario,
    args: &PlayArgs,
    stop: &CancellationToken,
) -> Result<ResolvedBackend, Refused> {
    tokio::select! {
        found = args.on.find(&scenario.topology.engine, &terminal::say) => found.map_err(|error| refuse(exit::ENVIRONMENT, error)),
        () = stop.cancelled() => Err(refuse(exit::INTERRUPTED, "interrupted; nothing was started")),
    }
}

/// Plays `scenario` in a new folder under `out` and writes its reports. With `keep`, the
/// servers of a completed drill stay up.
pub async fn play(
    scenario: &Scenario,
    args: &PlayArgs,
    out: &Path,
    keep: bool,
    stop: &CancellationToken,
) -> Result<Played, Refused> {
    let resolved = resolved(scenario, args, stop).await?;
    play_on(&resolved, scenario, args, out, keep, stop).await
}

/// The same if the place is known already.
pub async fn play_on(
    resolved: &ResolvedBackend,
    scenario: &Scenario,
    args: &PlayArgs,
    out: &Path,
    keep: bool,
    stop: &CancellationToken,
) -> Result<Played, Refused> {
    let program = program();
    let options = Options {
        scenario,
        resolved,
        program: &program,
        out,
        seed: args.seed.unwrap_or_else(random_seed),
        sinks: vec![terminal::progress()],
        stop: stop.clone(),
    };
    let started = drill::start(options).await;
    let drill = started.map_err(|error| refuse(exit::ENVIRONMENT, error))?;
    // The path as the user gave it is shorter to read than the absolute one.
    let folder = out.join(drill.folder().id());
    let (ended, kept) = drill.play(keep).await;
    if let Err(halt) = &ended
        && let Some(code) = blame(halt)
    {
        // There is little to report, but a nightly job finds its files, if the disk has room
        // for them.
        make_report(&folder).or_logged("make the report");
        let (folder, log) = (folder.display(), folder.join(log::FILE));
        let log = log.display();
        return Err(refuse(code, format_args!("{halt}\nthe run folder: {folder}\nthe log: {log}")));
    }
    let report = make_report(&folder).map_err(unreported)?;
    // This also covers a drill that had ended before the signal.
    let interrupted = stop.is_cancelled();
    Ok(Played { report, interrupted, kept })
}

/// The exit code of a drill that could not do its work; `None` if its report says why it ended
/// early.
fn blame(halt: &Halt) -> Option<u8> {
    match halt {
        Halt::Form(error) if error.blames_topology() => Some(exit::BAD_FILE),
        Halt::Form(_) | Halt::Folder(_) => Some(exit::ENVIRONMENT),
        Halt::Interrupted | Halt::History(_) | Halt::NoRoom(_) | Halt::Failed(_) => None,
    }
}

/// The path of this program, to start it again as another process.
pub fn program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("redrill"))
}

/// Different each time, and short enough to type.
pub fn random_seed() -> u64 {
    rand::random_range(0..1_000_000)
}

fn make_report(folder: &Path) -> Result<Report, ReportError> {
    let report = reading::build(folder)?;
    report::write(&report)?;
    Ok(report)
}

/// Prints the summary, or the report as JSON.
pub fn print(report: &Report, format: Format) -> Result<(), Refused> {
    let text = match format {
        Format::Text => super::report::summary(report),
        Format::Json => report::json::render(report).map_err(unreported)?,
    };
    put(&text)
}

/// Prints `text` on standard output.
pub fn put(text: &str) -> Result<(), Refused> {
    out::put(text).map_err(refused)
}

/// The refusal for a report that cannot be made or written.
pub fn unreported(error: ReportError) -> Refused {
    refused(error.into())
}

fn refused(Failure { code, text }: Failure) -> Refused {
    refuse(code, text)
}

/// A new folder for the run folders of several drills.
pub fn batch_folder(out: &Path, name: &str) -> Result<PathBuf, Refused> {
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    RunFolder::create(out, &started, name)
        .map(|folder| out.join(folder.id()))
        .map_err(|error| refuse(exit::ENVIRONMENT, error))
}
