//! Hits by how much memory there is, for each load with a cache in a group.

use crate::check::HitsByMemory;
use crate::model::Unit;
use crate::report::data::Report;

use super::frame::Size;
use super::lines::COLOURS;
use super::svg::{Scale, Svg, polyline};

const TOP: f64 = 22.0;
const HEIGHT: f64 = 120.0;
const BOTTOM: f64 = 22.0;
/// Marked on both axes, in percent.
const MEMORY: [f64; 5] = [25.0, 50.0, 100.0, 200.0, 400.0];
const HITS: [f64; 5] = [0.0, 25.0, 50.0, 75.0, 100.0];

/// The drawing; `None` if there is nothing to draw.
pub(super) fn draw(report: &Report, size: Size) -> Option<String> {
    let loads: Vec<(&str, &HitsByMemory)> = report
        .loads
        .iter()
        .filter_map(|load| Some((&*load.name, load.by_memory.as_ref()?)))
        .collect();
    if loads.is_empty() {
        return None;
    }
    let bottom = TOP + HEIGHT;
    let label = "Hits by memory";
    let mut svg = Svg::new(size.width(), bottom + BOTTOM, size.class(), label);
    let (left, right) = (size.left(), size.right());
    let x = Scale::log(MEMORY[0], MEMORY[MEMORY.len() - 1], left, right);
    let y = Scale::linear(HITS[0], HITS[HITS.len() - 1], bottom, TOP);
    for hits in HITS {
        let at = y.at(hits);
        svg.line("grid", [left, at, right, at], None);
        svg.text("tick", "end", [left - 6.0, at + 4.0], &Unit::Percent.show(hits));
    }
    for share in MEMORY {
        let at = x.at(share);
        svg.line("grid", [at, TOP, at, bottom], None);
        svg.text("tick", "middle", [at, bottom + 15.0], &Unit::Percent.show(share));
    }
    let mut legend = Vec::new();
    for ((name, hits), class) in loads.into_iter().zip(COLOURS.into_iter().cycle()) {
        let points = hits.points.iter().map(|(share, hits)| Some([x.at(*share), y.at(*hits)]));
        svg.path(class, &polyline(points), None);
        legend.push((class, name));
    }
    let title = match size {
        Size::Wide => "hits in the group, by LRU in so much of the memory that there was",
        Size::Narrow => "hits by memory",
    };
    svg.text("title", "start", [left, 14.0], title);
    svg.legend([right, 14.0], &legend);
    Some(svg.done())
}
