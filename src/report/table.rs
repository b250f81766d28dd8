//! What is shown in rows and columns, whatever the format. The formats only draw it.

use crate::model::measure::thousands;
use crate::model::{Unit, Verdict};

/// A table with a heading. Whoever shows it leaves it out where it has no rows.
pub(super) struct Section {
    /// Its anchor on the page.
    pub id: &'static str,
    pub title: &'static str,
    /// What a reader should know first. The page alone has it.
    pub hint: &'static str,
    /// Shown to those who ask for it.
    pub folded: bool,
    /// The terminal shows it as well.
    pub brief: bool,
    pub table: Table,
}

pub(super) struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

pub(super) struct Column {
    pub head: String,
    on: On,
    /// A terminal has no room for it.
    wide: bool,
    /// It holds text, and not figures.
    pub text: bool,
    /// Its text may need several lines.
    pub wraps: bool,
}

/// Where a column is shown: a page has room for figures apart that a text puts together, and a
/// terminal has less than a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    All,
    Page,
    Text,
    Terminal,
}

#[derive(Clone, Default)]
pub(super) struct Cell {
    pub shown: String,
    /// What is copied into a spreadsheet: the figure alone.
    pub raw: Option<String>,
    /// Lines below, and whether they tell of an error.
    pub below: Vec<(String, bool)>,
    /// It is a name that is written in files.
    pub code: bool,
    pub tone: Option<Verdict>,
    /// The shard whose colour stands before it.
    pub shard: Option<u32>,
}

/// What stands where there is nothing to be told.
pub(super) const NOTHING: &str = "–";

impl Column {
    pub fn text(head: impl Into<String>) -> Column {
        Column { head: head.into(), on: On::All, wide: false, text: true, wraps: false }
    }

    pub fn sentence(head: impl Into<String>) -> Column {
        Column { wraps: true, ..Column::text(head) }
    }

    pub fn figure(head: impl Into<String>) -> Column {
        Column { head: head.into(), on: On::All, wide: false, text: false, wraps: false }
    }

    pub fn only(self, on: On) -> Column {
        Column { on, ..self }
    }

    pub fn wide(self) -> Column {
        Column { wide: true, ..self }
    }

    fn is_on(&self, on: On) -> bool {
        match on {
            On::Terminal => !self.wide && matches!(self.on, On::All | On::Text),
            on => [On::All, on].contains(&self.on),
        }
    }
}

impl Table {
    /// The cells of a row, each with its column.
    pub fn cells<'a>(
        &'a self,
        row: &'a impl AsRef<[Cell]>,
    ) -> impl Iterator<Item = (&'a Column, &'a Cell)> {
        self.columns.iter().zip(row.as_ref())
    }

    /// Without the columns that are shown elsewhere only.
    pub fn on(self, on: On) -> Table {
        let kept: Vec<bool> = self.columns.iter().map(|column| column.is_on(on)).collect();
        let rows = self.rows.into_iter().map(|row| keep(row, &kept)).collect();
        Table { columns: keep(self.columns, &kept), rows }
    }
}

fn keep<T>(all: Vec<T>, kept: &[bool]) -> Vec<T> {
    all.into_iter().zip(kept).filter(|(_, kept)| **kept).map(|(one, _)| one).collect()
}

impl Cell {
    pub fn code(name: &str) -> Cell {
        Cell { code: true, ..Cell::from(name) }
    }

    pub fn count(n: Option<u64>) -> Cell {
        Cell::figure(n.map(|n| n as f64), Unit::Count, 0)
    }

    /// Copied with so many decimals.
    pub fn figure(value: Option<f64>, unit: Unit, decimals: usize) -> Cell {
        let raw = value.map(|value| format!("{value:.decimals$}")).unwrap_or_default();
        Cell { raw: Some(raw), ..Cell::from(show(value, unit)) }
    }

    /// `before → after`, or once if it is the same.
    pub fn change(before: Option<f64>, after: Option<f64>, unit: Unit) -> Cell {
        Cell::from(match (before, after) {
            (Some(before), Some(after)) if before != after => {
                format!("{} → {}", unit.show(before), unit.show(after))
            }
            (before, after) => show(after.or(before), unit),
        })
    }
}

pub(super) fn show(value: Option<f64>, unit: Unit) -> String {
    value.map_or(NOTHING.to_owned(), |value| unit.show(value))
}

pub(super) fn count(n: u64) -> String {
    thousands(n as f64)
}

impl From<String> for Cell {
    fn from(shown: String) -> Cell {
        Cell { shown, ..Cell::default() }
    }
}

impl From<&str> for Cell {
    fn from(shown: &str) -> Cell {
        Cell::from(shown.to_owned())
    }
}
