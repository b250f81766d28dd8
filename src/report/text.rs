//! What the terminal shows when a drill has ended.

use crate::model::event::Moved;
use crate::model::measure::thousands;
use crate::model::{Unit, Verdict, printable};

use super::data::{Judged, Report};
use super::files::file;
use super::judge::other_reasons;
use super::{by_load, longest, met, side_by_side};

/// Spaces before everything but the first lines.
const INDENT: &str = "  ";
/// Columns of a row's label.
const LABEL: usize = 13;
/// So many shards' downtime fits in a line.
const SHARDS: usize = 3;
/// The longest list of warnings.
const WARNINGS: usize = 8;

/// The report in a few lines that a person understands at once. `width` is that of the
/// terminal in columns; `colour` asks for ANSI colours.
pub fn summary(report: &Report, width: usize, colour: bool) -> String {
    let mut page = Page { width: width.clamp(40, 100), ink: Ink { colour }, text: String::new() };
    page.head(report);
    page.expectations(report);
    page.felt(report);
    page.failovers(report);
    page.latency(report);
    page.loads(report);
    page.moved(report);
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

/// The mark of something wrong that does not count.
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

    /// `label` in a column of its own, then `text`.
    fn row(&mut self, label: &str, text: &str) {
        let label = self.ink.dim(&format!("{label:<LABEL$}"));
        self.line(&format!("{INDENT}{INDENT}{label}{text}"));
    }

    /// The same with a text that may need several lines.
    fn told(&mut self, label: &str, text: &str) {
        let room = self.width.saturating_sub(LABEL + 2 * INDENT.len());
        for (i, line) in wrap(text, room).iter().enumerate() {
            self.row(if i == 0 { label } else { "" }, line);
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
        // What an expectation comes to is told below.
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
        let shown = |judged: &Judged| match judged.value {
            Some(value) => judged.unit.show(value),
            None => "not known".to_owned(),
        };
        let widest = r.expectations.iter().map(|e| e.text.chars().count()).max().unwrap_or(0);
        for judged in &r.expectations {
            let mark = self.ink.verdict(judged.verdict, mark(judged.verdict));
            let value = self.ink.bold(&format!("{:>11}", shown(judged)));
            self.line(&format!(
                "{INDENT}{INDENT}{mark} {:<widest$}  {value}",
                printable(&judged.text)
            ));
        }
    }

    fn felt(&mut self, r: &Report) {
        self.title("What clients felt");
        let (write, read) = (r.show("downtime.write.max"), r.show("downtime.read.max"));
        let exact = self.ink.dim(&format!("(± {} ms)", r.probe.every_ms));
        self.row("downtime", &format!("writes {write} · reads {read}  {exact}"));
        let down: Vec<String> = r
            .shards
            .iter()
            .filter_map(|s| Some((s, s.downtime_write_max_ms.filter(|ms| *ms > 0.0)?)))
            .map(|(s, ms)| format!("{}/{} {}", s.group, s.shard, Unit::Millis.show(ms)))
            .collect();
        if (2..=SHARDS).contains(&down.len()) {
            self.row("by shard", &format!("writes {}", down.join(" · ")));
        }
        if let Some(longest) = longest::outage(r) {
            self.told("longest", &longest);
        }
        let aside =
            |name| r.measure_set_aside(name).map_or(String::new(), |why| format!(" ({why})"));
        if r.has("writes.lost") {
            let (lost, all) = (r.show("writes.lost"), r.show("writes.acknowledged"));
            let side = match r.value("writes.lost.wrong_side").filter(|count| *count > 0.0) {
                Some(count) => format!(", {} on a side that lost", thousands(count)),
                None => String::new(),
            };
            let lost = format!("{lost} of {all} acknowledged{side}{}", aside("writes.lost"));
            self.told("lost writes", &lost);
            let (stale, age) = (r.show("reads.stale"), r.value("reads.stale.age.max"));
            let age = age.filter(|age| *age > 0.0).map(|age| Unit::Millis.show(age));
            let age = age.map_or(String::new(), |age| format!(", by up to {age}"));
            self.told("stale reads", &format!("{stale}{age}{}", aside("reads.stale")));
        }
        if let Some(keys) = r.value("keys.not_linearizable") {
            let keys = match keys {
                0.0 => "every key".to_owned(),
                _ => format!("all but {} keys", thousands(keys)),
            };
            self.told("linearizable", &format!("{keys}{}", aside("keys.not_linearizable")));
        }
        for (workload, text) in r.by_workload() {
            self.told(workload, &text);
        }
        if let Some(count) = r.value("writes.under_replicated") {
            self.row("too few", &format!("{} changes had too few replicas", thousands(count)));
        }
        if r.has("errors.total") {
            let errors = match r.value("errors.total") {
                Some(0.0) => "none".to_owned(),
                None => r.show("errors.total"),
                Some(_) => format!(
                    "{} operations, {} of all",
                    r.show("errors.total"),
                    r.show("errors.share")
                ),
            };
            self.row("errors", &errors);
            met::errors(r).iter().for_each(|causes| self.row("", causes));
            met::detours(r).iter().for_each(|detours| self.row("on the way", detours));
        }
        if r.has("convergence") {
            let (all, view) = (r.show("convergence"), r.show("convergence.view"));
            self.row("convergence", &format!("{all} · {} {view}", r.agreed_on()));
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
        if !r.has("latency.p99.before") {
            return;
        }
        let steps = r.has("latency.p99.during");
        let columns: &[&str] = if steps { &["before", "during", "after"] } else { &["before"] };
        self.line("");
        let heads: String =
            columns.iter().map(|c| format!("{:>12}", if steps { c } else { "steady" })).collect();
        let title = self.ink.bold(&format!("{:<15}", "Latency"));
        let heads = self.ink.dim(&format!("{heads}{}", if steps { "   worst second" } else { "" }));
        self.line(&format!("{INDENT}{title}{heads}"));
        for (label, name) in
            [("p50", "latency.p50"), ("p99", "latency.p99"), ("answers", "throughput")]
        {
            let cells = columns.iter().map(|c| format!("{:>12}", r.show(&format!("{name}.{c}"))));
            let mut cells: String = cells.collect();
            if steps && name == "latency.p99" {
                let worst = format!("{:>15}", r.show("latency.p99.worst"));
                cells.push_str(&worst);
            }
            self.row(label, &cells);
        }
        if let Some(share) = r.value("errors.share").filter(|share| *share >= 1.0) {
            let text = format!("of the {:.1} % of operations that were answered", 100.0 - share);
            self.row("", &self.ink.dim(&text));
        }
        let late = format!("{:>12}", r.show("schedule.late.p99"));
        let whose = self.ink.dim("p99, redrill's own share");
        self.row("sent late", &format!("{late}  {whose}"));
    }

    fn loads(&mut self, r: &Report) {
        if !by_load::is_told(r) {
            return;
        }
        self.title("By load");
        let spans = by_load::spans(r).len();
        for load in &r.loads {
            // A name that is too long for its column has a line of its own.
            let name = printable(&load.name);
            match name.chars().count() < LABEL {
                true => self.row(&name, &load.figures.counts()),
                false => {
                    self.line(&format!("{INDENT}{INDENT}{name}"));
                    self.row("", &load.figures.counts());
                }
            }
            let p50 = load.figures.row(|span| span.p50_ms);
            let p99 = load.figures.row(|span| span.p99_ms);
            for (label, cells) in [("  p50", p50), ("  p99", p99)] {
                let cells: String =
                    cells.iter().take(spans).map(|cell| format!("{cell:>12}")).collect();
                self.row(label, &cells);
            }
        }
    }

    fn moved(&mut self, r: &Report) {
        let begun = || r.steps.iter().filter(|step| step.began_ms.is_some());
        if !r.has("reshard.slots") || begun().next().is_none() {
            return;
        }
        self.title("What moved");
        if r.value("reshard.duration").is_none() {
            for Moved { slots, slots_total, keys, .. } in begun().map(|step| step.moved) {
                let (slots, total) = (thousands(slots as f64), thousands(slots_total as f64));
                let keys = thousands(keys as f64);
                self.row("so far", &format!("{slots} of {total} slots, {keys} keys"));
            }
            return;
        }
        let took = r.show("reshard.duration");
        for (label, name) in [("slots", "reshard.slots"), ("keys", "reshard.keys")] {
            let (n, rate) = (r.show(name), r.show(&format!("{name}.rate")));
            self.row(label, &format!("{n} in {took} · {rate}"));
        }
        if let Some(method) = side_by_side::method(r) {
            self.row("by", &method);
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
        // In a line of its own a long path has more room before a terminal breaks it.
        let room = self.width.saturating_sub("  report  ".len());
        let gap = if page.chars().count() <= room { "  " } else { "\n" };
        self.line(&format!("{INDENT}{label}{gap}{page}"));
    }
}

/// Breaks `text` at spaces into lines of at most `room` characters; a longer word
/// stands alone.
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
