//! Bytes a second over time, by purpose.

use crate::model::Unit;
use crate::model::traffic::Class;
use crate::report::data::{Report, Traffic};

use super::frame::Frame;
use super::lines::{self, COLOURS, Line, Lines};

/// The drawing; `None` without a relay, or if there is nothing to draw.
pub(super) fn draw(report: &Report, frame: &Frame) -> Option<String> {
    let traffic = report.traffic.as_ref()?;
    let line = |(of, class): (Class, &'static str)| {
        let points = traffic.at_ms.iter().copied().zip(rates(traffic, of));
        Line { class, name: of.word().to_owned(), points: points.collect() }
    };
    let chart = Lines {
        label: "Traffic through the relay over time",
        titles: ["bytes a second", "B/s"],
        unit: Unit::Bytes,
        least: 10.0,
        lines: Class::ALL.into_iter().zip(COLOURS).map(line).collect(),
    };
    lines::draw(report, frame, &chart)
}

/// Between all places together.
fn rates(traffic: &Traffic, class: Class) -> Vec<f64> {
    let mut sums = vec![0.0; traffic.at_ms.len()];
    for series in traffic.series.iter().filter(|series| series.class == class) {
        sums.iter_mut().zip(&series.bytes_per_s).for_each(|(sum, rate)| *sum += rate);
    }
    sums
}
