//! Availability over time: for each shard a lane for writes and one for reads, and the
//! same again for canaries in slots that a step moves. Where clients are in several regions, each
//! has lanes of its own.

use crate::model::Unit;
use crate::model::op::Access;
use crate::report::data::{Outage, Report, Shard};

use super::frame::{Frame, Size};
use super::svg::Svg;

const LANE: f64 = 7.0;
const ROW: f64 = 21.0;
const TOP: f64 = 20.0;

/// Rows with a heading: the canaries that stay or those that move, from one region if clients are
/// in several.
struct Part {
    title: String,
    region: Option<String>,
    moves: bool,
    lanes: Vec<Lane>,
}

/// One row: the canaries of one shard.
struct Lane {
    group: String,
    shard: u32,
    canaries: usize,
}

fn parts(report: &Report) -> Vec<Part> {
    let regions = regions(report);
    let mut parts: Vec<Part> = Vec::new();
    for moves in [false, true] {
        for region in &regions {
            let lanes: Vec<Lane> =
                report.shards.iter().filter_map(|shard| lane(shard, region, moves)).collect();
            if !lanes.is_empty() {
                let title = title(region, moves, parts.is_empty());
                parts.push(Part { title, region: region.clone(), moves, lanes });
            }
        }
    }
    parts
}

/// From where shards are probed; only none if that is one region, or there are no regions.
fn regions(report: &Report) -> Vec<Option<String>> {
    let mut all: Vec<Option<String>> = Vec::new();
    for from in report.shards.iter().flat_map(|shard| &shard.probed_from) {
        let region = Some(from.region.clone());
        if !all.contains(&region) {
            all.push(region);
        }
    }
    if all.len() > 1 { all } else { vec![None] }
}

fn title(region: &Option<String>, moves: bool, is_first: bool) -> String {
    let what = if moves { "canaries in slots that move" } else { "canaries of each shard" };
    match (region, is_first) {
        (None, true) => format!("{what}: writes above, reads below"),
        (None, false) => what.to_owned(),
        (Some(name), true) => format!("from {name}: writes above, reads below"),
        (Some(name), false) if moves => format!("from {name}: slots that move"),
        (Some(name), false) => format!("from {name}"),
    }
}

fn lane(shard: &Shard, region: &Option<String>, moves: bool) -> Option<Lane> {
    let (all, that_move) = match region {
        None => (shard.canaries, shard.canaries_that_move),
        Some(name) => {
            let from = shard.probed_from.iter().find(|from| from.region == *name)?;
            (from.canaries, from.canaries_that_move)
        }
    };
    let canaries = if moves { that_move } else { all - that_move };
    let (group, shard) = (shard.group.clone(), shard.shard);
    (canaries > 0).then_some(Lane { group, shard, canaries })
}

/// The drawing; `None` if the drill had no canaries.
pub(super) fn draw(report: &Report, frame: &Frame) -> Option<String> {
    let parts = parts(report);
    if parts.is_empty() {
        return None;
    }
    let rows: usize = parts.iter().map(|part| part.lanes.len()).sum();
    let height = TOP + ROW * (rows + parts.len() - 1) as f64;
    let mut svg = frame.svg(height + 20.0, "Availability of each shard over time");
    frame.steps(&mut svg, report, TOP, height, false);
    frame.seconds(&mut svg, TOP, height, true);
    let mut y = TOP;
    for part in &parts {
        svg.text("title", "start", [frame.size.left(), y - 7.0], &part.title);
        for lane in &part.lanes {
            draw_lane(&mut svg, report, frame, (part, lane), y + 3.0);
            y += ROW;
        }
        // Of the next heading.
        y += ROW;
    }
    frame.convergence(&mut svg, report, TOP, height);
    frame.starved(&mut svg, report, TOP, height);
    frame.crashes(&mut svg, report, TOP, height);
    Some(svg.done())
}

fn draw_lane(svg: &mut Svg, report: &Report, frame: &Frame, (part, lane): (&Part, &Lane), y: f64) {
    let (left, right) = (frame.size.left(), frame.size.right());
    let name = match frame.size {
        Size::Narrow if report.topology.groups.len() == 1 => format!("shard {}", lane.shard),
        Size::Wide | Size::Narrow => format!("{}/{}", lane.group, lane.shard),
    };
    svg.text("lane", "end", [left - 6.0, y + 11.0], &name);
    for (action, y) in [(Access::Write, y), (Access::Read, y + LANE + 1.0)] {
        let what = if action == Access::Write { "writes" } else { "reads" };
        let region = part.region.as_ref().map_or(String::new(), |name| format!(" from {name}"));
        let title =
            format!("{}/{} {what}{region}: {} canaries", lane.group, lane.shard, lane.canaries);
        svg.rect("up", [left, y, right - left, LANE], Some(&title));
        let mine = |o: &&Outage| {
            o.group == lane.group
                && o.shard == lane.shard
                && o.moves == part.moves
                && (part.region.is_none() || o.region == part.region)
                && o.action == action
        };
        for outage in report.outages.iter().filter(mine) {
            let x = frame.x(outage.from_ms);
            let width = (frame.x(outage.from_ms + outage.duration_ms) - x).max(2.0);
            svg.rect("down", [x, y, width, LANE], Some(&tooltip(outage, frame, what)));
        }
    }
}

fn tooltip(outage: &Outage, frame: &Frame, what: &str) -> String {
    let cause = outage.cause.map_or(String::new(), |cause| format!(" ({cause:?})"));
    let length = Unit::Millis.show(outage.duration_ms);
    let from = (outage.from_ms - frame.from_ms) / 1e3;
    let open = if outage.to_ms.is_none() { ", not over when the record ended" } else { "" };
    let region = outage.region.as_ref().map_or(String::new(), |name| format!(" for {name}"));
    format!("slot {}: no {what}{region} for {length} from {from:.2} s{cause}{open}", outage.slot)
}
