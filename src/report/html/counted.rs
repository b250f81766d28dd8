//! What is wrong in one load, counted over time: bars.

use crate::model::measure::thousands;
use crate::report::data::{Report, Series};

use super::frame::Frame;
use super::svg::Scale;

const TOP: f64 = 22.0;
const HEIGHT: f64 = 40.0;
const BOTTOM: f64 = 22.0;
/// The smallest height and width, so that a single one among many can be seen.
const LEAST: [f64; 2] = [2.5, 3.0];

/// What is counted.
struct Counted<'a> {
    /// One for each window of the series; none if that is unknown.
    counts: &'a [u64],
    /// For those who cannot see it.
    label: &'a str,
    title: &'a str,
    /// What one is, and what several are.
    names: [&'a str; 2],
}

/// Lost writes, at the instants of their acknowledgement; `None` if none was acknowledged while the
/// load ran.
pub(super) fn lost(report: &Report, series: &Series, frame: &Frame) -> Option<String> {
    let counted = Counted {
        counts: &series.lost,
        label: "Lost writes",
        title: "lost writes, when they had been acknowledged",
        names: ["acknowledged write lost", "acknowledged writes lost"],
    };
    draw(report, series, frame, &counted)
}

/// Reads of old versions after they should have gone, at the instants at which they were sent; `None`
/// if there was none.
pub(super) fn late(report: &Report, series: &Series, frame: &Frame) -> Option<String> {
    let counted = Counted {
        counts: series.cache.get("cache.stale.late")?,
        label: "Reads of old versions",
        title: "old versions, served later than promised",
        names: ["read of an old version", "reads of old versions"],
    };
    draw(report, series, frame, &counted)
}

fn draw(report: &Report, series: &Series, frame: &Frame, counted: &Counted) -> Option<String> {
    let bars = bars(series, counted.counts, frame.size.points());
    let most = bars.iter().map(|bar| bar.count).max()? as f64;
    let bottom = TOP + HEIGHT;
    let label = format!("{} of {} over time", counted.label, series.load);
    let mut svg = frame.svg(bottom + BOTTOM, &label);
    frame.steps(&mut svg, report, TOP, bottom, false);
    frame.seconds(&mut svg, TOP, bottom, true);
    let (left, right) = (frame.size.left(), frame.size.right());
    for (y, count) in [(TOP, most), (bottom, 0.0)] {
        frame.level(&mut svg, y, &thousands(count));
    }
    let y = Scale::linear(0.0, most, 0.0, HEIGHT);
    for bar in &bars {
        let x = frame.x(bar.from_ms);
        // The last window is cut off where the load ends.
        let width = (frame.x(bar.to_ms).min(right) - x).max(LEAST[0]);
        let height = y.at(bar.count as f64).max(LEAST[1]);
        let title = tooltip(bar, counted.names, frame);
        svg.rect("lostbar", [x, bottom - height, width, height], Some(&title));
    }
    svg.text("title", "start", [left, 14.0], counted.title);
    Some(svg.done())
}

/// One or more windows of 100 ms.
#[derive(Debug, PartialEq)]
struct Bar {
    from_ms: f64,
    to_ms: f64,
    count: u64,
}

/// Joins neighbouring windows until at most `most` are left, and leaves out those with nothing.
fn bars(series: &Series, counts: &[u64], most: usize) -> Vec<Bar> {
    let join = counts.len().div_ceil(most).max(1);
    let pairs = series.at_ms.chunks(join).zip(counts.chunks(join));
    let bar = |(at_ms, counts): (&[f64], &[u64])| Bar {
        from_ms: at_ms[0],
        to_ms: at_ms[at_ms.len() - 1] + series.every_ms,
        count: counts.iter().sum(),
    };
    pairs.map(bar).filter(|bar| bar.count > 0).collect()
}

fn tooltip(bar: &Bar, [one, several]: [&str; 2], frame: &Frame) -> String {
    let [from, to] = [bar.from_ms, bar.to_ms].map(|at| (at - frame.from_ms) / 1e3);
    let names = if bar.count == 1 { one } else { several };
    format!("{} {names} between {from:.2} and {to:.2} s", thousands(bar.count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_joined_and_none_is_left_out() {
        let at_ms = vec![0.0, 100.0, 200.0, 300.0, 400.0];
        let series = Series { every_ms: 100.0, at_ms, ..Series::default() };
        let bar = |from_ms, to_ms, count| Bar { from_ms, to_ms, count };
        let single = [bar(0.0, 100.0, 2), bar(100.0, 200.0, 1), bar(400.0, 500.0, 5)];
        let counts = [2, 1, 0, 0, 5];
        assert_eq!(bars(&series, &counts, 5), single);
        assert_eq!(bars(&series, &counts, 3), [bar(0.0, 200.0, 3), bar(400.0, 500.0, 5)]);
        assert_eq!(bars(&series, &[], 5), []);
    }
}
