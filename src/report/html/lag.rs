//! How late each group saw the writes of another one, and how long it took until two that had
//! written one key agreed, over time.

use crate::model::Unit;
use crate::report::data::{LagSecond, Report, SampleSecond};

use super::frame::Frame;
use super::lines::{self, COLOURS, Line, Lines};

/// The longest lag of each second.
pub(super) fn draw(report: &Report, frame: &Frame) -> Option<String> {
    let titles = ["the longest lag of each second", "lag"];
    let pairs =
        report.sync.iter().map(|pair| (format!("{} → {}", pair.from, pair.to), &*pair.seconds));
    longest(report, frame, ("Replication lag over time", titles), pairs)
}

/// The conflict of each second that took longest.
pub(super) fn conflicts(report: &Report, frame: &Frame) -> Option<String> {
    let titles = ["until all agreed, the longest of each second", "until all agreed"];
    let pairs = report.resolutions.iter().map(|pair| (pair.between.join(" and "), &*pair.seconds));
    longest(report, frame, ("The resolution of conflicts over time", titles), pairs)
}

/// The share of keys that differed, of those that were judged in each second.
pub(super) fn samples(report: &Report, frame: &Frame) -> Option<String> {
    let line = |name: String, class, of: &dyn Fn(&SampleSecond) -> u64| {
        let share = |one: &SampleSecond| {
            let judged = one.equal + one.different;
            (one.at_ms, of(one) as f64 / judged.max(1) as f64 * 100.0)
        };
        Line { class, name, points: report.samples.iter().map(share).collect() }
    };
    let pairs = report.pairs_sampled();
    let lines = match pairs.len() {
        0 | 1 => vec![line("differ".to_owned(), COLOURS[0], &|one| one.different)],
        _ => {
            let each = pairs.iter().zip(COLOURS.into_iter().cycle());
            each.map(|(pair, class)| line(pair.join(" and "), class, &|one| one.apart_of(pair)))
                .collect()
        }
    };
    let chart = Lines {
        label: "The share of keys that differ over time",
        titles: [
            "keys that differ between groups, of those that were compared",
            "keys that differ",
        ],
        unit: Unit::Percent,
        least: 0.1,
        lines,
    };
    lines::draw(report, frame, &chart)
}

/// In milliseconds. Pairs beyond the colours begin with the first.
fn longest<'a>(
    report: &Report,
    frame: &Frame,
    (label, titles): (&str, [&str; 2]),
    pairs: impl Iterator<Item = (String, &'a [LagSecond])>,
) -> Option<String> {
    let line = |((name, seconds), class): ((String, &[LagSecond]), &'static str)| {
        let points = seconds.iter().map(|second| (second.at_ms, second.max_ms));
        Line { class, name, points: points.collect() }
    };
    let lines = pairs.zip(COLOURS.into_iter().cycle()).map(line).collect();
    let chart = Lines { label, titles, unit: Unit::Millis, least: 1.0, lines };
    lines::draw(report, frame, &chart)
}
