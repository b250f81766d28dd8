//! `redrill analyze`: checks a stored history again.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::exit::{self, Failure};
use super::out::{self, Format};
use super::reading;
use crate::check::{Causality, Checker, Context, Finding, Orders, StaleReads, Transactions, Zero};
use crate::files::read;
use crate::load::history::edn::{self, Foreign};
use crate::model::op::Outcome;
use crate::model::{Verdict, printable_lines};
use crate::report::{self, Report, ReportError, text};

/// Check the history of a run again, or one that Jepsen wrote
///
/// Says what was lost, which reads were stale, and whether there is an order of all operations on a key
/// that explains every answer (linearizability). Nothing is written. The exit code is that of
/// the worst finding, whatever a scenario lets pass as `reported`: 0 pass, 1 fail, 2 unknown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder that a run left, or a file with Jepsen's operations on registers: EDN, or
    /// history.txt
    #[arg(value_name = "RUN|FILE")]
    history: PathBuf,
    /// What each key of such a file holds at the beginning, as it is written there. `nil` is no
    /// key, and then a read of nil found none; otherwise such a read says nothing
    #[arg(long, value_name = "VALUE")]
    initial: Option<String>,
    /// What such a file is to be. The topology of a run says that itself
    #[arg(long, value_enum)]
    model: Option<Model>,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a history is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Model {
    /// One order of all operations on a key explains every answer
    #[default]
    Linearizable,
    /// Each client finds what its own past asks for, as where several regions take writes
    Causal,
}

impl Model {
    fn checkers(self) -> &'static [&'static dyn Checker] {
        match self {
            Model::Linearizable => &[&StaleReads, &Orders, &Transactions],
            Model::Causal => &[&Causality],
        }
    }
}

/// The findings as JSON.
#[derive(Serialize)]
struct Analysis {
    schema: u32,
    verdict: Verdict,
    findings: Vec<Finding>,
    /// What one must know to read them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// A history by Jepsen counts time on another clock.
    #[serde(skip)]
    of_run: bool,
}

pub fn main(args: Args) -> ExitCode {
    exit::of(analyze(&args))
}

fn analyze(args: &Args) -> Result<ExitCode, Failure> {
    let is_file = args.history.is_file();
    let (findings, notes) = match is_file {
        true => jepsen(args)?,
        false if args.model.is_some() => {
            let why = "--model is of a FILE: the topology of a run says how it is judged";
            return Err(Failure::new(exit::USAGE, why));
        }
        false => {
            let report = reading::build(&args.history)?;
            let is_empty = report.loads.iter().all(|load| load.figures.answered == 0);
            let notes = told_otherwise(&report).into_iter().collect();
            (if is_empty { Vec::new() } else { report.findings }, notes)
        }
    };
    // Without operations there are no findings, so the verdict is unknown.
    let nothing = findings.is_empty().then_some(Verdict::Unknown);
    let verdict = Verdict::worst(findings.iter().map(|f| f.verdict).chain(nothing));
    let schema = report::SCHEMA;
    let analysis = Analysis { schema, verdict, findings, notes, of_run: !is_file };
    let json = || serde_json::to_string_pretty(&analysis).map_err(|e| Failure::new(exit::BUG, e));
    let printed = out::print(&match args.format {
        Format::Text => printable_lines(&analysis.text()),
        Format::Json => json()? + "\n",
    });
    Ok(if printed == ExitCode::SUCCESS { ExitCode::from(verdict.exit_code()) } else { printed })
}

/// A reader may wonder why a drill that passed fails here.
fn told_otherwise(report: &Report) -> Option<String> {
    let lets_pass = report.findings.iter().any(|finding| report.set_aside(finding).is_some());
    lets_pass.then(|| {
        let word = report.verdict.word();
        format!("its scenario lets some of this pass, and the drill's own verdict was {word}")
    })
}

/// The findings, and what one must know to read them. Such a history has no final reads, so
/// writes lost at the end are not looked for.
fn jepsen(args: &Args) -> Result<(Vec<Finding>, Vec<String>), Failure> {
    let path = args.history.display();
    let bad = |text| Failure::new(exit::BAD_FILE, text);
    let text = whole(&args.history).map_err(|e| bad(format!("cannot read {path}: {e}")))?;
    let history =
        edn::parse(&text, args.initial.as_deref()).map_err(|e| bad(format!("{path}, {e}")))?;
    let mut findings = Vec::new();
    // What was never answered proves nothing.
    if history.ops.iter().any(|op| op.outcome == Outcome::Ok) {
        let zero = if history.is_timed { Zero::default() } else { Zero::Events };
        let model = args.model.unwrap_or_default();
        let many_writers = model == Model::Causal;
        let context = Context { whole: true, many_writers, zero, ..Context::default() };
        for checker in model.checkers() {
            let checked = checker.check(&&history.ops[..], &context).map_err(ReportError::Check)?;
            findings.extend(checked.findings);
        }
    }
    for example in findings.iter_mut().flat_map(|finding| &mut finding.examples) {
        example.text = history.names.tell(&example.text);
    }
    Ok((findings, notes(&history)))
}

/// A history of five million operations has so much, and takes several times that in memory.
const MOST_BYTES: u64 = 1_000_000_000;

/// The text of a file, as long as it is now. What the kernel makes up as it is read has no length.
fn whole(path: &Path) -> io::Result<String> {
    let file = read::open(path)?;
    let length = file.metadata()?.len();
    if length > MOST_BYTES {
        return Err(read::too_large("it has", MOST_BYTES));
    }
    let text = read::whole(file.take(length), MOST_BYTES)?;
    String::from_utf8(text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

fn notes(history: &Foreign) -> Vec<String> {
    let silent = match history.said_nothing {
        0 => None,
        n => Some(format!(
            "{n} reads of nil say nothing; with --initial nil they say that there was no key"
        )),
    };
    let untimed = "not every event has a whole :time, so instants are numbers of events";
    let untimed = (!history.is_timed).then(|| untimed.to_owned());
    silent.into_iter().chain(untimed).collect()
}

impl Analysis {
    fn text(&self) -> String {
        let mut lines = String::new();
        for finding in &self.findings {
            lines += &format!("{} {}\n", text::mark(finding.verdict), finding.text);
            for example in &finding.examples {
                lines += &format!("    {}\n", example.text);
            }
        }
        if self.of_run && self.findings.iter().any(|finding| !finding.examples.is_empty()) {
            lines += "instants count from the load's start\n";
        }
        self.notes.iter().for_each(|note| lines += &format!("{note}\n"));
        if self.findings.is_empty() {
            lines += "no operation was answered, so there is nothing to check\n";
        }
        lines + &format!("{}\n", self.verdict.word().to_uppercase())
    }
}
