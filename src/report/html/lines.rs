//! Lines over time on a logarithmic scale.

use crate::model::Unit;
use crate::report::data::Report;

use super::frame::{Frame, Size};
use super::svg::{Scale, log_ticks, nice_down, nice_up, polyline};

const TOP: f64 = 22.0;
const HEIGHT: f64 = 120.0;
const BOTTOM: f64 = 22.0;

/// The colours of lines.
pub(super) const COLOURS: [&str; 4] = ["flow0", "flow1", "flow2", "flow3"];

pub(super) struct Lines<'a> {
    /// For those who cannot see it.
    pub label: &'a str,
    /// What stands above it; the second on a phone, where the legend needs the line.
    pub titles: [&'a str; 2],
    pub unit: Unit,
    /// Less is not drawn: a logarithmic scale has no zero.
    pub least: f64,
    pub lines: Vec<Line>,
}

pub(super) struct Line {
    /// Its colour.
    pub class: &'static str,
    pub name: String,
    /// Instants in milliseconds, and values.
    pub points: Vec<(f64, f64)>,
}

/// The drawing; `None` if there is nothing to draw.
pub(super) fn draw(report: &Report, frame: &Frame, chart: &Lines) -> Option<String> {
    let values = chart.lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
    let most = values.fold(0.0, f64::max);
    if most <= chart.least {
        return None;
    }
    let bottom = TOP + HEIGHT;
    let mut svg = frame.svg(bottom + BOTTOM, chart.label);
    frame.steps(&mut svg, report, TOP, bottom, false);
    frame.seconds(&mut svg, TOP, bottom, true);
    let (low, high) = (nice_down(chart.least), nice_up(most));
    let y = Scale::log(low, high, bottom, TOP);
    let (left, right) = (frame.size.left(), frame.size.right());
    for tick in log_ticks(low, high).into_iter().filter(|tick| tick.log10().fract() == 0.0) {
        frame.level(&mut svg, y.at(tick), &chart.unit.show(tick));
    }
    let mut legend = Vec::new();
    for line in &chart.lines {
        if line.points.iter().all(|(_, value)| *value < chart.least) {
            continue;
        }
        legend.push((line.class, &*line.name));
        let inside = |(at, _): &&(f64, f64)| (frame.from_ms..=frame.to_ms).contains(at);
        let points = line.points.iter().filter(inside);
        let shape = points.map(|(at, value)| Some([frame.x(*at), y.at(value.max(low))]));
        svg.path(line.class, &polyline(shape), None);
    }
    let [wide, narrow] = chart.titles;
    svg.text("title", "start", [left, 14.0], if frame.size == Size::Wide { wide } else { narrow });
    svg.legend([right, 14.0], &legend);
    Some(svg.done())
}
