//! The page that shows runs side by side: one scenario on several engines, or two runs.

use askama::Template;

use super::data::{Failover, Report};
use super::error::ReportError;
use super::html;
use super::html::bars::FailoverRow;
use super::table::Cell;
use super::text::mark;
use crate::model::Verdict;

#[derive(Template)]
#[template(path = "side_by_side.html")]
pub(super) struct SideBySide<'a> {
    pub title: String,
    pub lead: &'a str,
    /// The verdict of all runs together, if they belong together.
    pub verdict: Option<Verdict>,
    /// Other differences between the runs, so that a reader does not compare things that cannot
    /// be compared.
    pub differences: &'a [String],
    pub columns: Vec<RunColumn<'a>>,
    pub rows: &'a [MeasureRow],
    /// The longest failover of each run, where there was one.
    pub bars: Vec<FailoverBar>,
    /// Whether rows show how the last column differs from the first.
    pub changes: bool,
}

/// One run.
pub(super) struct RunColumn<'a> {
    pub head: String,
    /// Its report's page, if that is known to be beside this one.
    pub link: Option<String>,
    pub verdict: Verdict,
    pub why: &'a [String],
}

/// A failover, as wide as its share of the longest one.
pub(super) struct FailoverBar {
    pub head: String,
    /// Percent.
    pub width: String,
    pub row: FailoverRow,
}

/// The longest failover of each report under its head.
pub(super) fn bars<'a>(runs: impl Iterator<Item = (String, &'a Report)>) -> Vec<FailoverBar> {
    let longest = |r: &'a Report| {
        let served = r.failovers.iter().filter_map(|f| Some((f, f.served()?)));
        served.max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let all: Vec<_> = runs.filter_map(|(head, r)| Some((head, longest(r)?))).collect();
    let most = all.iter().map(|(_, (_, ms))| *ms).fold(0.0, f64::max);
    let bar = |(head, (failover, ms)): (String, (&Failover, f64))| FailoverBar {
        head,
        width: format!("{:.1}", if most > 0.0 { ms / most * 100.0 } else { 0.0 }),
        row: FailoverRow::new(failover),
    };
    all.into_iter().map(bar).collect()
}

/// One fact about all runs.
#[derive(Debug)]
pub(super) struct MeasureRow {
    pub name: &'static str,
    pub about: &'static str,
    pub values: Vec<String>,
    pub change: Option<Change>,
}

/// How it changed from the first run to the last.
#[derive(Debug)]
pub(super) struct Change {
    pub by: String,
    pub word: &'static str,
    pub tone: Option<Verdict>,
}

impl MeasureRow {
    /// As a row of a table.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![Cell::from(self.name)];
        cells.extend(self.values.iter().map(|value| Cell::from(&**value)));
        if let Some(Change { by, word, tone }) = &self.change {
            cells.extend([Cell::from(&**by), Cell { tone: *tone, ..Cell::from(*word) }]);
        }
        cells
    }
}

impl SideBySide<'_> {
    fn has_reasons(&self) -> bool {
        self.columns.iter().any(|column| !column.why.is_empty())
    }

    /// # Errors
    /// The template cannot be rendered.
    pub fn page(&self) -> Result<String, ReportError> {
        self.render().map_err(html::bad)
    }
}

/// How slots moved in each run, if they did in any.
pub(super) fn methods<'a>(reports: impl Iterator<Item = &'a Report>) -> Option<MeasureRow> {
    let values: Vec<Option<String>> = reports.map(Report::method).collect();
    values.iter().any(Option::is_some).then(|| MeasureRow {
        name: "slots moved by",
        about: "migrate: key by key; atomic: by the servers' own jobs",
        values: values.into_iter().map(Option::unwrap_or_default).collect(),
        change: None,
    })
}
