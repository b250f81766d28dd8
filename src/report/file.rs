//! What the files of a run folder are called, and its scenario.

use std::fs;
use std::path::Path;

use crate::log::OrLogged;
use crate::model::printable_lines;

pub const EVENTS: &str = "events.jsonl";
pub const HISTORY: &str = "history.jsonl.zst";
pub const SCENARIO: &str = "scenario.yaml";
pub const JSON: &str = "report.json";
pub const HTML: &str = "report.html";
pub const MARKDOWN: &str = "report.md";
pub const JUNIT: &str = "junit.xml";

/// More than any scenario has.
const MOST_BYTES: u64 = 1 << 20;

/// The scenario in the run folder `run`. A link is not followed: the folder may be somebody
/// else's, and a report shows nothing from outside of it.
pub(super) fn scenario(run: &Path) -> Option<String> {
    let path = run.join(SCENARIO);
    let file = fs::symlink_metadata(&path).or_logged("find what was played")?;
    let fits = !file.is_symlink() && file.len() <= MOST_BYTES;
    fits.then(|| fs::read_to_string(&path).or_logged("read what was played"))
        .flatten()
        .map(|text| printable_lines(&text))
}
