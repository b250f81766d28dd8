//! The summary on the terminal when a drill has ended.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use crate::model::{Unit, Verdict, printable};

use super::data::Report;
use super::figures::{self, filled};
use super::file;
use super::judge::other_reasons;
use super::sections;
use super::table::{Cell, Column, On, Table};

/// Spaces before everything but the first lines.
const INDENT: &str = "  ";
/// Columns of a row's label.
const LABEL: usize = 23;
/// Columns of a figure in a table, at least.
const FIGURE: usize = 10;
/// So many lines of logs are shown.
const LOGGED: usize = 6;
/// Of so many crashes the logs are shown.
const CRASHES: usize = 3;
/// The longest list of warnings.
const WARNINGS: usize = 8;

/// The report in a few lines. `width` is that of the terminal in columns; `colour` asks for
/// ANSI colours.
pub fn summary(report: &Report, width: usize, colour: bool) -> String {
    let mut page = Page { width: width.clamp(40, 100), ink: Ink { colour }, text: String::new() };
    page.head(report);
    page.logged(report);
    page.expectations(report);
    page.figures(report);
    page.failovers(report);
    page.latency(report);
    page.tables(report);
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
        for line in wrap(text, room, "", "") {
            let head = self.ink.dim(&format!("{:<LABEL$}", std::mem::take(&mut label)));
            let line = tone.map_or(line.clone(), |tone| self.ink.verdict(tone, &line));
            self.line(&format!("{INDENT}{INDENT}{head}{line}"));
        }
    }

    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        wrap(text, self.width, first, rest).iter().for_each(|line| self.line(line));
    }

    fn head(&mut self, r: &Report) {
        let word = format!("{} {}", mark(r.verdict), r.verdict.word().to_uppercase());
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
        if let Some(busy) = &r.busy {
            self.line("");
            self.wrapped("  ! ", "    ", busy);
        }
        // The results of expectations follow below.
        let reasons = other_reasons(r);
        if !reasons.is_empty() {
            self.line("");
        }
        for why in reasons {
            self.wrapped("  · ", "    ", why);
        }
        for crash in r.crashes.iter().take(CRASHES) {
            self.wrapped("    ", "    ", &format!("the last lines of {}:", crash.log_path()));
            crash.log.iter().for_each(|line| self.line(&format!("    | {}", printable(line))));
        }
    }

    /// What servers logged, where it may explain why a drill did not pass.
    fn logged(&mut self, r: &Report) {
        if r.verdict == Verdict::Pass || r.logged.is_empty() {
            return;
        }
        self.title("What servers logged");
        for line in r.logged.iter().take(LOGGED) {
            let times =
                if line.count > 1 { format!(" ({} times)", line.count) } else { String::new() };
            let text = format!("{} {}{times}", line.node, printable(&line.text));
            self.wrapped(INDENT, "      ", &text);
        }
        if r.logged.len() > LOGGED {
            let more = r.logged.len() - LOGGED;
            self.line(&format!("    and {more} more lines like these, in report.json"));
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
            let bad = figure.tone.filter(|tone| *tone == Verdict::Fail);
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
        self.text.push_str(&table(&latency, self.ink));
        if let Some(share) = r.value("errors.share").filter(|share| *share >= 1.0) {
            let text = format!("{share:.1} % failed, and count as at least their time-out");
            self.line(&format!("{INDENT}{}", self.ink.dim(&text)));
            let good = filled(
                r,
                "p99 of good answers alone: {latency.answered.p99.during?} during the steps",
            );
            good.into_iter()
                .for_each(|good| self.line(&format!("{INDENT}{}", self.ink.dim(&good))));
        }
        for note in ["redrill itself sent late: p99 {schedule.late.p99?}", "{closed loads}"] {
            if let Some(note) = filled(r, note) {
                self.line(&format!("{INDENT}{}", self.ink.dim(&note)));
            }
        }
    }

    /// The tables for which a terminal has room.
    fn tables(&mut self, r: &Report) {
        let sections = sections::sections(r, On::Terminal);
        for section in sections.iter().filter(|section| section.brief) {
            self.line("");
            self.text.push_str(&table(&section.table, self.ink));
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
        let own = "redrill itself used {redrill.cpu} of a core and {redrill.memory.max?}";
        if let Some(own) = filled(r, own) {
            self.line(&format!("{INDENT}{}", self.ink.dim(&own)));
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
pub(super) fn table(table: &Table, ink: Ink) -> String {
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
        text.push_str(format!("{INDENT}{}", cells.concat()).trim_end());
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

/// `3 ✓ pass, 1 ? unknown`
pub(crate) fn counts(verdicts: &[Verdict], ink: Ink) -> String {
    let counts = Verdict::count(verdicts.iter().copied());
    let shown = |(verdict, n)| ink.verdict(verdict, &format!("{n} {} {verdict}", mark(verdict)));
    counts.map(shown).collect::<Vec<_>>().join(", ")
}

/// `text` in lines of at most `width` columns, broken at spaces. The first begins with `first`
/// and the others with `rest`. A word that is too long is alone on its line.
pub(crate) fn wrap(text: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let words = printable(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = if words.is_empty() { Vec::new() } else { textwrap::wrap(&words, options) };
    lines.into_iter().map(|line| line.into_owned()).collect()
}
