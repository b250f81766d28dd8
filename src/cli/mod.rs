//! The command line: arguments, exit codes, progress on the terminal.

pub mod exit;
pub mod input;
pub mod out;

mod check;
mod list;
mod schema;
mod show;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Resilience drills for Redis and Valkey.
#[derive(Debug, Parser)]
#[command(name = "redrill", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// One module a subcommand, each with `#[derive(clap::Args)] pub struct Args` and
// `pub fn main(args: Args) -> ExitCode`.
#[derive(Debug, Subcommand)]
enum Command {
    /// List the scenarios and topologies that come with redrill
    List(list::Args),
    /// Print the YAML of a ready scenario or topology
    Show(show::Args),
    /// Check topologies and scenarios without starting anything
    Check(check::Args),
    /// Print the JSON schema of topology or scenario files, for editors
    Schema(schema::Args),
    /// Print a shell's completion script
    Completions { shell: clap_complete::Shell },
}

pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::List(args) => list::main(args),
        Command::Show(args) => show::main(args),
        Command::Check(args) => check::main(args),
        Command::Schema(args) => schema::main(args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "redrill", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}
