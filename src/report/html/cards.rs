//! The headline figures.

use crate::report::data::Report;

/// One figure, large, with what belongs to it below.
pub(super) struct Card {
    pub title: &'static str,
    pub value: String,
    /// `bad` if the figure is one that nobody wants to see.
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
    [downtime(r), lost(r), latency(r), throughput(r), moved(r), converged(r)]
        .into_iter()
        .flatten()
        .collect()
}

fn tone(value: Option<f64>) -> &'static str {
    if value.is_some_and(|value| value > 0.0) { "bad" } else { "" }
}

fn downtime(r: &Report) -> Option<Card> {
    let notes = vec![
        format!("reads {}", r.show("downtime.read.max")),
        format!("{} canaries, each probed every {} ms", r.probe.canaries, r.probe.every_ms),
    ];
    let value = r.show("downtime.write.max");
    Some(Card { title: "Longest write outage", value, tone: "", columns: Vec::new(), notes })
}

fn lost(r: &Report) -> Option<Card> {
    r.has("writes.lost").then(|| Card {
        title: "Lost writes",
        value: r.show("writes.lost"),
        tone: tone(r.value("writes.lost")),
        columns: Vec::new(),
        notes: vec![
            format!("of {} acknowledged", r.show("writes.acknowledged")),
            format!("{} stale reads", r.show("reads.stale")),
        ],
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
    let steps = r.has("latency.p99.during");
    let (title, name) = match steps {
        true => ("p99 latency during the steps", "latency.p99.during"),
        false => ("p99 latency", "latency.p99.before"),
    };
    let worst = format!("worst second {}", r.show("latency.p99.worst"));
    let median = format!("median {}", r.show(&name.replace("p99", "p50")));
    r.has(name).then(|| Card {
        title,
        value: r.show(name),
        tone: "",
        columns: columns(r, "latency.p99"),
        notes: vec![worst, median],
    })
}

fn throughput(r: &Report) -> Option<Card> {
    let steps = r.has("throughput.during");
    let name = if steps { "throughput.during" } else { "throughput.before" };
    r.has(name).then(|| Card {
        title: if steps { "Answers a second during the steps" } else { "Answers a second" },
        value: r.show(name),
        tone: "",
        columns: columns(r, "throughput"),
        notes: vec![
            format!("{} errors, {}", r.show("errors.total"), r.show("errors.share")),
            format!("{} of the schedule was sent", r.show("schedule.held")),
        ],
    })
}

fn moved(r: &Report) -> Option<Card> {
    r.has("reshard.slots").then(|| Card {
        title: "Slots moved a second",
        value: r.show("reshard.slots.rate"),
        tone: "",
        columns: Vec::new(),
        notes: vec![
            format!("{} keys", r.show("reshard.keys.rate")),
            format!(
                "{} slots and {} keys in {}",
                r.show("reshard.slots"),
                r.show("reshard.keys"),
                r.show("reshard.duration")
            ),
        ],
    })
}

fn converged(r: &Report) -> Option<Card> {
    r.has("convergence").then(|| Card {
        title: "Convergence",
        value: r.show("convergence"),
        tone: "",
        columns: Vec::new(),
        notes: vec![
            format!("owners and roles {}", r.show("convergence.view")),
            "since the last step's start".to_owned(),
        ],
    })
}
