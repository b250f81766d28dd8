//! The headline figures.

use crate::model::catalogue::known;
use crate::model::event::Moved;
use crate::model::measure::thousands;
use crate::report::data::Report;
use crate::report::{longest, met};

/// One figure, large, with what belongs to it below.
pub(super) struct Card {
    pub title: &'static str,
    pub value: String,
    /// `bad` if the figure is one that nobody wants to see, `untold` if there is none.
    pub tone: &'static str,
    /// Small columns: a label and a figure each.
    pub columns: Vec<Column>,
    pub notes: Vec<String>,
}

pub(super) struct Column {
    pub label: &'static str,
    pub value: String,
    /// Percent of the highest of the columns.
    pub height: String,
}

pub(super) fn cards(r: &Report) -> Vec<Card> {
    // Before the load there is nothing that they could tell.
    if r.timeline_ms.is_none() {
        return Vec::new();
    }
    let others = [moved(r), latency(r), throughput(r), converged(r)];
    let first = [downtime(r), lost(r)].into_iter().chain(wrong(r));
    first.chain(others).flatten().collect()
}

/// The card of the measure `name`.
fn card(r: &Report, title: &'static str, name: &str, notes: Vec<String>) -> Card {
    let judged = known(name).is_some_and(|known| known.finding.is_some());
    let tone = match r.value(name) {
        None => "untold",
        Some(wrong) if wrong > 0.0 && judged && r.measure_set_aside(name).is_none() => "bad",
        Some(_) => "",
    };
    Card { title, value: r.show(name), tone, columns: Vec::new(), notes }
}

fn downtime(r: &Report) -> Option<Card> {
    let probed =
        format!("{} canaries, each probed every {} ms", r.probe.canaries, r.probe.every_ms);
    let longest = longest::outage(r).map(|told| format!("the longest {told}"));
    let notes = [Some(format!("reads {}", r.show("downtime.read.max"))), longest, Some(probed)];
    let notes = notes.into_iter().flatten().collect();
    Some(card(r, "Longest write outage", "downtime.write.max", notes))
}

fn lost(r: &Report) -> Option<Card> {
    let side = r.value("writes.lost.wrong_side").filter(|count| *count > 0.0);
    let side = side.map(|count| format!("{} on a side that lost", thousands(count)));
    let notes = || {
        let of = format!("of {} acknowledged", r.show("writes.acknowledged"));
        let stale = format!("{} stale reads", r.show("reads.stale"));
        [Some(of), side, Some(stale)].into_iter().flatten().collect()
    };
    r.has("writes.lost").then(|| card(r, "Lost writes", "writes.lost", notes()))
}

/// A card for each workload that is none of registers.
fn wrong(r: &Report) -> impl Iterator<Item = Option<Card>> {
    let known = [
        ("Wrong with counters", "counter"),
        ("Wrong with sets", "set"),
        ("Wrong with queues", "queue"),
        ("Wrong with streams", "stream"),
    ];
    known.into_iter().map(|(title, workload)| {
        let show = |what: &str| r.show(&format!("{workload}.{what}"));
        let wrong = format!("{workload}.wrong");
        let notes = vec![
            format!("of {} acknowledged", show("acknowledged")),
            format!("{} lost", show("lost")),
        ];
        r.has(&wrong).then(|| card(r, title, &wrong, notes))
    })
}

/// The three spans of `name`, as high as they are.
fn columns(r: &Report, name: &str) -> Vec<Column> {
    let spans = ["before", "during", "after"].map(|span| (span, format!("{name}.{span}")));
    let highest = spans.iter().filter_map(|(_, name)| r.value(name)).fold(0.0, f64::max);
    let spans = spans.into_iter().filter(|(_, name)| r.has(name));
    let column = |(label, name): (&'static str, String)| {
        let share = r.value(&name).filter(|_| highest > 0.0).map_or(0.0, |v| v / highest * 100.0);
        Column { label, value: r.show(&name), height: format!("{share:.0}") }
    };
    let columns: Vec<Column> = spans.map(column).collect();
    // One column alone says nothing that the figure does not.
    if columns.len() > 1 { columns } else { Vec::new() }
}

fn latency(r: &Report) -> Option<Card> {
    let (title, name) = match r.has("latency.p99.during") {
        true => ("p99 latency during the steps", "latency.p99.during"),
        false => ("p99 latency", "latency.p99.before"),
    };
    let worst = format!("worst second {}", r.show("latency.p99.worst"));
    let median = format!("median {}", r.show(&name.replace("p99", "p50")));
    let late = format!("redrill itself sent late: p99 {}", r.show("schedule.late.p99"));
    let card = || card(r, title, name, vec![worst, median, late]);
    r.has(name).then(|| Card { columns: columns(r, "latency.p99"), ..card() })
}

fn throughput(r: &Report) -> Option<Card> {
    let (title, name) = match r.has("throughput.during") {
        true => ("Answers a second during the steps", "throughput.during"),
        false => ("Answers a second", "throughput.before"),
    };
    let errors = format!("{} errors, {}", r.show("errors.total"), r.show("errors.share"));
    let held = r.value("schedule.held").is_some();
    let held = held.then(|| format!("{} of the schedule was sent", r.show("schedule.held")));
    let notes = [Some(errors), met::errors(r), met::detours(r), held];
    let notes = notes.into_iter().flatten().collect();
    let card = || card(r, title, name, notes);
    r.has(name).then(|| Card { columns: columns(r, "throughput"), ..card() })
}

fn moved(r: &Report) -> Option<Card> {
    let show = |name: &str| r.show(&format!("reshard.{name}"));
    let notes = match r.value("reshard.duration") {
        Some(_) => vec![
            format!("{} keys", show("keys.rate")),
            format!("{} slots and {} keys in {}", show("slots"), show("keys"), show("duration")),
        ],
        None => vec![so_far(r)],
    };
    let card = || card(r, "Slots moved a second", "reshard.slots.rate", notes);
    r.has("reshard.slots").then(card)
}

fn so_far(r: &Report) -> String {
    let sum =
        |of: fn(&Moved) -> u64| thousands(r.steps.iter().map(|s| of(&s.moved)).sum::<u64>() as f64);
    let (slots, total) = (sum(|m| m.slots), sum(|m| m.slots_total));
    format!("{slots} of {total} slots and {} keys so far", sum(|m| m.keys))
}

fn converged(r: &Report) -> Option<Card> {
    let notes = || {
        vec![
            format!("{} {}", r.agreed_on(), r.show("convergence.view")),
            "from the start of the slowest step".to_owned(),
        ]
    };
    r.has("convergence").then(|| card(r, "Convergence", "convergence", notes()))
}
