//! Several drills: one page with links to the reports.

use askama::Template;
use serde::Serialize;

use crate::model::Verdict;

use super::data::{Report, SCHEMA};
use super::error::ReportError;
use super::file;
use super::html;
use super::text::mark;

/// The result of one scenario of a suite.
#[derive(Debug)]
pub enum Outcome {
    Played(Box<Report>),
    Unplayed(Unplayed),
}

/// A scenario without a report: it could not start, or could not do its work.
#[derive(Debug)]
pub struct Unplayed {
    pub scenario: String,
    /// Always `unknown`, so that a reader who looks for the verdict finds one.
    pub verdict: Verdict,
    pub error: String,
    /// The exit code of `redrill run` for it.
    pub code: u8,
    /// Whether it was never begun.
    pub skipped: bool,
}

impl Unplayed {
    pub fn new(scenario: &str, error: String, code: u8) -> Unplayed {
        let (scenario, verdict) = (scenario.to_owned(), Verdict::Unknown);
        Unplayed { scenario, verdict, error, code, skipped: false }
    }

    /// One that was not begun before the suite ended, with that exit code.
    pub fn skipped(scenario: &str, code: u8) -> Unplayed {
        let error = "interrupted before it began".to_owned();
        Unplayed { skipped: true, ..Unplayed::new(scenario, error, code) }
    }
}

/// A suite for programs.
#[derive(Serialize)]
struct Suite<'a> {
    schema: u32,
    verdict: Verdict,
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    scenario: &'a str,
    verdict: Verdict,
    /// Null if there is none; then `error` says why.
    report: Option<&'a Report>,
    error: Option<&'a str>,
    /// The exit code of `redrill run` for it.
    code: u8,
    skipped: bool,
}

/// All outcomes as one JSON object, whose `schema` is that of report.json.
///
/// # Errors
/// None today.
pub fn json(outcomes: &[Outcome]) -> Result<String, ReportError> {
    let runs = outcomes.iter().map(|outcome| match outcome {
        Outcome::Played(report) => Run {
            scenario: &report.scenario,
            verdict: report.verdict,
            report: Some(report),
            error: None,
            code: report.verdict.exit_code(),
            skipped: false,
        },
        Outcome::Unplayed(unplayed) => Run {
            scenario: &unplayed.scenario,
            verdict: unplayed.verdict,
            report: None,
            error: Some(&unplayed.error),
            code: unplayed.code,
            skipped: unplayed.skipped,
        },
    });
    let verdict = Verdict::worst(outcomes.iter().map(Outcome::verdict));
    let suite = Suite { schema: SCHEMA, verdict, runs: runs.collect() };
    Ok(format!("{}\n", serde_json::json!(suite)))
}

impl Outcome {
    pub fn verdict(&self) -> Verdict {
        match self {
            Outcome::Played(report) => report.verdict,
            Outcome::Unplayed(unplayed) => unplayed.verdict,
        }
    }
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index<'a> {
    verdict: Verdict,
    mark: &'static str,
    counts: String,
    rows: Vec<Row<'a>>,
    unplayed: Vec<&'a Unplayed>,
}

struct Row<'a> {
    r: &'a Report,
    mark: &'static str,
    /// Relative to the folder with the run folders.
    link: String,
    held: String,
}

/// The page, which belongs beside the run folders.
///
/// # Errors
/// The template cannot be rendered.
pub fn index(outcomes: &[Outcome]) -> Result<String, ReportError> {
    let verdict = Verdict::worst(outcomes.iter().map(Outcome::verdict));
    let count = |verdict| outcomes.iter().filter(|o| o.verdict() == verdict).count();
    let counts = [Verdict::Pass, Verdict::Fail, Verdict::Unknown]
        .into_iter()
        .filter(|verdict| count(*verdict) > 0)
        .map(|verdict| format!("{} {verdict}", count(verdict)));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let (mut rows, mut unplayed) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Played(report) => rows.push(row(report)),
            Outcome::Unplayed(each) => unplayed.push(each),
        }
    }
    Index { verdict, mark: mark(verdict), counts, rows, unplayed }.render().map_err(html::bad)
}

fn row(r: &Report) -> Row<'_> {
    let held = r.expectations.iter().filter(|judged| judged.verdict == Verdict::Pass).count();
    Row {
        r,
        mark: mark(r.verdict),
        link: link(r),
        held: format!("{held} of {}", r.expectations.len()),
    }
}

/// A link to a report's page, from the folder with its run folder.
pub(super) fn link(r: &Report) -> String {
    let folder = r.folder.file_name().map(|name| name.to_string_lossy().into_owned());
    format!("{}/{}", percent(&folder.unwrap_or_else(|| r.id.clone())), file::HTML)
}

/// A folder's name as part of a relative link.
fn percent(name: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.~".contains(b);
    let mut text = String::new();
    for byte in name.bytes() {
        if plain(&byte) {
            text.push(byte as char);
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
