//! Two runs side by side.

use crate::model::catalogue::{Better, CATALOGUE, Known};
use crate::model::event::EngineInfo;
use crate::model::{Unit, Verdict, printable};

use super::data::Report;
use super::error::ReportError;
use super::markdown::Page;
use super::side_by_side::{self, Run, SideBySide};
use super::table::{Cell, Column, Table};
use super::text::Ink;

/// A change smaller than this share of the first value counts as the same: two runs of one
/// scenario on an idle machine differ by as much. `run --repeat` shows how much yours differ.
const SAME: f64 = 0.05;
/// The same for measures that are shares themselves, in percentage points.
const SAME_POINTS: f64 = 1.0;

/// Two runs and how each measure changed from the first to the second.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub before: Side,
    pub after: Side,
    /// Other differences between the runs, so that a reader does not compare things that cannot
    /// be compared.
    pub differences: Vec<String>,
    pub rows: Vec<Row>,
}

/// The facts about one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    pub id: String,
    pub verdict: Verdict,
}

/// One measure of both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub name: &'static str,
    pub about: &'static str,
    pub unit: Unit,
    pub before: Option<f64>,
    pub after: Option<f64>,
    pub change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Better,
    Worse,
    /// Within 5 %.
    Same,
    /// It changed, and neither way is better.
    Different,
    /// One of the runs does not have it.
    Unknown,
}

/// Compares two runs; `after` is compared with `before`.
pub fn compare(before: &Report, after: &Report) -> Comparison {
    let rows = CATALOGUE.iter().filter(|known| before.has(known.name) || after.has(known.name));
    Comparison {
        before: Side { id: before.id.clone(), verdict: before.verdict },
        after: Side { id: after.id.clone(), verdict: after.verdict },
        differences: differences(before, after),
        rows: rows.map(|known| row(known, before, after)).collect(),
    }
}

fn row(known: &'static Known, before: &Report, after: &Report) -> Row {
    let (before, after) = (before.value(known.name), after.value(known.name));
    let change = match (before, after) {
        (Some(before), Some(after)) => change(known, before, after),
        _ => Change::Unknown,
    };
    Row { name: known.name, about: known.about, unit: known.unit, before, after, change }
}

fn change(known: &Known, before: f64, after: f64) -> Change {
    // A share of a share means little.
    let same = if known.unit == Unit::Percent { SAME_POINTS } else { before.abs() * SAME };
    if (after - before).abs() <= same {
        return Change::Same;
    }
    match (known.better, after < before) {
        (Better::Neither, _) => Change::Different,
        (Better::Lower, true) | (Better::Higher, false) => Change::Better,
        (Better::Lower, false) | (Better::Higher, true) => Change::Worse,
    }
}

fn differences(before: &Report, after: &Report) -> Vec<String> {
    let engine = |e: &EngineInfo| format!("{} {}", e.kind, e.version);
    let method = |r: &Report| r.method().unwrap_or_else(|| "nothing".to_owned());
    let loads = |r: &Report| r.loads.iter().map(|l| l.text.clone()).collect::<Vec<_>>().join("; ");
    [
        ("scenario", before.scenario.clone(), after.scenario.clone()),
        ("topology", before.topology.name.clone(), after.topology.name.clone()),
        ("engine", engine(&before.engine), engine(&after.engine)),
        ("backend", before.backend.clone(), after.backend.clone()),
        ("load", loads(before), loads(after)),
        ("slots moved by", method(before), method(after)),
        ("redrill", before.redrill.clone(), after.redrill.clone()),
        ("seed", before.seed.to_string(), after.seed.to_string()),
    ]
    .into_iter()
    .filter(|(_, a, b)| a != b)
    .map(|(what, a, b)| format!("{what}: {a} and {b}"))
    .collect()
}

impl Change {
    pub fn word(self) -> &'static str {
        match self {
            Change::Better => "better",
            Change::Worse => "worse",
            Change::Same => "same",
            Change::Different => "differs",
            Change::Unknown => "–",
        }
    }

    /// The verdict whose colour fits.
    fn tone(self) -> Option<Verdict> {
        match self {
            Change::Better => Some(Verdict::Pass),
            Change::Worse => Some(Verdict::Fail),
            _ => None,
        }
    }
}

impl Row {
    fn show(&self, value: Option<f64>) -> String {
        value.map_or("–".to_owned(), |value| self.unit.show(value))
    }

    pub fn shown_before(&self) -> String {
        self.show(self.before)
    }

    pub fn shown_after(&self) -> String {
        self.show(self.after)
    }

