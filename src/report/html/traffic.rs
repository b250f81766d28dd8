//! Bytes a second over time, by purpose.

use crate::model::Unit;
use crate::model::traffic::Class;
use crate::report::data::{Report, Traffic};

use super::frame::{Frame, Size};
use super::svg::{Scale, log_ticks, nice_down, nice_up, polyline};

const TOP: f64 = 22.0;
const HEIGHT: f64 = 120.0;
const BOTTOM: f64 = 22.0;
/// The line of each class, in the order of [`Class::ALL`].
const LINES: [&str; 4] = ["flow0", "flow1", "flow2", "flow3"];
/// Less than this a second is not drawn: a log scale has no zero.
const LEAST: f64 = 10.0;

/// The drawing; `None` without a relay, or if there is nothing to draw.
pub(super) fn draw(report: &Report, frame: &Frame) -> Option<String> {
    let traffic = report.traffic.as_ref()?;
    let columns = Class::ALL.map(|class| rates(traffic, class));
    let most = columns.iter().flatten().copied().fold(0.0, f64::max);
    if most <= LEAST {
        return None;
    }
    let bottom = TOP + HEIGHT;
    let mut svg = frame.svg(bottom + BOTTOM, "Traffic through the relay over time");
    frame.steps(&mut svg, report, TOP, bottom, false);
    frame.seconds(&mut svg, TOP, bottom, true);
    let (low, high) = (nice_down(LEAST), nice_up(most));
    let y = Scale::log(low, high, bottom, TOP);
    let (left, right) = (frame.size.left(), frame.size.right());
    for tick in log_ticks(low, high).into_iter().filter(|tick| tick.log10().fract() == 0.0) {
        frame.level(&mut svg, y.at(tick), &Unit::Bytes.show(tick));
    }
    let mut legend = Vec::new();
    for ((class, line), rates) in Class::ALL.into_iter().zip(LINES).zip(&columns) {
        if rates.iter().all(|rate| *rate < LEAST) {
            continue;
        }
        legend.push((line, class.word()));
        let inside = |at: &f64| (frame.from_ms..=frame.to_ms).contains(at);
        let points = traffic.at_ms.iter().zip(rates).filter(|(at, _)| inside(at));
        let shape = points.map(|(at, rate)| Some([frame.x(*at), y.at(rate.max(low))]));
        svg.path(line, &polyline(shape), None);
    }
    // On a phone the legend needs the whole line.
    let title = if frame.size == Size::Wide { "bytes a second" } else { "B/s" };
    svg.text("title", "start", [left, 14.0], title);
    svg.legend([right, 14.0], &legend);
    Some(svg.done())
}

/// Between all places together.
fn rates(traffic: &Traffic, class: Class) -> Vec<f64> {
    let mut sums = vec![0.0; traffic.at_ms.len()];
    for series in traffic.series.iter().filter(|series| series.class == class) {
        sums.iter_mut().zip(&series.bytes_per_s).for_each(|(sum, rate)| *sum += rate);
    }
    sums
}
