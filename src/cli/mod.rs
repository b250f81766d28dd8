//! The command line: arguments, exit codes, progress on the terminal.

pub mod exit;
pub mod input;
pub mod memory;
pub mod out;

mod adapter;
mod analyze;
mod check;
mod completions;
mod doctor;
mod down;
mod gc;
mod keep;
mod list;
mod live;
mod matrix;
mod play;
mod reading;
mod replicate;
mod report;
mod run;
mod runtime;
mod status;
mod suite;
mod tally;
mod terminal;
mod up;

use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};
use tracing_subscriber::filter::Targets;

use crate::files::make;
use crate::log;

/// Resilience drills for Redis and Valkey.
#[derive(Debug, Parser)]
#[command(name = "redrill", version, about, max_term_width = 100, after_help = exit::CODES)]
struct Cli {
    /// Show what redrill does (-v), and each request and answer (-vv); RUST_LOG says it by part
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

// One module for each subcommand, with `#[derive(clap::Args)] pub struct Args` and `pub fn
// main(args: Args) -> ExitCode`.
#[derive(Debug, Subcommand)]
enum Command {
    /// Play a scenario: start servers, put load on them, do something to them, report
    Run(run::Args),
    /// Play several scenarios; one JUnit file and one index page
    Suite(suite::Args),
    /// Play one scenario on several engines, and set them side by side
    Matrix(matrix::Args),
    Report(report::Args),
    Analyze(analyze::Args),
    Compare(report::CompareArgs),
    /// List the scenarios and topologies that come with redrill
    List(list::Args),
    /// Print the YAML of a ready scenario or topology
    Show(list::ShowArgs),
    /// Check topologies and scenarios without starting anything
    Check(check::Args),
    /// Print the JSON schema of topologies, scenarios or report.json
    Schema(list::SchemaArgs),
    /// Print a topology as a Compose file, to be brought up without redrill
    Compose(list::ComposeArgs),
    /// Bring up a topology and leave it running in the background
    Up(up::Args),
    /// Show what runs on this machine
    Status(status::Args),
    /// End what `up` or `run --keep` left running
    Down(down::Args),
    /// Show what this machine has, and what each missing thing would give
    Doctor(doctor::Args),
    /// Remove what a killed redrill left behind
    Gc(gc::Args),
    #[command(hide = true)]
    Adapter(adapter::Args),
    #[command(hide = true)]
    Replicate(replicate::Args),
    #[command(hide = true)]
    Keep(keep::Args),
    #[command(hide = true)]
    Reap(gc::ReapArgs),
    /// Print a shell's completion script
    Completions(completions::Args),
}

pub fn main() -> ExitCode {
    exit::unless_bug(obey)
}

fn obey() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no errors, but arrive as such.
        Err(said) if said.use_stderr() => {
            let (said, colour) = (said.render(), out::colour_of_errors());
            let text = if colour { said.ansi().to_string() } else { said.to_string() };
            terminal::say(text.trim_end_matches('\n'));
            return ExitCode::from(exit::USAGE);
        }
        Err(said) => {
            let (said, colour) = (said.render(), out::colour());
            return out::print(&if colour { said.ansi().to_string() } else { said.to_string() });
        }
    };
    make::for_this_user_only();
    let _listening = listen(cli.verbose);
    match cli.command {
        Command::Run(args) => run::main(args),
        Command::Suite(args) => suite::main(args),
        Command::Matrix(args) => matrix::main(args),
        Command::List(args) => list::main(args),
        Command::Show(args) => list::show(args),
        Command::Check(args) => check::main(args),
        Command::Schema(args) => list::schema(args),
        Command::Compose(args) => list::compose(args),
        Command::Up(args) => up::main(args),
        Command::Status(args) => status::main(args),
        Command::Down(args) => down::main(args),
        Command::Doctor(args) => doctor::main(args),
        Command::Gc(args) => gc::main(args),
        Command::Adapter(args) => adapter::main(args),
        Command::Replicate(args) => replicate::main(args),
        Command::Keep(args) => keep::main(args),
        Command::Reap(args) => gc::reap(args),
        Command::Report(args) => report::main(args),
        Command::Analyze(args) => analyze::main(args),
        Command::Compare(args) => report::compare(args),
        Command::Completions(args) => completions::main(args, Cli::command()),
    }
}

/// Hears what all parts tell: for the terminal as it was asked for, and for a drill's own log.
fn listen(verbose: u8) -> Option<log::Listening> {
    let level = log::terminal_level(verbose, std::env::var_os("RUST_LOG").as_deref());
    let level = level.unwrap_or_else(|nonsense| {
        terminal::say(&format!("warning: {nonsense}"));
        Targets::new()
    });
    let listening = log::listen(level, terminal::say);
    listening.inspect_err(|error| terminal::say(&format!("warning: there is no log: {error}"))).ok()
}
