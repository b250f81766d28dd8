//! The results of several drills in a few lines: how many passed, and why the others did not.

use crate::model::{Verdict, printable};
use crate::report::Report;
use crate::report::suite::Entry;
use crate::report::text::{self, Ink, mark, wrap};

/// The longest list of reasons for one drill.
const REASONS: usize = 8;

/// The result of one drill.
pub struct DrillResult<'a> {
    pub name: &'a str,
    pub verdict: Verdict,
    pub why: Vec<&'a str>,
}

impl<'a> DrillResult<'a> {
    pub fn of_run(report: &'a Report) -> DrillResult<'a> {
        let why = report.why.iter().map(String::as_str).collect();
        DrillResult { name: &report.id, verdict: report.verdict, why }
    }

    pub fn of_suite(entry: &'a Entry) -> DrillResult<'a> {
        let why = match &entry.report {
            Some(report) => report.why.iter().map(String::as_str).collect(),
            None => entry.error.as_deref().into_iter().collect(),
        };
        DrillResult { name: &entry.scenario, verdict: entry.verdict, why }
    }
}

/// The results of those of `all` drills that were begun. `width` is in columns.
pub fn text(lines: &[DrillResult], all: usize, width: usize, colour: bool) -> String {
    let ink = Ink { colour };
    let mut text = String::new();
    for line in lines.iter().filter(|line| line.verdict != Verdict::Pass) {
        let verdict =
            ink.verdict(line.verdict, &format!("{} {}", mark(line.verdict), line.verdict));
        text.push_str(&format!("  {verdict}  {}\n", printable(line.name)));
        for why in line.why.iter().take(REASONS) {
            for line in wrap(why, width, "    · ", "      ") {
                text.push_str(&format!("{line}\n"));
            }
        }
        if let Some(more @ 1..) = line.why.len().checked_sub(REASONS) {
            text.push_str(&format!("    · and {more} more\n"));
        }
    }
    text + &counts(lines, all, ink)
}

/// `  3 ✓ pass, 1 ? unknown of 4`
fn counts(lines: &[DrillResult], all: usize, ink: Ink) -> String {
    let verdicts: Vec<Verdict> = lines.iter().map(|line| line.verdict).collect();
    let counts = text::counts(&verdicts, ink);
    let not_begun = all - lines.len();
    let not_begun = (not_begun > 0).then(|| format!("{not_begun} not begun"));
    let counts: Vec<String> =
        [counts].into_iter().chain(not_begun).filter(|t| !t.is_empty()).collect();
    format!("  {} of {all}\n", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_did_not_pass_says_why() {
        let line = |name, verdict, why| DrillResult { name, verdict, why };
        let lines = [
            line("one", Verdict::Pass, vec![]),
            line("two", Verdict::Fail, vec!["the bound\x1b does not hold", "it was slow"]),
            line("three", Verdict::Unknown, vec!["was late"]),
        ];
        let expected =
            "  ✗ fail  two\n    · the bound\u{fffd}\n      does not\n      hold\n    · it was slow
  ? unknown  three\n    · was late\n  1 ✓ pass, 1 ✗ fail, 1 ? unknown, 2 not begun of 5\n";
        assert_eq!(text(&lines, 5, 18, false), expected);
        assert_eq!(text(&lines[..1], 1, 80, false), "  1 ✓ pass of 1\n");
    }
}
