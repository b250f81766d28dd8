//! `redrill analyze`: checks a stored history again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::{exit, out};
use crate::check::{Checker, Context, Finding, Orders, StaleReads};
use crate::load::history::edn;
use crate::model::{Verdict, printable_lines};
use crate::report::{self, ReportError, text};

/// Check the history of a run again, or one that Jepsen wrote
///
/// Says what was lost, which reads were stale, and whether there is an order of all operations on a key
/// that explains every answer (linearizability). Nothing is written. The exit code is that of
/// the worst finding, whatever a scenario lets pass as `reported`: 0 pass, 1 fail, 2 unknown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder that a run left, or a file in EDN with Jepsen's operations on registers
    #[arg(value_name = "RUN|FILE.edn")]
    history: PathBuf,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Debug, thiserror::Error)]
enum AnalyzeError {
    #[error(transparent)]
    Run(#[from] ReportError),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}, {source}", path.display())]
    Edn { path: PathBuf, source: edn::EdnError },
}

/// The findings as JSON.
#[derive(Serialize)]
struct Analysis {
    schema: u32,
    verdict: Verdict,
    findings: Vec<Finding>,
    /// A history by Jepsen counts time on another clock.
    #[serde(skip)]
    of_run: bool,
}

pub fn main(args: Args) -> ExitCode {
    let is_edn = args.history.extension().is_some_and(|end| end == "edn");
    let found = if is_edn { jepsen(&args.history) } else { of_run(&args.history) };
    let findings = match found {
        Ok(findings) => findings,
        Err(AnalyzeError::Run(error)) => return super::report::refuse(&error),
        Err(error) => return exit::fail(exit::BAD_FILE, &error),
    };
    // Without load there are no findings, so the verdict is unknown.
    let nothing = findings.is_empty().then_some(Verdict::Unknown);
    let verdict = Verdict::worst(findings.iter().map(|f| f.verdict).chain(nothing));
    let analysis = Analysis { schema: report::SCHEMA, verdict, findings, of_run: !is_edn };
    let printed = match args.format {
        Format::Text => out::print(&printable_lines(&analysis.text())),
        Format::Json => match serde_json::to_string_pretty(&analysis) {
            Ok(json) => out::print(&(json + "\n")),
            Err(error) => return exit::fail(exit::BUG, &error),
        },
    };
    if printed == ExitCode::SUCCESS { ExitCode::from(verdict.exit_code()) } else { printed }
}

fn of_run(run: &Path) -> Result<Vec<Finding>, AnalyzeError> {
    Ok(report::build(run)?.findings)
}

/// Such a history has no final reads, so writes lost at the end are not looked for.
fn jepsen(path: &Path) -> Result<Vec<Finding>, AnalyzeError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| AnalyzeError::Read { path: path.to_owned(), source })?;
    let ops =
        edn::parse(&text).map_err(|source| AnalyzeError::Edn { path: path.to_owned(), source })?;
    let context = Context { whole: true, ..Context::default() };
    let checkers: [&dyn Checker; 2] = [&StaleReads, &Orders];
    let mut findings = Vec::new();
    for checker in checkers {
        let checked = checker.check(&&ops[..], &context).map_err(ReportError::Check)?;
        findings.extend(checked.findings);
    }
    Ok(findings)
}

impl Analysis {
    fn text(&self) -> String {
        let mut lines = String::new();
        for finding in &self.findings {
            let _ = writeln!(lines, "{} {}", text::mark(finding.verdict), finding.text);
            for example in &finding.examples {
                let _ = writeln!(lines, "    {}", example.text);
            }
        }
        if self.of_run && self.findings.iter().any(|finding| !finding.examples.is_empty()) {
            lines += "instants count from the load's start\n";
        }
        if self.findings.is_empty() {
            lines += "there was no load, so there is nothing to check\n";
        }
        lines + &format!("{}\n", self.verdict.as_str().to_uppercase())
    }
}