    /// `+12 %`, `×3.1`, or empty if a share means nothing.
    pub fn by(&self) -> String {
        match (self.before, self.after) {
            (Some(a), Some(b)) if a == b => String::new(),
            (Some(a), Some(b)) if self.unit == Unit::Percent => {
                format!("{:+.1} pp", b - a)
            }
            (Some(a), Some(b)) if a > 0.0 && b >= 3.0 * a => format!("×{:.1}", b / a),
            (Some(a), Some(b)) if a > 0.0 => format!("{:+.1} %", (b / a - 1.0) * 100.0),
            (Some(a), Some(b)) => {
                format!("{}{}", if b > a { "+" } else { "" }, self.show(Some(b - a)))
            }
            _ => String::new(),
        }
    }
}

impl Comparison {
    /// For the terminal.
    pub fn text(&self, width: usize, colour: bool) -> String {
        let ink = Ink { colour };
        let mut lines = Vec::new();
        for (label, side) in [("before", &self.before), ("after", &self.after)] {
            let verdict = ink.verdict(side.verdict, side.verdict.as_str());
            let (label, id) = (ink.dim(&format!("{label:<6}")), printable(&side.id));
            lines.push(format!("  {label}  {id}  {verdict}"));
        }
        for difference in &self.differences {
            let wrapped = super::text::wrap(difference, width.saturating_sub(4));
            lines.extend(wrapped.iter().enumerate().map(|(i, line)| {
                if i == 0 { format!("  ! {line}") } else { format!("    {line}") }
            }));
        }
        let lines: String = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect();
        format!("{lines}\n{}", super::text::table(&self.table(), ink, "  "))
    }

    fn table(&self) -> Table {
        let mut columns = vec![Column::text("measure")];
        columns.extend(["before", "after", "change"].map(Column::figure));
        columns.push(Column::text(""));
        let row = |row: &Row| {
            let word = Cell { tone: row.change.tone(), ..row.change.word().into() };
            let [before, after] = [row.shown_before(), row.shown_after()].map(Cell::from);
            vec![row.name.into(), before, after, row.by().into(), word]
        };
        Table { columns, rows: self.rows.iter().map(row).collect() }
    }

    /// For a pull request.
    pub fn markdown(&self) -> String {
        let mut page = Page(String::new());
        for difference in &self.differences {
            page.line(&format!("- ⚠️ {}", super::markdown::escape(difference)));
        }
        if !self.differences.is_empty() {
            page.line("");
        }
        let mut table = self.table();
        for (column, side) in [(1, &self.before), (2, &self.after)] {
            table.columns[column].head = format!("{} ({})", side.id, side.verdict);
        }
        page.table(&table);
        page.0
    }

    /// A separate page.
    ///
    /// # Errors
    /// The template cannot be rendered.
    pub fn html(&self) -> Result<String, ReportError> {
        let sides = [("before", &self.before), ("after", &self.after)];
        let columns = sides.map(|(when, side)| Run {
            head: format!("{when}: {}", side.id),
            link: None,
            verdict: side.verdict,
            why: &[],
        });
        let row = |row: &Row| side_by_side::Row {
            name: row.name,
            about: row.about,
            values: vec![row.shown_before(), row.shown_after()],
            change: Some(side_by_side::Change { by: row.by(), word: row.change.word() }),
        };
        let page = SideBySide {
            title: "Two runs side by side".to_owned(),
            lead: "",
            verdict: None,
            differences: &self.differences,
            columns: columns.into(),
            rows: self.rows.iter().map(row).collect(),
            bars: Vec::new(),
            changes: true,
        };
        page.page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalogue::known;

    fn change_of(name: &str, before: f64, after: f64) -> Change {
        change(known(name).unwrap(), before, after)
    }

    #[test]
    fn a_change_is_better_by_the_measures_own_direction() {
        assert_eq!(change_of("downtime.write.max", 100.0, 50.0), Change::Better);
        assert_eq!(change_of("reshard.keys.rate", 100.0, 50.0), Change::Worse);
        assert_eq!(change_of("reshard.keys", 100.0, 50.0), Change::Different);
        assert_eq!(change_of("latency.p99.during", 100.0, 104.9), Change::Same);
        assert_eq!(change_of("writes.lost", 0.0, 1.0), Change::Worse);
        assert_eq!(change_of("writes.lost", 0.0, 0.0), Change::Same);
    }

    #[test]
    fn no_name_drives_a_terminal() {
        let side = |id: &str| Side { id: id.to_owned(), verdict: Verdict::Pass };
        let (before, after) = (side("a\x1b[2J"), side("b\u{9b}"));
        let differences = vec!["scenario: a\x1b[2J and b".to_owned()];
        let comparison = Comparison { before, after, differences, rows: Vec::new() };
        let (text, markdown) = (comparison.text(80, false), comparison.markdown());
        assert!((text + &markdown).chars().all(|c| c == '\n' || !c.is_control()));
    }
}
