//! One scenario on several engines: the results side by side.

use serde_json::json;

use crate::model::Verdict;
use crate::model::catalogue::{CATALOGUE, Known};

use super::data::{Report, SCHEMA};
use super::error::ReportError;
use super::markdown::{Page, escape};
use super::side_by_side::{MeasureRow, RunColumn, SideBySide, bars, methods};
use super::suite::link;
use super::table::{Cell, Column, Table};
use super::text::{self, Ink, mark};

/// The names of the files that a matrix writes beside its run folders.
pub mod file {
    pub const HTML: &str = "index.html";
    pub const MARKDOWN: &str = "matrix.md";
    pub const JSON: &str = "matrix.json";
}

/// Drills of one scenario. Never empty.
pub struct Matrix<'a> {
    reports: &'a [Report],
    /// The value that each was played with.
    values: &'a [Option<String>],
    /// The key whose values they are.
    over: Option<&'a str>,
}

impl<'a> Matrix<'a> {
    /// `reports` are of one scenario, each on another engine, or with another of `values` for
    /// the key `over`; `None` without reports.
    pub fn of(
        reports: &'a [Report],
        values: &'a [Option<String>],
        over: Option<&'a str>,
    ) -> Option<Matrix<'a>> {
        (!reports.is_empty()).then_some(Matrix { reports, values, over })
    }

    /// `cluster-reshard on 4 engines`, `primary-kill over cluster-node-timeout`
    fn title(&self) -> String {
        let name = &self.reports[0].scenario;
        match self.over {
            Some(key) => format!("{name} over {}", key.rsplit('.').next().unwrap_or(key)),
            None => format!("{name} on {} engines", self.reports.len()),
        }
    }

    pub fn verdict(&self) -> Verdict {
        Verdict::worst(self.reports.iter().map(|r| r.verdict))
    }

    /// `redis 8.0.2`, and where it ran if not all ran there; with the value that it was played
    /// with, or only that value if all engines are the same.
    pub fn heads(&self) -> Vec<String> {
        let first = &self.reports[0];
        let one_place = self.reports.iter().all(|r| r.backend == first.backend);
        let one_engine = one_place && self.reports.iter().all(|r| r.engine == first.engine);
        let engine = |r: &Report| match one_place {
            true => format!("{} {}", r.engine.kind, r.engine.version),
            false => format!("{} {} ({})", r.engine.kind, r.engine.version, r.backend),
        };
        let head = |(r, value): (&Report, &Option<String>)| match value {
            Some(value) if one_engine => value.clone(),
            Some(value) => format!("{}, {value}", engine(r)),
            None => engine(r),
        };
        self.reports.iter().zip(self.values).map(head).collect()
    }

    fn rows(&self) -> Vec<MeasureRow> {
        let shown = CATALOGUE
            .iter()
            .filter(|known| known.side_by_side && self.reports.iter().any(|r| r.has(known.name)));
        let row = |known: &'static Known| MeasureRow {
            name: known.name,
            about: known.about,
            values: self.reports.iter().map(|r| r.show(known.name)).collect(),
            change: None,
        };
        methods(self.reports.iter()).into_iter().chain(shown.map(row)).collect()
    }

    fn table(&self) -> Table {
        let mut columns = vec![Column::text("")];
        columns.extend(self.heads().into_iter().map(Column::figure));
        let verdict = |r: &Report| {
            let text = format!("{} {}", mark(r.verdict), r.verdict);
            Cell { tone: Some(r.verdict), ..Cell::from(text) }
        };
        let mut rows = vec![vec![Cell::from("verdict")]];
        rows[0].extend(self.reports.iter().map(verdict));
        rows.extend(self.rows().iter().map(MeasureRow::cells));
        Table { columns, rows }
    }

    /// For a terminal.
    pub fn text(&self, colour: bool) -> String {
        let ink = Ink { colour };
        format!("\n  {}\n\n{}", ink.bold(&self.title()), text::table(&self.table(), ink))
    }

    /// For a pull request.
    pub fn markdown(&self) -> String {
        let mut page = Page(String::new());
        page.line(&format!("## {}: {}\n", escape(&self.title()), self.verdict()));
        page.table(&self.table());
        page.0
    }

    /// For programs: the complete reports.
    pub fn json(&self) -> String {
        let (scenario, verdict) = (&self.reports[0].scenario, self.verdict());
        let reports = self.reports;
        let whole = json!({ "schema": SCHEMA, "scenario": scenario, "verdict": verdict, "reports": reports });
        format!("{whole}\n")
    }

    /// The page, which belongs beside the run folders.
    ///
    /// # Errors
    /// The template cannot be rendered.
    pub fn page(&self) -> Result<String, ReportError> {
        let columns = self.reports.iter().zip(self.heads()).map(|(r, head)| RunColumn {
            head,
            link: Some(link(r)),
            verdict: r.verdict,
            why: &r.why,
        });
        let first = &self.reports[0];
        let page = SideBySide {
            title: self.title(),
            lead: &first.summary,
            verdict: Some(self.verdict()),
            differences: &[],
            columns: columns.collect(),
            rows: &self.rows(),
            bars: bars(self.heads().into_iter().zip(self.reports)),
            changes: false,
        };
        page.page()
    }
}
