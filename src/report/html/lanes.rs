//! Availability over time: for each shard a lane for writes and one for reads, and the
//! same again for canaries in slots that a step moves.

use crate::model::Unit;
use crate::model::op::Access;
use crate::report::data::{Outage, Report};

use super::frame::{Frame, Size};
use super::svg::Svg;

const LANE: f64 = 7.0;
const ROW: f64 = 21.0;
const TOP: f64 = 20.0;

/// One row: the canaries of one shard, those that move apart.
struct Lane {
    group: String,
    shard: u32,
    moves: bool,
    canaries: usize,
}

fn rows(report: &Report) -> Vec<Lane> {
    let mut rows = Vec::new();
    for moves in [false, true] {
        for shard in &report.shards {
            let canaries = match moves {
                false => shard.canaries - shard.canaries_that_move,
                true => shard.canaries_that_move,
            };
            if canaries > 0 {
                let group = shard.group.clone();
                rows.push(Lane { group, shard: shard.shard, moves, canaries });
            }
        }
    }
    rows
}

/// The drawing; `None` if the drill had no canaries.
pub(super) fn draw(report: &Report, frame: &Frame) -> Option<String> {
    let rows = rows(report);
    if rows.is_empty() {
        return None;
    }
    let first_moving = rows.iter().position(|row| row.moves);
    let gap = if first_moving.is_some() { ROW } else { 0.0 };
    let height = TOP + ROW * rows.len() as f64 + gap;
    let mut svg = frame.svg(height + 20.0, "Availability of each shard over time");
    frame.steps(&mut svg, report, TOP, height, false);
    frame.seconds(&mut svg, TOP, height, true);
    let left = frame.size.left();
    svg.text("title", "start", [left, 13.0], "canaries of each shard: writes above, reads below");
    for (i, row) in rows.iter().enumerate() {
        let after_gap = if row.moves { gap } else { 0.0 };
        let y = TOP + ROW * i as f64 + after_gap + 3.0;
        if first_moving == Some(i) {
            svg.text("title", "start", [left, y - 7.0], "canaries in slots that move");
        }
        draw_row(&mut svg, report, frame, row, y);
    }
    frame.convergence(&mut svg, report, TOP, height);
    frame.starved(&mut svg, report, TOP, height);
    frame.crashes(&mut svg, report, TOP, height);
    Some(svg.done())
}

fn draw_row(svg: &mut Svg, report: &Report, frame: &Frame, row: &Lane, y: f64) {
    let (left, right) = (frame.size.left(), frame.size.right());
    let name = match frame.size {
        Size::Narrow if report.topology.groups.len() == 1 => format!("shard {}", row.shard),
        Size::Wide | Size::Narrow => format!("{}/{}", row.group, row.shard),
    };
    svg.text("lane", "end", [left - 6.0, y + 11.0], &name);
    for (action, y) in [(Access::Write, y), (Access::Read, y + LANE + 1.0)] {
        let what = if action == Access::Write { "writes" } else { "reads" };
        let title = format!("{}/{} {what}: {} canaries", row.group, row.shard, row.canaries);
        svg.rect("up", [left, y, right - left, LANE], Some(&title));
        let mine = |o: &&Outage| {
            o.group == row.group
                && o.shard == row.shard
                && o.moves == row.moves
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
