//! Several drills: one page with links to the reports.

use askama::Template;
use serde::Serialize;
use serde_json::json;

use crate::model::catalogue::CATALOGUE;
use crate::model::{Verdict, printable, printable_lines};

use super::data::{Report, SCHEMA};
use super::error::ReportError;
use super::file;
use super::html;
use super::text::mark;

/// The result of one scenario of a suite.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub scenario: String,
    /// `unknown` without a report, so that a reader who looks for the verdict finds one.
    pub verdict: Verdict,
    /// Null if it could not start, or could not do its work; then `error` says why.
    pub report: Option<Box<Report>>,
    pub error: Option<String>,
    /// The exit code of `redrill run` for it.
    pub code: u8,
    /// Whether it was never begun.
    pub skipped: bool,
}

impl Entry {
    pub fn played(report: Report) -> Entry {
        let (scenario, verdict) = (report.scenario.clone(), report.verdict);
        let (report, code) = (Some(Box::new(report)), verdict.exit_code());
        Entry { scenario, verdict, report, error: None, code, skipped: false }
    }

    pub fn unplayed(scenario: &str, error: String, code: u8) -> Entry {
        // What servers and files say may be in it.
        let (scenario, error) = (printable(scenario), Some(printable_lines(&error)));
        Entry { scenario, verdict: Verdict::Unknown, report: None, error, code, skipped: false }
    }

    /// One that was not begun before the suite ended, with that exit code.
    pub fn skipped(scenario: &str, code: u8) -> Entry {
        let error = "interrupted before it began".to_owned();
        Entry { skipped: true, ..Entry::unplayed(scenario, error, code) }
    }
}

/// The worst of all.
pub fn verdict(entries: &[Entry]) -> Verdict {
    Verdict::worst(entries.iter().map(|entry| entry.verdict))
}

/// All entries as one JSON object, whose `schema` is that of report.json.
pub fn json(entries: &[Entry]) -> String {
    let verdict = verdict(entries);
    format!("{}\n", json!({ "schema": SCHEMA, "verdict": verdict, "runs": entries }))
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index<'a> {
    verdict: Verdict,
    mark: &'static str,
    counts: String,
    /// The measures that each drill is listed with, and the heads of their columns.
    measures: Vec<(&'static str, &'static str)>,
    rows: Vec<&'a Report>,
    /// Each with the reason why.
    unplayed: Vec<(&'a Entry, &'a str)>,
}

/// The page, which belongs beside the run folders.
///
/// # Errors
/// The template cannot be rendered.
pub fn index(entries: &[Entry]) -> Result<String, ReportError> {
    let verdict = verdict(entries);
    let counts = Verdict::count(entries.iter().map(|entry| entry.verdict));
    let counts = counts.map(|(verdict, n)| format!("{n} {verdict}")).collect::<Vec<_>>().join(", ");
    let rows = entries.iter().filter_map(|entry| entry.report.as_deref()).collect();
    let unplayed = entries.iter().filter_map(|one| Some((one, one.error.as_deref()?))).collect();
    let measures = CATALOGUE.iter().filter_map(|known| Some((known.name, known.in_suite?)));
    let (mark, measures) = (mark(verdict), measures.collect());
    Index { verdict, mark, counts, measures, rows, unplayed }.render().map_err(html::bad)
}

/// `2 of 3`: the expectations that hold.
fn held(r: &Report) -> String {
    let held = r.expectations.iter().filter(|judged| judged.verdict == Verdict::Pass).count();
    format!("{held} of {}", r.expectations.len())
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
