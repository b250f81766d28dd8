//! How late each group saw the writes of another one, over time.

use crate::model::Unit;
use crate::report::data::{Report, SyncLag};

use super::frame::Frame;
use super::lines::{self, COLOURS, Line, Lines};

/// The longest lag of each second, in milliseconds. Pairs beyond the colours begin with the first.
pub(super) fn draw(report: &Report, frame: &Frame) -> Option<String> {
    let line = |(pair, class): (&SyncLag, &'static str)| {
        let points = pair.seconds.iter().map(|second| (second.at_ms, second.max_ms));
        Line { class, name: format!("{} → {}", pair.from, pair.to), points: points.collect() }
    };
    let chart = Lines {
        label: "Replication lag over time",
        titles: ["the longest lag of each second", "lag"],
        unit: Unit::Millis,
        least: 1.0,
        lines: report.sync.iter().zip(COLOURS.into_iter().cycle()).map(line).collect(),
    };
    lines::draw(report, frame, &chart)
}
