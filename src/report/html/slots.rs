//! Which shard owned which of the 16,384 slots: one strip for each moment.

use std::collections::BTreeMap;

use crate::model::measure::thousands;
use crate::model::slot::{SLOTS, SlotSet};
use crate::report::data::{Moment, Owned, Ownership, Report};

use super::frame::Size;
use super::svg::{Scale, Svg, n};

const STRIP: f64 = 20.0;
const ROW: f64 = 28.0;
const TOP: f64 = 8.0;

/// The drawing for `group`; `None` if it has no slots.
pub(super) fn draw(report: &Report, group: &str, size: Size) -> Option<String> {
    let moments: Vec<&Ownership> = report.ownership.iter().filter(|o| o.group == group).collect();
    let (first, last) = (moments.first()?, moments.last()?);
    let changed = changed(first, last);
    let extra = usize::from(!changed.is_empty());
    let bottom = TOP + ROW * (moments.len() + extra) as f64;
    let class = size.class();
    let label = format!("Owners of the slots of {group}, before, during and after");
    let mut svg = Svg::new(size.width(), bottom + 16.0, class, &label);
    let x = Scale::linear(0.0, f64::from(SLOTS), size.left(), size.right());
    for (i, moment) in moments.iter().enumerate() {
        let y = TOP + ROW * i as f64;
        name(&mut svg, size, y, &moment_name(report, moment));
        strip(&mut svg, &x, y, &moment.shards, group);
    }
    if extra > 0 {
        let y = TOP + ROW * moments.len() as f64;
        name(&mut svg, size, y, "moved");
        strip(&mut svg, &x, y, &changed, group);
    }
    ruler(&mut svg, &x, size, bottom);
    Some(svg.done())
}

fn name(svg: &mut Svg, size: Size, y: f64, text: &str) {
    svg.text("lane", "end", [size.left() - 6.0, y + 14.0], text);
}

fn moment_name(report: &Report, moment: &Ownership) -> String {
    let unsure = if moment.agreed { "" } else { "~" };
    match moment.moment {
        Moment::Before => "before".to_owned(),
        Moment::After => "after".to_owned(),
        Moment::During => {
            let second = (moment.at_ms - report.timeline_ms.unwrap_or(0.0)) / 1e3;
            format!("{unsure}{second:.1} s")
        }
    }
}

/// The slots with a new owner, by the new owner.
fn changed(first: &Ownership, last: &Ownership) -> Vec<Owned> {
    let before: BTreeMap<u32, &SlotSet> =
        first.shards.iter().map(|s| (s.shard, &s.slots)).collect();
    let new = |owned: &Owned| Owned {
        shard: owned.shard,
        slots: owned
            .slots
            .iter()
            .filter(|slot| before.get(&owned.shard).is_none_or(|old| !old.contains(*slot)))
            .collect(),
    };
    last.shards.iter().map(new).filter(|owned| !owned.slots.is_empty()).collect()
}

fn strip(svg: &mut Svg, x: &Scale, y: f64, shards: &[Owned], group: &str) {
    let (left, right) = (x.at(0.0), x.at(f64::from(SLOTS)));
    svg.rect("nobody", [left, y, right - left, STRIP], Some("slots that nobody owns"));
    for owned in shards.iter().filter(|owned| !owned.slots.is_empty()) {
        let mut d = String::new();
        for range in owned.slots.ranges() {
            let from = x.at(f64::from(*range.start()));
            let width = (x.at(f64::from(*range.end()) + 1.0) - from).max(0.5);
            let (from, y, width) = (n2(from), n(y), n2(width));
            d += &format!("M{from} {y}h{width}v{STRIP}h-{width}z");
        }
        let count = thousands(owned.slots.len() as f64);
        let title = format!("{group}/{}: {count} slots: {}", owned.shard, short(&owned.slots));
        svg.path(&format!("slots s{}", colour(owned.shard)), &d, Some(&title));
    }
}

/// Two decimals, so that neighbouring ranges meet.
fn n2(value: f64) -> String {
    format!("{value:.2}")
}

fn ruler(svg: &mut Svg, x: &Scale, size: Size, y: f64) {
    let every = if size == Size::Wide { 2048 } else { 4096 };
    for slot in (0..=SLOTS).step_by(every) {
        let anchor = match slot {
            0 => "start",
            SLOTS => "end",
            _ => "middle",
        };
        let at = x.at(f64::from(slot));
        svg.line("grid", [at, y - 6.0, at, y - 2.0], None);
        let shown = if slot == SLOTS { SLOTS - 1 } else { slot };
        svg.text("tick", anchor, [at, y + 10.0], &thousands(f64::from(shown)));
    }
}

/// The set as servers write it, cut off if it is long.
pub(super) fn short(slots: &SlotSet) -> String {
    const RANGES: usize = 4;
    let more = slots.ranges().len().saturating_sub(RANGES);
    let shown = slots.ranges().iter().take(RANGES).cloned().map(SlotSet::from);
    let shown: Vec<String> = shown.map(|range| range.to_string()).collect();
    let more = if more > 0 { format!(" and {more} more ranges") } else { String::new() };
    format!("{}{more}", shown.join(" "))
}

/// How many colours the style sheet has for shards.
const COLOURS: u32 = 12;

/// The colour class of a shard: `s0` to `s11`.
pub(super) fn colour(shard: u32) -> u32 {
    shard % COLOURS
}
