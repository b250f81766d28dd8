//! `report.md`: what one pastes into a pull request.

use crate::model::catalogue::CATALOGUE;
use crate::model::measure::thousands;
use crate::model::{Unit, Verdict, printable};

use super::data::{Container, Report, Shard};
use super::error::ReportError;
use super::text::ASIDE;
use super::{by_load, longest, met, traffic};

/// The text of `report.md`.
///
/// # Errors
/// None today; rendering is fallible for all formats alike.
pub fn render(report: &Report) -> Result<String, ReportError> {
    let mut page = Page(String::new());
    head(&mut page, report);
    expectations(&mut page, report);
    figures(&mut page, report);
    steps(&mut page, report);
    failovers(&mut page, report);
    shards(&mut page, report);
    containers(&mut page, report);
    crossings(&mut page, report);
    findings(&mut page, report);
    all_measures(&mut page, report);
    Ok(page.0)
}

/// A Markdown page that grows.
pub(super) struct Page(pub String);

impl Page {
    pub fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A table whose first column is text and whose others are figures.
    pub fn table(&mut self, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        self.line(&format!("| {} |", heads.join(" | ")));
        self.line(&format!("|---|{}", "--:|".repeat(heads.len() - 1)));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| prose(cell)).collect();
            self.line(&format!("| {} |", cells.join(" | ")));
        }
        self.line("");
    }
}

/// Text that Markdown shows as it is, in a table too.
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

/// A sentence: what it quotes between backticks is shown as code, the rest as it is.
pub(super) fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let quotes = || parts.iter().skip(1).step_by(2);
    // Within code nothing can be escaped: odd backticks, doubled ones and what would end a
    // table's cell are shown as they are instead.
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
    for why in &r.why {
        page.line(&format!("- {}", prose(why)));
    }
    if !r.why.is_empty() {
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
    if r.expectations.is_empty() {
        return;
    }
    let rows = r.expectations.iter().map(|judged| {
        let value = judged.value.map_or("not known".to_owned(), |value| judged.unit.show(value));
        vec![format!("{} {}", mark(judged.verdict), judged.text), value]
    });
    page.table(&["Expectation", "Measured"], rows);
}

fn figures(page: &mut Page, r: &Report) {
    let row = |label: &str, names: &[&str]| -> Option<Vec<String>> {
        let label = std::iter::once(label.to_owned());
        r.has(names[0]).then(|| label.chain(names.iter().map(|name| r.show(name))).collect())
    };
    let outage = [
        row("Downtime, writes", &["downtime.write.max", "downtime.write.total"]),
        row("Downtime, reads", &["downtime.read.max", "downtime.read.total"]),
    ];
    page.table(&["", "longest", "worst canary's sum"], outage.into_iter().flatten());
    let spans = [
        row("p50", &["latency.p50.before", "latency.p50.during", "latency.p50.after"]),
        row("p99", &["latency.p99.before", "latency.p99.during", "latency.p99.after"]),
        row("Answers", &["throughput.before", "throughput.during", "throughput.after"]),
    ];
    if r.has("latency.p99.before") {
        page.table(&["Latency", "before", "during", "after"], spans.into_iter().flatten());
    }
    if by_load::is_told(r) {
        let heads = by_load::heads(r);
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        page.table(&heads, by_load::rows(r));
    }
    let single = [
        row("Acknowledged writes", &["writes.acknowledged"]),
        row("Lost writes", &["writes.lost"]),
        row("of them on a side that lost", &["writes.lost.wrong_side"]),
        row("Changes with too few replicas", &["writes.under_replicated"]),
        row("Wrong with counters", &["counter.wrong"]),
        row("Wrong with sets", &["set.wrong"]),
        row("Wrong with queues", &["queue.wrong"]),
        row("Wrong with streams", &["stream.wrong"]),
        row("Stale reads", &["reads.stale"]),
        row("Sent late by redrill itself, p99", &["schedule.late.p99"]),
        row("Errors", &["errors.total"]),
        row("Slots moved", &["reshard.slots"]),
        row("Slots a second", &["reshard.slots.rate"]),
        row("Keys moved", &["reshard.keys"]),
        row("Keys a second", &["reshard.keys.rate"]),
        row("Convergence", &["convergence"]),
    ];
    let met = [
        ("Longest outage", longest::outage(r)),
        ("Errors by cause", met::errors(r)),
        ("On the way", met::detours(r)),
    ];
    let met = met.into_iter().filter_map(|(name, text)| Some(vec![name.to_owned(), text?]));
    page.table(&["", ""], single.into_iter().flatten().chain(met));
}

