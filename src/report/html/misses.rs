//! Why reads of one load found no copy, and what the origin was asked, over time.

use crate::model::measure::thousands;
use crate::report::data::{Report, Series};

use super::frame::{Frame, Size};
use super::svg::{Scale, Svg, polyline, ticks};

const TOP: f64 = 22.0;
const HEIGHT: f64 = 110.0;
const BOTTOM: f64 = 22.0;
/// The line of the causes' names.
const LEGEND: f64 = 18.0;
/// A bar lasts as long as so many windows at least: in one window there are few misses.
const WINDOWS: usize = 5;

const CAUSES: &str = "cache.misses.";
/// The colours of causes.
const COLOURS: [&str; 6] = ["s0", "s1", "s4", "s8", "s2", "s6"];

/// The drawing; `None` if every read found a copy.
pub(super) fn draw(report: &Report, series: &Series, frame: &Frame) -> Option<String> {
    let join = series.at_ms.len().div_ceil(frame.size.points() / 4).max(WINDOWS);
    let a_second = |counts: &[u64]| -> Vec<f64> {
        let rate = |some: &[u64]| {
            let seconds = some.len() as f64 * series.every_ms / 1e3;
            some.iter().sum::<u64>() as f64 / seconds
        };
        counts.chunks(join).map(rate).collect()
    };
    let causes: Vec<(&str, Vec<f64>)> = { series.cache.iter() }
        .filter_map(|(name, counts)| Some((name.strip_prefix(CAUSES)?, a_second(counts))))
        .filter(|(_, rates)| rates.iter().any(|rate| *rate > 0.0))
        .collect();
    let asked = a_second(series.cache.get("origin.requests")?);
    let sum = |at: usize| causes.iter().map(|(_, rates)| rates[at]).sum::<f64>();
    let most = (0..asked.len()).map(|at| asked[at].max(sum(at))).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let bottom = TOP + HEIGHT;
    let label = format!("Misses of {} by cause, and what the origin was asked", series.load);
    let mut svg = frame.svg(bottom + BOTTOM + LEGEND, &label);
    frame.steps(&mut svg, report, TOP, bottom, false);
    frame.seconds(&mut svg, TOP, bottom, true);
    let top = most * 1.1;
    let y = Scale::linear(0.0, top, bottom, TOP);
    for tick in ticks(0.0, top, 3) {
        frame.level(&mut svg, y.at(tick), &thousands(tick));
    }
    let bounds: Vec<[f64; 2]> = { series.at_ms.chunks(join) }
        .map(|at| [at[0], (at[at.len() - 1] + series.every_ms).min(frame.to_ms)])
        .collect();
    for (at, [from, to]) in bounds.iter().enumerate().filter(|(_, [from, to])| from < to) {
        let mut below = 0.0;
        for ((cause, rates), colour) in causes.iter().zip(COLOURS.into_iter().cycle()) {
            let rate = rates[at];
            if rate > 0.0 {
                let (high, low) = (y.at(below + rate), y.at(below));
                let [from_s, to_s] = [from, to].map(|at| (at - frame.from_ms) / 1e3);
                let title = format!(
                    "{} misses a second between {from_s:.1} and {to_s:.1} s: {cause}",
                    thousands(rate)
                );
                let box_of = [frame.x(*from), high, frame.x(*to) - frame.x(*from), low - high];
                svg.rect(&format!("miss {colour}"), box_of, Some(&title));
            }
            below += rate;
        }
    }
    let middle = |[from, to]: &[f64; 2]| frame.x((from + to) / 2.0);
    let line = bounds.iter().zip(&asked).map(|(at, rate)| Some([middle(at), y.at(*rate)]));
    svg.path("asked", &polyline(line), None);
    let (left, right) = (frame.size.left(), frame.size.right());
    let [wide, narrow] = ["misses a second, by cause", "misses a second"];
    svg.text("title", "start", [left, 14.0], if frame.size == Size::Wide { wide } else { narrow });
    svg.legend([right, 14.0], &[("asked", "the origin is asked")]);
    names(&mut svg, frame, &causes, bottom + BOTTOM + LEGEND - 4.0);
    Some(svg.done())
}

/// What the colours mean, from the left.
fn names(svg: &mut Svg, frame: &Frame, causes: &[(&str, Vec<f64>)], y: f64) {
    const LETTER: f64 = 7.0;
    let mut x = frame.size.left();
    for ((cause, _), colour) in causes.iter().zip(COLOURS.into_iter().cycle()) {
        svg.rect(&format!("miss {colour}"), [x, y - 9.0, 10.0, 10.0], None);
        svg.text("title", "start", [x + 14.0, y], cause);
        x += 14.0 + cause.chars().count() as f64 * LETTER + 12.0;
    }
}
