//! `redrill report`: makes a run folder's reports again.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::exit;
use crate::report::{self, Report, ReportError};

/// Rebuild the reports of a run from what its folder recorded
///
/// Writes report.json, report.html, report.md and junit.xml anew and prints the summary.
/// A run that was interrupted or killed has a report too, which says so. The exit code
/// is that of the drill's verdict: 0 pass, 1 fail, 2 unknown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that a run left, runs/… by default
    run: PathBuf,
}

pub fn main(args: Args) -> ExitCode {
    let made = report::build(&args.run).and_then(|r| report::write(&r).map(|()| r));
    match made {
        Ok(report) => {
            show(&report);
            ExitCode::from(report.verdict.exit_code())
        }
        Err(error) => refuse(&error),
    }
}

/// Prints the summary, in colour on a terminal that wants it.
pub fn show(report: &Report) {
    let text = report::text::summary(report, 80, colour());
    // A reader that has gone away is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Whether standard output is a terminal and nobody asked for plain text
/// (<https://no-color.org>).
pub(super) fn colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !unwanted
}

/// Tells `error` and gives the exit code that fits it.
pub(super) fn refuse(error: &ReportError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(match error {
        ReportError::Write { .. } => exit::ENVIRONMENT,
        ReportError::Render { .. } => exit::BUG,
        _ => exit::BAD_FILE,
    })
}
