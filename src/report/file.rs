//! What the files of a run folder are called, and its scenario.

use std::path::Path;

use crate::files::read;
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
    let file = read::open_inside(&run.join(SCENARIO));
    let text = file.and_then(|file| read::whole(file, MOST_BYTES));
    let text = String::from_utf8(text.or_logged("read what was played")?);
    Some(printable_lines(&text.or_logged("read what was played")?))
}
