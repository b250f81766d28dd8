//! One scenario on several engines: what it came to on each, side by side.

use serde::Serialize;

use crate::model::Verdict;
use crate::model::catalogue::{CATALOGUE, Known};

use super::data::{Report, SCHEMA};
use super::error::ReportError;
use super::markdown::{Page, escape};
use super::side_by_side::{Column, Row, SideBySide, bars, methods};
use super::suite::link;
use super::text::{Ink, mark};

/// The names of the files that a matrix leaves beside its run folders.
pub mod file {
    pub const HTML: &str = "index.html";
    pub const MARKDOWN: &str = "matrix.md";
    pub const JSON: &str = "matrix.json";
}

/// Drills of one scenario. Never empty.
pub struct Matrix<'a> {
    reports: &'a [Report],
    /// What each was played with.
    values: &'a [Option<String>],
    /// The key whose values they are.
    over: Option<&'a str>,
}

impl<'a> Matrix<'a> {
    /// `reports` are of one scenario, each on another engine, or with another of `values` for
    /// the key `over`; `None` if there are none.
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

    /// `redis 8.0.2`, and where it ran if not all ran there; with what it was played, or only
    /// that where the engine is the same everywhere.
    fn heads(&self) -> Vec<String> {
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

    fn verdicts(&self) -> Vec<String> {
        self.reports.iter().map(|r| format!("{} {}", mark(r.verdict), r.verdict)).collect()
    }

    fn rows(&self) -> Vec<Row> {
        let shown = CATALOGUE
            .iter()
            .filter(|known| known.side_by_side && self.reports.iter().any(|r| r.has(known.name)));
        let row = |known: &'static Known| Row {
            name: known.name,
            about: known.about,
            values: self.reports.iter().map(|r| r.show(known.name)).collect(),
            change: None,
        };
        methods(self.reports.iter()).into_iter().chain(shown.map(row)).collect()
    }

    /// Everything below each other: a heading and one line for each row.
    fn table(&self) -> Vec<(String, Vec<String>)> {
        let mut table =
            vec![(String::new(), self.heads()), ("verdict".to_owned(), self.verdicts())];
        table.extend(self.rows().into_iter().map(|row| (row.name.to_owned(), row.values)));
        table
    }

    /// For a terminal.
    pub fn text(&self, colour: bool) -> String {
        let table = self.table();
        let columns = self.reports.len();
        let widest = table.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = table.iter().map(|(_, cells)| cells[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let ink = Ink { colour };
        let mut text = format!("\n  {}\n\n", ink.bold(&self.title()));
        for (i, (name, cells)) in table.iter().enumerate() {
            let cells = cells.iter().zip(&widths).map(|(cell, &width)| format!("  {cell:>width$}"));
            let line = format!("  {name:<widest$}{}", cells.collect::<String>());
            let line = line.trim_end();
            text.push_str(&if i == 0 { ink.bold(line) } else { line.to_owned() });
            text.push('\n');
        }
        text
    }

    /// For a pull request.
    pub fn markdown(&self) -> String {
        let mut page = Page(String::new());
        page.line(&format!("## {}: {}\n", escape(&self.title()), self.verdict()));
        let mut table = self.table().into_iter();
        let (_, heads) = table.next().unwrap_or_default();
        let heads: Vec<&str> =
            std::iter::once("").chain(heads.iter().map(String::as_str)).collect();
        page.table(&heads, table.map(|(name, cells)| [vec![name], cells].concat()));
        page.0
    }

    /// For programs: the reports, whole.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'a> {
            schema: u32,
            scenario: &'a str,
            verdict: Verdict,
            reports: &'a [Report],
        }
        let (scenario, verdict) = (&*self.reports[0].scenario, self.verdict());
        let whole = Whole { schema: SCHEMA, scenario, verdict, reports: self.reports };
        format!("{}\n", serde_json::json!(whole))
    }

    /// The page, to be put beside the run folders.
    ///
    /// # Errors
    /// If the template cannot be rendered.
    pub fn page(&self) -> Result<String, ReportError> {
        let columns = self.reports.iter().zip(self.heads()).map(|(r, head)| Column {
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
            rows: self.rows(),
            bars: bars(self.heads().into_iter().zip(self.reports)),
            changes: false,
        };
        page.page()
    }
}
