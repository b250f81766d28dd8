//! Lost writes of one load, at the instants of their acknowledgement.

use crate::model::measure::thousands;
use crate::report::data::{Report, Series};

use super::frame::Frame;
use super::svg::Scale;

const TOP: f64 = 22.0;
const HEIGHT: f64 = 40.0;
const BOTTOM: f64 = 22.0;
/// The smallest height and width, so that a single one among many can be seen.
const LEAST: [f64; 2] = [2.5, 3.0];

/// The drawing; `None` if no lost write was acknowledged while the load ran.
pub(super) fn draw(report: &Report, series: &Series, frame: &Frame) -> Option<String> {
    let bars = bars(series, frame.size.points());
    let most = bars.iter().map(|bar| bar.lost).max()? as f64;
    let bottom = TOP + HEIGHT;
    let label = format!("Lost writes of {} over time", series.load);
    let mut svg = frame.svg(bottom + BOTTOM, &label);
    frame.steps(&mut svg, report, TOP, bottom, false);
    frame.seconds(&mut svg, TOP, bottom, true);
    let (left, right) = (frame.size.left(), frame.size.right());
    for (y, lost) in [(TOP, most), (bottom, 0.0)] {
        frame.level(&mut svg, y, &thousands(lost));
    }
    let y = Scale::linear(0.0, most, 0.0, HEIGHT);
    for bar in &bars {
        let x = frame.x(bar.from_ms);
        // The last window is cut off where the load ends.
        let width = (frame.x(bar.to_ms).min(right) - x).max(LEAST[0]);
        let height = y.at(bar.lost as f64).max(LEAST[1]);
        let title = tooltip(bar, frame);
        svg.rect("lostbar", [x, bottom - height, width, height], Some(&title));
    }
    svg.text("title", "start", [left, 14.0], "lost writes, when they had been acknowledged");
    Some(svg.done())
}

/// One or more windows of 100 ms.
#[derive(Debug, PartialEq)]
struct Bar {
    from_ms: f64,
    to_ms: f64,
    lost: u64,
}

/// Joins neighbouring windows until at most `most` are left, and leaves out those without loss.
fn bars(series: &Series, most: usize) -> Vec<Bar> {
    let join = series.lost.len().div_ceil(most).max(1);
    let pairs = series.at_ms.chunks(join).zip(series.lost.chunks(join));
    let bar = |(at_ms, lost): (&[f64], &[u64])| Bar {
        from_ms: at_ms[0],
        to_ms: at_ms[at_ms.len() - 1] + series.every_ms,
        lost: lost.iter().sum(),
    };
    pairs.map(bar).filter(|bar| bar.lost > 0).collect()
}

fn tooltip(bar: &Bar, frame: &Frame) -> String {
    let [from, to] = [bar.from_ms, bar.to_ms].map(|at| (at - frame.from_ms) / 1e3);
    let writes = if bar.lost == 1 { "write" } else { "writes" };
    format!(
        "{} acknowledged {writes} lost between {from:.2} and {to:.2} s",
        thousands(bar.lost as f64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_joined_and_none_is_left_out() {
        let series = Series {
            every_ms: 100.0,
            at_ms: vec![0.0, 100.0, 200.0, 300.0, 400.0],
            lost: vec![2, 1, 0, 0, 5],
            ..Series::default()
        };
        let bar = |from_ms, to_ms, lost| Bar { from_ms, to_ms, lost };
        let single = [bar(0.0, 100.0, 2), bar(100.0, 200.0, 1), bar(400.0, 500.0, 5)];
        assert_eq!(bars(&series, 5), single);
        assert_eq!(bars(&series, 3), [bar(0.0, 200.0, 3), bar(400.0, 500.0, 5)]);
        assert_eq!(bars(&Series { lost: vec![], ..series }, 5), []);
    }
}
