//! The command line: arguments, exit codes, progress on the terminal.

mod compare;
pub mod exit;
pub mod report;

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
    Report(report::Args),
    Compare(compare::Args),
    /// Print a shell's completion script
    Completions {
        shell: clap_complete::Shell,
    },
}

pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Report(args) => report::main(args),
        Command::Compare(args) => compare::main(args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "redrill", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}
