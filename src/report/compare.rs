//! Two runs side by side.

use crate::model::catalogue::{Better, CATALOGUE, Known};
use crate::model::event::EngineInfo;
use crate::model::{Unit, Verdict, printable};

use super::data::{Report, Step};
use super::error::ReportError;
use super::markdown::Page;
use super::side_by_side::{Change, MeasureRow, RunColumn, SideBySide};
use super::table::{Column, NOTHING, Table, show};
use super::text::{self, Ink};

/// A change smaller than this share of the first value counts as the same: two runs of one
/// scenario on an idle machine differ by as much. `run --repeat` shows how much yours differ.
const SAME: f64 = 0.05;
/// The same for measures that are shares themselves, in percentage points.
const SAME_POINTS: f64 = 1.0;

/// Two runs and how each measure changed from the first to the second.
#[derive(Debug)]
pub struct Comparison<'a> {
    before: &'a Report,
    after: &'a Report,
    /// Other differences between the runs, so that a reader does not compare things that cannot
    /// be compared.
    differences: Vec<String>,
    rows: Vec<MeasureRow>,
}

/// Compares two runs; `after` is compared with `before`.
pub fn compare<'a>(before: &'a Report, after: &'a Report) -> Comparison<'a> {
    let known = CATALOGUE.iter().filter(|known| before.has(known.name) || after.has(known.name));
    let rows = known.map(|known| row(known, before, after)).collect();
    Comparison { before, after, differences: differences(before, after), rows }
}

fn row(known: &'static Known, before: &Report, after: &Report) -> MeasureRow {
    let values = [before.value(known.name), after.value(known.name)];
    let (by, (word, tone)) = match values {
        [Some(before), Some(after)] => {
            (by(known.unit, before, after), change(known, before, after))
        }
        // One of the runs does not have it.
        _ => (String::new(), (NOTHING, None)),
    };
    let change = Some(Change { by, word, tone });
    let values = values.map(|value| show(value, known.unit)).into();
    MeasureRow { name: known.name, about: known.about, values, change }
}

/// How it changed in a word, and the verdict whose colour fits.
fn change(known: &Known, before: f64, after: f64) -> (&'static str, Option<Verdict>) {
    // A share of a share means little.
    let same = if known.unit == Unit::Percent { SAME_POINTS } else { before.abs() * SAME };
    if (after - before).abs() <= same {
        return ("same", None);
    }
    match (known.better, after < before) {
        (Better::Neither, _) => ("differs", None),
        (Better::Lower, true) | (Better::Higher, false) => ("better", Some(Verdict::Pass)),
        (Better::Lower, false) | (Better::Higher, true) => ("worse", Some(Verdict::Fail)),
    }
}

/// `+12 %`, `×3.1`, or empty if it did not change.
fn by(unit: Unit, before: f64, after: f64) -> String {
    let more = after - before;
    match before {
        _ if more == 0.0 => String::new(),
        _ if unit == Unit::Percent => format!("{more:+.1} pp"),
        before if before > 0.0 && after >= 3.0 * before => format!("×{:.1}", after / before),
        before if before > 0.0 => format!("{:+.1} %", (after / before - 1.0) * 100.0),
        _ => format!("{}{}", if more > 0.0 { "+" } else { "" }, unit.show(more)),
    }
}

fn differences(before: &Report, after: &Report) -> Vec<String> {
    let engine = |e: &EngineInfo| format!("{} {}", e.kind, e.version);
    let method = |r: &Report| r.method().unwrap_or_else(|| "nothing".to_owned());
    let loads = |r: &Report| r.loads.iter().map(|l| l.text.clone()).collect::<Vec<_>>().join("; ");
    let steps = |r: &Report| r.steps.iter().map(step).collect::<Vec<_>>().join("; ");
    let busy = |r: &Report| if r.busy.is_some() { "too busy at times" } else { "not too busy" };
    [
        ("scenario", before.scenario.clone(), after.scenario.clone()),
        ("topology", before.topology.name.clone(), after.topology.name.clone()),
        ("engine", engine(&before.engine), engine(&after.engine)),
        ("backend", before.backend.clone(), after.backend.clone()),
        ("load", loads(before), loads(after)),
        ("steps", steps(before), steps(after)),
        ("the machine was", busy(before).to_owned(), busy(after).to_owned()),
        ("slots moved by", method(before), method(after)),
        ("redrill", before.redrill.clone(), after.redrill.clone()),
        ("seed", before.seed.to_string(), after.seed.to_string()),
    ]
    .into_iter()
    .filter(|(_, a, b)| a != b)
    .map(|(what, a, b)| format!("{what}: {a} and {b}"))
    .collect()
}