fn steps(page: &mut Page, r: &Report) {
    if r.steps.is_empty() {
        return;
    }
    let since = |at: Option<f64>| match (at, r.timeline_ms) {
        (Some(at), Some(line)) => format!("{:.2} s", (at - line) / 1e3),
        _ => "–".to_owned(),
    };
    let rows = r.steps.iter().map(|step| {
        let mut text = step.text.clone();
        if let Some(method) = &step.method {
            text.push_str(&format!(", by {method}"));
        }
        if let Some(error) = &step.error {
            text.push_str(&format!(" (failed: {error})"));
        }
        vec![text, since(step.began_ms), since(step.ended_ms), since(step.converged_ms)]
    });
    page.table(&["Step", "began", "ended", "converged"], rows);
}

/// Where there were any.
fn failovers(page: &mut Page, r: &Report) {
    if !r.failovers.is_empty() {
        let rows = r.failovers.iter().map(|f| vec![f.title(), f.story()]);
        page.table(&["Failover", ""], rows);
    }
}

fn shards(page: &mut Page, r: &Report) {
    let mut heads = vec!["Shard"];
    heads.extend(r.has_cluster().then_some("slots"));
    heads.extend(["keys", "memory", "ops/s", "in", "out", "down, writes", "down, reads"]);
    page.table(&heads, r.shards.iter().map(|s| shard(r, s)));
}

fn shard(r: &Report, s: &Shard) -> Vec<String> {
    let [slots, keys, memory] = changes(s);
    let slots = if r.has_slots(&s.group) { slots } else { "–".to_owned() };
    let show = |unit: Unit, value: Option<f64>| value.map_or("–".to_owned(), |v| unit.show(v));
    let name = std::iter::once(format!("{}/{}", s.group, s.shard));
    let slots = r.has_cluster().then_some(slots);
    let others = [
        keys,
        memory,
        show(Unit::Count, s.ops_per_s),
        show(Unit::BytesPerSecond, s.net_in_per_s),
        show(Unit::BytesPerSecond, s.net_out_per_s),
        show(Unit::Millis, s.downtime_write_max_ms),
        show(Unit::Millis, s.downtime_read_max_ms),
    ];
    name.chain(slots).chain(others).collect()
}

/// Where there were any.
fn containers(page: &mut Page, r: &Report) {
    if !r.containers.is_empty() {
        let heads = ["Container", "CPU", "memory, most", "in", "out"];
        page.table(&heads, r.containers.iter().map(container));
    }
}

/// By places, where there was a relay.
fn crossings(page: &mut Page, r: &Report) {
    if let Some(seen) = &r.traffic {
        page.table(&traffic::heads(), traffic::rows(&seen.places));
    }
}

pub(super) fn container(c: &Container) -> Vec<String> {
    let show = |unit: Unit, value: Option<f64>| value.map_or("–".to_owned(), |v| unit.show(v));
    vec![
        c.node.to_string(),
        show(Unit::Percent, c.cpu_percent),
        show(Unit::Bytes, Some(c.memory_max_bytes as f64)),
        show(Unit::BytesPerSecond, c.net_in_per_s),
        show(Unit::BytesPerSecond, c.net_out_per_s),
    ]
}

/// A shard's slots, keys and memory, each as `before → after`, or once if it is the same.
pub(super) fn changes(s: &Shard) -> [String; 3] {
    let change = |before: Option<String>, after: Option<String>| match (before, after) {
        (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
        (before, after) => after.or(before).unwrap_or_else(|| "–".to_owned()),
    };
    let count = |n: u64| thousands(n as f64);
    let bytes = |n: u64| Unit::Bytes.show(n as f64);
    [
        change(s.slots_before.map(u64::from).map(count), s.slots_after.map(u64::from).map(count)),
        change(s.keys_before.map(count), s.keys_after.map(count)),
        change(s.memory_before.map(bytes), s.memory_after.map(bytes)),
    ]
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

fn all_measures(page: &mut Page, r: &Report) {
    page.line("<details><summary>All measures</summary>");
    page.line("");
    let known = CATALOGUE.iter().filter(|known| r.has(known.name));
    let rows =
        known.map(|known| vec![known.name.to_owned(), r.show(known.name), known.about.to_owned()]);
    page.table(&["Measure", "", "what it is"], rows);
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
