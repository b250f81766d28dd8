//! `report.md`, for a pull request.

use crate::model::{Unit, Verdict, printable};

use super::data::Report;
use super::error::ReportError;
use super::figures::{self, Figure};
use super::sections;
use super::table::{Cell, Column, On, Section, Table};
use super::text::ASIDE;

/// The text of `report.md`.
///
/// # Errors
/// None today; all formats have the same signature.
pub fn render(report: &Report) -> Result<String, ReportError> {
    let mut page = Page(String::new());
    head(&mut page, report);
    expectations(&mut page, report);
    figures(&mut page, report);
    failovers(&mut page, report);
    for section in sections::sections(report, On::Text) {
        page.table(&section.table);
    }
    findings(&mut page, report);
    folded(&mut page, &sections::measures(report));
    Ok(page.0)
}

/// A Markdown page that grows.
pub(super) struct Page(pub String);

impl Page {
    pub fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Nothing if it has no rows.
    pub fn table(&mut self, table: &Table) {
        if table.rows.is_empty() {
            return;
        }
        let heads: Vec<String> = table.columns.iter().map(|column| prose(&column.head)).collect();
        self.line(&format!("| {} |", heads.join(" | ")));
        let rule = table.columns.iter().map(|column| if column.text { "---" } else { "--:" });
        self.line(&format!("|{}|", rule.collect::<Vec<_>>().join("|")));
        for row in &table.rows {
            let cells: Vec<String> = row.iter().map(cell).collect();
            self.line(&format!("| {} |", cells.join(" | ")));
        }
        self.line("");
    }
}

fn cell(cell: &Cell) -> String {
    let shown = if cell.code { format!("`{}`", cell.shown) } else { cell.shown.clone() };
    let below = cell.below.iter().map(|(line, _)| format!("<br>{}", prose(line)));
    prose(&shown) + &below.collect::<String>()
}

/// Text that Markdown shows unchanged, also in a table.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A sentence: text between backticks is shown as code, the rest unchanged.
pub(super) fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let quotes = || parts.iter().skip(1).step_by(2);
    // Nothing can be escaped within code. An odd number of backticks, doubled ones and
    // characters that would end a table's cell are shown unchanged instead.
    let whole = parts.len() % 2 == 1 && parts.iter().skip(1).rev().skip(1).all(|p| !p.is_empty());
    if !whole || quotes().any(|quoted| quoted.contains('|')) {
        return escape(text);
    }
    let show = |(i, part): (usize, &&str)| match i % 2 {
        0 => escape(part),
        _ => format!("`{}`", printable(part)),
    };
    parts.iter().enumerate().map(show).collect()
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Unknown => "❔",
    }
}

fn head(page: &mut Page, r: &Report) {
    let name = escape(&r.scenario);
    page.line(&format!("## {} {name}: {}", mark(r.verdict), r.verdict));
    page.line("");
    page.line(&escape(&r.summary));
    page.line("");
    if let Some(busy) = &r.busy {
        page.line(&format!("> {}", prose(busy)));
        page.line("");
    }
    for why in &r.why {
        page.line(&format!("- {}", prose(why)));
    }
    if !r.why.is_empty() {
        page.line("");
    }
    for crash in &r.crashes {
        page.line(&format!("The last lines of `{}`:", crash.log_path()));
        page.line("");
        crash.log.iter().for_each(|line| page.line(&format!("    {}", printable(line))));
        page.line("");
    }
    if !r.logged.is_empty() {
        page.line("Lines of servers' logs that may explain it:");
        page.line("");
        for line in &r.logged {
            let times =
                if line.count > 1 { format!("{} times: ", line.count) } else { String::new() };
            page.line(&format!("    {} {times}{}", line.node, printable(&line.text)));
        }
        page.line("");
    }
    let about = format!(
        "{} on {} {} ({}), seed {}, {}, took {}; instants count from the load's start",
        r.topology.name,
        r.engine.kind,
        r.engine.version,
        r.backend,
        r.seed,
        r.started,
        Unit::Millis.show(r.duration_ms)
    );
    page.line(&escape(&about));
    page.line("");
}

fn expectations(page: &mut Page, r: &Report) {
    let rows = r.expectations.iter().map(|judged| {
        vec![format!("{} {}", mark(judged.verdict), judged.text).into(), judged.shown().into()]
    });
    let columns = vec![Column::text("Expectation"), Column::figure("Measured")];
    page.table(&Table { columns, rows: rows.collect() });
}

fn figures(page: &mut Page, r: &Report) {
    let row = |figure: &Figure| {
        let notes = figure.notes.join(" · ");
        vec![figure.title.into(), figure.value.clone().into(), notes.into()]
    };
    let columns = vec![Column::text(""), Column::figure(""), Column::text("")];
    page.table(&Table { columns, rows: figures::figures(r).iter().map(row).collect() });
    if let Some(latency) = sections::latency(r) {
        page.table(&latency);
    }
}

/// If there were any.
fn failovers(page: &mut Page, r: &Report) {
    let rows = r.failovers.iter().map(|f| vec![f.title().into(), f.story().into()]);
    let columns = vec![Column::text("Failover"), Column::text("")];
    page.table(&Table { columns, rows: rows.collect() });
}

fn findings(page: &mut Page, r: &Report) {
    for finding in &r.findings {
        let (mark, aside) = match r.set_aside(finding) {
            Some(why) => (ASIDE, format!(" ({})", prose(&why))),
            None => (mark(finding.verdict), String::new()),
        };
        page.line(&format!("- {mark} {}{aside}", prose(&finding.text)));
        for example in finding.examples.iter().take(5) {
            page.line(&format!("  - {}", prose(&example.text)));
        }
    }
    for warning in r.warnings_by_kind() {
        page.line(&format!("- ⚠️ {}", prose(&warning)));
    }
    if !(r.findings.is_empty() && r.warnings.is_empty()) {
        page.line("");
    }
}

/// Shown to those who ask for it.
fn folded(page: &mut Page, section: &Section) {
    page.line(&format!("<details><summary>{}</summary>", section.title));
    page.line("");
    page.table(&section.table);
    page.line("</details>");
}

#[cfg(test)]
mod tests {
    use super::prose;

    #[test]
    fn what_is_quoted_is_code_and_nothing_else_is_markup() {
        assert_eq!(prose("`a_b <= 5` is *not* <b>"), "`a_b <= 5` is \\*not\\* &lt;b>");
        assert_eq!(prose("`a` and `b`"), "`a` and `b`");
        for (odd, shown) in [
            ("a ` b", "a \\` b"),
            ("``a`` `<i>`", "\\`\\`a\\`\\` \\`&lt;i>\\`"),
            ("`a|b`", "\\`a\\|b\\`"),
        ] {
            assert_eq!(prose(odd), shown);
        }
        assert_eq!(prose("`a\x1bb`\x1b"), "`a\u{fffd}b`\u{fffd}");
    }
}
