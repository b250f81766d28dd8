//! Several drills: one page that leads to each report.

use askama::Template;

use crate::model::Verdict;

use super::data::Report;
use super::text::mark;
use super::{ReportError, file, html};

#[derive(Template)]
#[template(path = "index.html")]
struct Index<'a> {
    verdict: Verdict,
    mark: &'static str,
    counts: String,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    r: &'a Report,
    mark: &'static str,
    /// Relative to the folder that holds the run folders.
    link: String,
    held: String,
}

/// The page, to be put beside the run folders.
///
/// # Errors
/// If the template cannot be rendered.
pub fn index(reports: &[Report]) -> Result<String, ReportError> {
    let verdict = Verdict::worst(reports.iter().map(|r| r.verdict));
    let count = |verdict| reports.iter().filter(|r| r.verdict == verdict).count();
    let counts = [Verdict::Pass, Verdict::Fail, Verdict::Unknown]
        .into_iter()
        .filter(|verdict| count(*verdict) > 0)
        .map(|verdict| format!("{} {verdict}", count(verdict)));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let rows = reports.iter().map(row).collect();
    Index { verdict, mark: mark(verdict), counts, rows }.render().map_err(html::bad)
}

fn row(r: &Report) -> Row<'_> {
    let folder = r.folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let folder = folder.unwrap_or_else(|| r.id.clone());
    let held = r.expectations.iter().filter(|judged| judged.verdict == Verdict::Pass).count();
    Row {
        r,
        mark: mark(r.verdict),
        link: format!("{}/{}", percent(&folder), file::HTML),
        held: format!("{held} of {}", r.expectations.len()),
    }
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
