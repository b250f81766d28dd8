//! Throughput, errors and latency of one load over time.

use crate::model::Unit;
use crate::model::measure::thousands;
use crate::report::data::{Report, Series};

use super::frame::{Frame, Size};
use super::svg::{Scale, Svg, log_ticks, nice_down, nice_up, polyline, ticks};

const TOP: f64 = 22.0;
const RATE: f64 = 110.0;
const GAP: f64 = 34.0;
const LATENCY: f64 = 140.0;
const BOTTOM: f64 = 22.0;
/// A separate line below everything.
const NOTE: f64 = 16.0;

/// One point of the drawing: one or more windows of 100 ms.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    at_ms: f64,
    /// Answers and errors a second.
    ok: f64,
    errors: f64,
    p50: Option<f64>,
    p99: Option<f64>,
}

/// Joins neighbouring windows until at most `most` points are left. Rates are averaged, of
/// percentiles the highest is kept, so that no peak is lost.
fn points(series: &Series, frame: &Frame, most: usize) -> (Vec<Point>, usize) {
    // The last window is cut off at the load's end, and would look like a drop.
    let whole = frame.from_ms..=frame.to_ms - series.every_ms;
    let inside = |i: &usize| whole.contains(&series.at_ms[*i]);
    let indices: Vec<usize> = (0..series.at_ms.len()).filter(inside).collect();
    let join = indices.len().div_ceil(most).max(1);
    let highest = |column: &[Option<f64>], some: &[usize]| {
        some.iter().filter_map(|i| column[*i]).reduce(f64::max)
    };
    let point = |some: &[usize]| {
        let seconds = some.len() as f64 * series.every_ms / 1e3;
        let sum = |column: &[u64]| some.iter().map(|i| column[*i]).sum::<u64>() as f64;
        Point {
            at_ms: series.at_ms[some[0]] + seconds * 500.0,
            ok: sum(&series.ok) / seconds,
            errors: sum(&series.errors) / seconds,
            p50: highest(&series.p50_ms, some),
            p99: highest(&series.p99_ms, some),
        }
    };
    (indices.chunks(join).map(point).collect(), join)
}

/// The drawing of `series`.
pub(super) fn draw(report: &Report, series: &Series, frame: &Frame) -> String {
    let (points, join) = points(series, frame, frame.size.points());
    let rate_bottom = TOP + RATE;
    let latency_top = rate_bottom + GAP;
    let bottom = latency_top + LATENCY;
    let label = format!("Throughput, errors and latency of {} over time", series.load);
    let every = (join > 1).then(|| format!("each point {} ms", join * 100));
    // On a phone the title's line has room for the legend only.
    let (beside, below) = match frame.size {
        Size::Wide => (every.map_or(String::new(), |every| format!(", {every}")), None),
        Size::Narrow => (String::new(), every),
    };
    let note = if below.is_some() { NOTE } else { 0.0 };
    let mut svg = frame.svg(bottom + BOTTOM + note, &label);
    frame.steps(&mut svg, report, TOP, rate_bottom, true);
    frame.steps(&mut svg, report, latency_top, bottom, false);
    frame.seconds(&mut svg, TOP, rate_bottom, false);
    frame.seconds(&mut svg, latency_top, bottom, true);
    rates(&mut svg, frame, &points);
    latencies(&mut svg, frame, &points, latency_top);
    frame.convergence(&mut svg, report, TOP, bottom);
    frame.starved(&mut svg, report, TOP, rate_bottom);
    frame.starved(&mut svg, report, latency_top, bottom);
    frame.crashes(&mut svg, report, TOP, bottom);
    let left = frame.size.left();
    let right = frame.size.right();
    svg.text("title", "start", [left, 14.0], &format!("operations a second{beside}"));
    svg.legend([right, 14.0], &[("errline", "errors"), ("okline", "answers")]);
    svg.text("title", "start", [left, latency_top - 8.0], "latency, log scale");
    svg.legend([right, latency_top - 8.0], &[("p50", "p50"), ("p99", "p99")]);
    if let Some(every) = below {
        svg.text("tick", "end", [right, bottom + BOTTOM + NOTE - 6.0], &every);
    }
    svg.done()
}

fn rates(svg: &mut Svg, frame: &Frame, points: &[Point]) {
    let most = points.iter().map(|p| p.ok + p.errors).fold(0.0, f64::max);
    let top = (most * 1.2).max(1.0);
    let y = Scale::linear(0.0, top, TOP + RATE, TOP);
    for tick in ticks(0.0, top, 3) {
        frame.level(svg, y.at(tick), &thousands(tick));
    }
    let line = |of: fn(&Point) -> f64| points.iter().map(move |p| [p.at_ms, of(p)]);
    let shape = |of: fn(&Point) -> f64| {
        polyline(line(of).map(|[at, value]| Some([frame.x(at), y.at(value)])))
    };
    let area = |of: fn(&Point) -> f64| match (points.first(), points.last()) {
        (Some(first), Some(last)) => {
            let close = [[last.at_ms, 0.0], [first.at_ms, 0.0]];
            let corner = |[at, v]: [f64; 2]| Some([frame.x(at), y.at(v)]);
            polyline(line(of).chain(close).map(corner)) + "Z"
        }
        _ => String::new(),
    };
    svg.path("okarea", &area(|p| p.ok), None);
    svg.path("okline", &shape(|p| p.ok), None);
    if points.iter().any(|p| p.errors > 0.0) {
        svg.path("errarea", &area(|p| p.errors), None);
        svg.path("errline", &shape(|p| p.errors), None);
    }
}

fn latencies(svg: &mut Svg, frame: &Frame, points: &[Point], top: f64) {
    let low = points.iter().filter_map(|p| p.p50).fold(f64::INFINITY, f64::min);
    let high = points.iter().filter_map(|p| p.p99).fold(0.0, f64::max);
    if !(low.is_finite() && high > 0.0) {
        return;
    }
    let (low, high) = (nice_down(low * 0.9), nice_up(high * 1.05));
    let y = Scale::log(low, high, top + LATENCY, top);
    for tick in log_ticks(low, high) {
        frame.level(svg, y.at(tick), &short_ms(tick));
    }
    let shape = |of: fn(&Point) -> Option<f64>| {
        polyline(points.iter().map(|p| of(p).map(|ms| [frame.x(p.at_ms), y.at(ms)])))
    };
    svg.path("p99", &shape(|p| p.p99), None);
    svg.path("p50", &shape(|p| p.p50), None);
}

fn short_ms(ms: f64) -> String {
    match ms {
        ms if ms >= 1_000.0 => format!("{} s", ms / 1e3),
        ms if ms >= 1.0 => Unit::Millis.show(ms).replace(".00", "").replace(".0 ", " "),
        ms => format!("{} µs", (ms * 1e3).round()),
    }
}
