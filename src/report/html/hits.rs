//! What was done to which node, and for how long: a lane for each node.

use std::collections::BTreeMap;

use crate::model::{NodeKind, NodeName, Unit};
use crate::report::data::{Hit, Report, Step};

use super::frame::{Frame, Size};
use super::svg::Svg;

const BAR: f64 = 13.0;
const ROW: f64 = 19.0;
const TOP: f64 = 20.0;

/// The drawing; `None` if nothing was done to any node.
pub(super) fn draw(report: &Report, frame: &Frame) -> Option<String> {
    let mut lanes: BTreeMap<&NodeName, Vec<(&Step, &Hit)>> = BTreeMap::new();
    for step in &report.steps {
        for hit in &step.hits {
            lanes.entry(&hit.node).or_default().push((step, hit));
        }
    }
    if lanes.is_empty() {
        return None;
    }
    let height = TOP + ROW * lanes.len() as f64;
    let mut svg = frame.svg(height + 20.0, "What was done to which node over time");
    frame.seconds(&mut svg, TOP, height, true);
    let left = frame.size.left();
    svg.text("title", "start", [left, 13.0], "what was done to which node, until undone");
    for (i, (node, hits)) in lanes.iter().enumerate() {
        let y = TOP + ROW * i as f64 + 3.0;
        let name = match frame.size {
            Size::Wide => node.to_string(),
            Size::Narrow => match node.kind {
                NodeKind::Shard(shard) => format!("{shard}/{}", node.ordinal),
                NodeKind::Sentinel => format!("s/{}", node.ordinal),
                NodeKind::Actor => format!("a/{}", node.ordinal),
            },
        };
        svg.text("lane", "end", [left - 6.0, y + 10.0], &name);
        hits.iter().for_each(|hit| draw_hit(&mut svg, frame, *hit, y));
        // Of the turns of one step, only the first is named.
        let runs: Vec<_> = hits.chunk_by(|(a, _), (b, _)| std::ptr::eq(*a, *b)).collect();
        for (i, run) in runs.iter().enumerate() {
            let next = runs.get(i + 1).map_or(frame.to_ms, |next| next[0].1.at_ms);
            draw_name(&mut svg, frame, run, next, y);
        }
    }
    Some(svg.done())
}

fn draw_hit(svg: &mut Svg, frame: &Frame, (step, hit): (&Step, &Hit), y: f64) {
    let from = (hit.at_ms - frame.from_ms) / 1e3;
    let lasted = match (hit.undone_ms, step.is_over_at_once()) {
        (Some(undone), _) => format!(" for {}", Unit::Millis.show(undone - hit.at_ms)),
        (None, true) => String::new(),
        (None, false) => ", not undone while the load lasted".to_owned(),
    };
    let title = format!("{} {} at {from:.2} s{lasted}", step.kind, hit.node);
    let x = frame.x(hit.at_ms);
    svg.rect("hit", [x, y, end(frame, step, hit) - x, BAR], Some(&title));
}

/// The end of its bar, which is wide enough to be seen, however short the time was.
fn end(frame: &Frame, step: &Step, hit: &Hit) -> f64 {
    let x = frame.x(hit.at_ms);
    let end = match hit.undone_ms {
        None if step.is_over_at_once() => x,
        undone => frame.x(undone.unwrap_or(frame.to_ms)),
    };
    end.max(x + 2.5)
}

/// The step's name is in its bars, or behind them if there is room before the next one.
fn draw_name(svg: &mut Svg, frame: &Frame, run: &[(&Step, &Hit)], next_ms: f64, y: f64) {
    let ((step, first), (_, last)) = (run[0], run[run.len() - 1]);
    let x = frame.x(first.at_ms);
    let width = end(frame, step, last) - x;
    let fits = |room: f64| (room / 6.4) as usize > step.kind.word().len();
    let room_behind = frame.x(next_ms) - x - width;
    let at = match (fits(width), fits(room_behind)) {
        (true, _) => x + 4.0,
        (_, true) => x + width + 4.0,
        _ => return,
    };
    svg.text("hitname", "start", [at, y + 10.0], step.kind.word());
}
