//! The summary on the terminal when a drill has ended.

use crate::model::measure::thousands;
use crate::model::{Unit, Verdict, printable};

use super::data::{Quantiles, Report};
use super::figures::{self, Tone};
use super::file;
use super::judge::other_reasons;
use super::sections;
use super::table::{Cell, Column, Table, show};

/// Spaces before everything but the first lines.
const INDENT: &str = "  ";
/// Columns of a row's label.
const LABEL: usize = 23;
/// Columns of a figure in a table, at least.
const FIGURE: usize = 10;
/// The longest list of warnings.
const WARNINGS: usize = 8;

/// The report in a few lines. `width` is that of the terminal in columns; `colour` asks for
/// ANSI colours.
pub fn summary(report: &Report, width: usize, colour: bool) -> String {
    let mut page = Page { width: width.clamp(40, 100), ink: Ink { colour }, text: String::new() };
    page.head(report);
    page.expectations(report);
    page.figures(report);
    page.failovers(report);
    page.latency(report);
    page.loads(report);
    page.notes(report);
    page.foot(report);
    page.text
}

/// ANSI colours, or none.
#[derive(Clone, Copy)]
pub(crate) struct Ink {
    pub colour: bool,
}

impl Ink {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub fn verdict(self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Pass => "32",
            Verdict::Unknown => "33",
            Verdict::Fail => "31",
        };
        self.paint(code, text)
    }
}

/// The mark of a finding that does not count.
pub(crate) const ASIDE: &str = "–";

/// `✓`, `✗` or `?`.
pub(crate) fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Unknown => "?",
    }
}

struct Page {
    width: usize,
    ink: Ink,
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn title(&mut self, title: &str) {
        self.line("");
        let title = self.ink.bold(title);
        self.line(&format!("{INDENT}{title}"));
    }

    /// `label` in a column of its own, then `text` in as many lines as it needs. A label that is
    /// too long for its column has a line of its own.
    fn told(&mut self, label: &str, text: &str, tone: Option<Verdict>) {
        let room = self.width.saturating_sub(LABEL + 2 * INDENT.len());
        let mut label = printable(label);
        if label.chars().count() >= LABEL {
            self.line(&format!("{INDENT}{INDENT}{}", self.ink.dim(&label)));
            label.clear();
        }
        for line in wrap(text, room) {
            let head = self.ink.dim(&format!("{:<LABEL$}", std::mem::take(&mut label)));
            let line = tone.map_or(line.clone(), |tone| self.ink.verdict(tone, &line));
            self.line(&format!("{INDENT}{INDENT}{head}{line}"));
        }
    }

