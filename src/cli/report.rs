//! `redrill report`: makes a run folder's reports again. `redrill compare`: two runs side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit::{self, Failure};
use super::{out, reading, terminal};
use crate::log;
use crate::model::Verdict;
use crate::report::{self, Report, ReportError, compare};

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
        match made(run) {
            Ok(verdict) => worst = Verdict::worst([worst, verdict]),
            // The other folders still get their reports.
            Err(failure) => {
                refused = refused.or(Some(failure.code));
                exit::of(Err(failure));
            }
        }
    }
    ExitCode::from(refused.unwrap_or(worst.exit_code()))
}

fn made(run: &Path) -> Result<Verdict, Failure> {
    let report = reading::build(run)?;
    report::write(&report)?;
    out::put(&summary(&report))?;
    Ok(report.verdict)
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

/// Put the figures of two runs side by side
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// The run to compare with: its folder, or a report.json
    before: PathBuf,
    /// The run to compare: its folder, or a report.json
    after: PathBuf,
    /// How to print the comparison
    #[arg(long, value_enum, default_value_t)]
    format: CompareFormat,
    /// Write it as a page of its own as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum CompareFormat {
    #[default]
    Text,
    Markdown,
}

pub fn compare(args: CompareArgs) -> ExitCode {
    exit::of(compared(&args).map(|text| out::print(&text)).map_err(Failure::from))
}

fn compared(args: &CompareArgs) -> Result<String, ReportError> {
    let (before, after) = (report::open(&args.before)?, report::open(&args.after)?);
    let comparison = compare::compare(&before, &after);
    if let Some(path) = &args.html {
        report::write_file(path, &comparison.html()?)?;
    }
    Ok(match args.format {
        CompareFormat::Text => comparison.text(terminal::width(), out::colour()),
        CompareFormat::Markdown => comparison.markdown(),
    })
}