/// `5,000 ms kill cache: primary of shard 1`; and the pace, if slots moved at one.
fn step(step: &Step) -> String {
    let text = format!("{} {}", Unit::Millis.show(step.planned_ms), step.text);
    match &step.pace {
        Some(kept) => format!("{text}, pace {}", kept.pace),
        None => text,
    }
}

impl Comparison<'_> {
    fn sides(&self) -> [(&'static str, &Report); 2] {
        [("before", self.before), ("after", self.after)]
    }

    /// For the terminal.
    pub fn text(&self, width: usize, colour: bool) -> String {
        let ink = Ink { colour };
        let side = |(label, r): (&str, &Report)| {
            let verdict = ink.verdict(r.verdict, r.verdict.word());
            format!("  {}  {}  {verdict}", ink.dim(&format!("{label:<6}")), printable(&r.id))
        };
        let mut lines: Vec<String> = self.sides().map(side).into();
        for difference in &self.differences {
            lines.extend(text::wrap(difference, width, "  ! ", "    "));
        }
        format!("{}\n\n{}", lines.join("\n"), text::table(&self.table(), ink))
    }

    fn table(&self) -> Table {
        let mut columns = vec![Column::text("measure")];
        columns.extend(["before", "after", "change"].map(Column::figure));
        columns.push(Column::text(""));
        Table { columns, rows: self.rows.iter().map(MeasureRow::cells).collect() }
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
        for (column, side) in [(1, self.before), (2, self.after)] {
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
        let columns = self.sides().map(|(when, r)| RunColumn {
            head: format!("{when}: {}", r.id),
            link: None,
            verdict: r.verdict,
            why: &[],
        });
        let page = SideBySide {
            title: "Two runs side by side".to_owned(),
            lead: "",
            verdict: None,
            differences: &self.differences,
            columns: columns.into(),
            rows: &self.rows,
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

    #[test]
    fn a_change_is_better_by_the_measures_own_direction() {
        let word = |name: &str, before, after| change(known(name).unwrap(), before, after).0;
        assert_eq!(word("downtime.write.max", 100.0, 50.0), "better");
        assert_eq!(word("reshard.keys.rate", 100.0, 50.0), "worse");
        assert_eq!(word("reshard.keys", 100.0, 50.0), "differs");
        assert_eq!(word("latency.p99.during", 100.0, 104.9), "same");
        assert_eq!(word("writes.lost", 0.0, 1.0), "worse");
        assert_eq!(word("writes.lost", 0.0, 0.0), "same");
    }

    #[test]
    fn runs_that_did_other_things_or_on_a_busy_machine_are_told_apart() {
        let before = crate::report::json::read("tests/pure/report/before.json".as_ref()).unwrap();
        let mut after = before.clone();
        after.steps[0].text = "kill everything".to_owned();
        after.busy = Some("The machine was too busy".to_owned());
        let text = compare(&before, &after).text(200, false);
        assert!(text.contains("  ! steps: ") && text.contains("kill everything"), "{text}");
        assert!(text.contains("  ! the machine was: not too busy and too busy at times"), "{text}");
        assert!(!compare(&before, &before).text(200, false).contains("  ! "), "the same run");
    }

    #[test]
    fn no_name_drives_a_terminal() {
        let before = crate::report::json::read("tests/pure/report/before.json".as_ref()).unwrap();
        let (id, scenario) = ("a\x1b[2J".to_owned(), "b\u{9b}".to_owned());
        let after = Report { id, scenario, ..before.clone() };
        let comparison = compare(&before, &after);
        let (text, markdown) = (comparison.text(80, false), comparison.markdown());
        assert!(text.contains("  ! scenario: "), "{text}");
        assert!((text + &markdown).chars().all(|c| c == '\n' || !c.is_control()));
    }
}