    /// Text broken into lines at spaces.
    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        let room = self.width.saturating_sub(first.chars().count());
        for (i, line) in wrap(text, room).into_iter().enumerate() {
            let start = if i == 0 { first } else { rest };
            self.line(&format!("{start}{line}"));
        }
    }

    fn head(&mut self, r: &Report) {
        let word = format!("{} {}", mark(r.verdict), r.verdict.as_str().to_uppercase());
        let took = Unit::Millis.show(r.duration_ms);
        let ran = &r.backend;
        let (engine, topology) = (&r.engine, &r.topology.name);
        let about = format!("{} {} · {topology} · {ran} · {took}", engine.kind, engine.version);
        let used = INDENT.len() + word.chars().count() + 2 + r.scenario.chars().count();
        let gap = self.width.saturating_sub(used + about.chars().count()).max(2);
        let word = self.ink.bold(&self.ink.verdict(r.verdict, &word));
        let (name, about) = (self.ink.bold(&printable(&r.scenario)), self.ink.dim(&about));
        self.line(&format!("{INDENT}{word}  {name}{}{about}", " ".repeat(gap)));
        self.wrapped(INDENT, INDENT, &r.summary);
        // The results of expectations follow below.
        let reasons = other_reasons(r);
        if !reasons.is_empty() {
            self.line("");
        }
        for why in reasons {
            self.wrapped("  · ", "    ", why);
        }
    }

    fn expectations(&mut self, r: &Report) {
        if r.expectations.is_empty() {
            return;
        }
        self.title("Expectations");
        let widest = r.expectations.iter().map(|e| e.text.chars().count()).max().unwrap_or(0);
        for judged in &r.expectations {
            let mark = self.ink.verdict(judged.verdict, mark(judged.verdict));
            let value = self.ink.bold(&format!("{:>11}", judged.shown()));
            self.line(&format!(
                "{INDENT}{INDENT}{mark} {:<widest$}  {value}",
                printable(&judged.text)
            ));
        }
    }

    /// Those of latency stand in a table of their own.
    fn figures(&mut self, r: &Report) {
        let figures = figures::figures(r);
        if figures.is_empty() {
            return;
        }
        self.title("What clients felt");
        for figure in figures.iter().filter(|figure| !figure.in_table) {
            let text = [&[figure.value.clone()][..], &figure.notes].concat().join(" · ");
            let bad = (figure.tone == Tone::Bad).then_some(Verdict::Fail);
            self.told(figure.title, &text, bad);
        }
    }

    fn failovers(&mut self, r: &Report) {
        if r.failovers.is_empty() {
            return;
        }
        self.title("Failover");
        for failover in &r.failovers {
            self.line(&format!("    {}", failover.title()));
            self.wrapped("      ", "      ", &failover.story());
        }
    }

    fn latency(&mut self, r: &Report) {
        let Some(latency) = sections::latency(r) else { return };
        self.line("");
        self.text.push_str(&table(&latency, self.ink, INDENT));
        if let Some(share) = r.value("errors.share").filter(|share| *share >= 1.0) {
            let text = format!("of the {:.1} % of operations that were answered", 100.0 - share);
            self.line(&format!("{INDENT}{}", self.ink.dim(&text)));
        }
        let late = format!("redrill itself sent late: p99 {}", r.show("schedule.late.p99"));
        self.line(&format!("{INDENT}{}", self.ink.dim(&late)));
    }

    /// Below each other: side by side they need more room than a terminal has.
    fn loads(&mut self, r: &Report) {
        if r.loads.len() < 2 || r.loads.iter().all(|load| load.figures.operations == 0) {
            return;
        }
        self.title("By load");
        for load in &r.loads {
            let f = &load.figures;
            let [all, answered, errors] =
                [f.operations, f.answered, f.errors].map(|n| thousands(n as f64));
            let word = if f.errors == 1 { "error" } else { "errors" };
            let counts = format!("{all} operations, {answered} answered, {errors} {word}");
            let spans = |quantile: fn(&Quantiles) -> Option<f64>| {
                let told = f.spans().map(|span| show(quantile(span), Unit::Millis));
                match (&told, r.has("latency.p99.during")) {
                    ([before, ..], false) => before.clone(),
                    ([before, during, after], true) => {
                        format!("{before} before, {during} during, {after} after")
                    }
                }
            };
            let [p50, p99] = [spans(|q| q.p50_ms), spans(|q| q.p99_ms)];
            self.told(&load.name, &counts, None);
            self.told("", &format!("p50 {p50}"), None);
            self.told("", &format!("p99 {p99}"), None);
        }
    }

    fn notes(&mut self, r: &Report) {
        if r.warnings.is_empty() {
            return;
        }
        self.title("Warnings");
        let warnings = r.warnings_by_kind();
        for warning in warnings.iter().take(WARNINGS) {
            self.wrapped("    ! ", "      ", warning);
        }
        if let Some(more @ 1..) = warnings.len().checked_sub(WARNINGS) {
            self.line(&format!("    and {more} more in the report"));
        }
    }

    fn foot(&mut self, r: &Report) {
        self.line("");
        let own = match (r.value("redrill.cpu"), r.value("redrill.memory.max")) {
            (Some(_), Some(_)) => format!(
                "redrill itself used {} of a core and {}",
                r.show("redrill.cpu"),
                r.show("redrill.memory.max")
            ),
            _ => String::new(),
        };
        if !own.is_empty() {
            let own = self.ink.dim(&own);
            self.line(&format!("{INDENT}{own}"));
        }
        let page = r.folder.join(file::HTML);
        let (label, page) = (self.ink.dim("report"), page.display().to_string());
        // On a separate line, a long path has more room before a terminal breaks it.
        let room = self.width.saturating_sub("  report  ".len());
        let gap = if page.chars().count() <= room { "  " } else { "\n" };
        self.line(&format!("{INDENT}{label}{gap}{page}"));
    }
}

/// A table: text on the left, figures on the right of their columns.
pub(super) fn table(table: &Table, ink: Ink, indent: &str) -> String {
    let shown = |row: &[Cell]| row.iter().map(|cell| printable(&cell.shown)).collect();
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| shown(row)).collect();
    let widths = table.columns.iter().enumerate().map(|(at, column)| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        let widest = cells.chain([column.head.chars().count()]).max().unwrap_or(0);
        if column.text { widest } else { widest.max(FIGURE) }
    });
    let widths: Vec<usize> = widths.collect();
    let padded = |at: usize, text: &str| match (at, table.columns[at].text) {
        (0, _) => format!("{text:<0$}", widths[0]),
        (_, true) => format!("  {text:<0$}", widths[at]),
        (_, false) => format!("  {text:>0$}", widths[at]),
    };
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        text.push_str(format!("{indent}{}", cells.concat()).trim_end());
        text.push('\n');
    };
    let head = |(at, column): (usize, &Column)| match at {
        0 => ink.bold(&padded(0, &column.head)),
        _ => ink.dim(&padded(at, &column.head)),
    };
    line(table.columns.iter().enumerate().map(head).collect());
    for (row, shown) in table.rows.iter().zip(&rows) {
        let cell = |(at, text): (usize, &String)| match row[at].tone {
            Some(tone) => ink.verdict(tone, &padded(at, text)),
            None => padded(at, text),
        };
        line(shown.iter().enumerate().map(cell).collect());
    }
    text
}

/// Breaks `text` at spaces into lines of at most `room` characters. A longer word is alone on
/// its line.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in printable(text).split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
