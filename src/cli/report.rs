//! `redrill report`: makes a run folder's reports again.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{exit, out, terminal};
use crate::log;
use crate::model::Verdict;
use crate::report::{self, Report, ReportError};

/// Rebuild the reports of a run from what its folder recorded
///
/// Writes report.json, report.html, report.md and junit.xml anew and prints the summary.
/// A run that was interrupted or killed has a report too, which says so. The exit code
/// is that of the drill's verdict (of several, the worst): 0 pass, 1 fail, 2 unknown. If there
/// is no report to be made of a folder, the others have theirs, and the exit code says why.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folders that runs left, runs/… by default
    #[arg(required = true)]
    run: Vec<PathBuf>,
}

pub fn main(args: Args) -> ExitCode {
    let (mut worst, mut refused) = (Verdict::Pass, None);
    for run in &args.run {
        match report::build(run).and_then(|r| report::write(&r).map(|()| r)) {
            Ok(report) => {
                out::print(&summary(&report));
                worst = Verdict::worst([worst, report.verdict]);
            }
            // The other folders still get their reports.
            Err(error) => {
                refuse(&error);
                refused = refused.or(Some(code(&error)));
            }
        }
    }
    ExitCode::from(refused.unwrap_or(worst.exit_code()))
}

/// The report in a few lines, and where the log is if the drill did not go well.
pub(super) fn summary(report: &Report) -> String {
    let text = report::text::summary(report, terminal::width(), out::colour());
    let log = report.folder.join(log::FILE);
    match report.verdict {
        Verdict::Fail | Verdict::Unknown if log.exists() => {
            format!("{text}  log     {}\n", log.display())
        }
        _ => text,
    }
}

/// Prints `error` and returns its exit code.
pub(super) fn refuse(error: &ReportError) -> ExitCode {
    exit::fail(code(error), error)
}

pub(super) fn code(error: &ReportError) -> u8 {
    match error {
        ReportError::Write { .. } => exit::ENVIRONMENT,
        ReportError::Render { .. } => exit::BUG,
        _ => exit::BAD_FILE,
    }
}
