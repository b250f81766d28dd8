//! `report.html`: one file that works offline, in light and dark, on paper and a phone.
//!
//! The page is an askama template, which escapes everything it is given. Only the drawings of
//! this module, which escape their own text, are inserted unescaped.

pub(super) mod bars;
mod chart;
mod circle;
mod counted;
mod frame;
mod hits;
mod lag;
mod lanes;
mod lines;
mod map;
mod memory;
mod misses;
mod slots;
mod svg;
mod traffic;
mod window;

use askama::Template;
use serde_json::json;

use crate::check::Example;
use crate::model::Unit;
use crate::model::event::NodeInfo;
use crate::model::measure::thousands;

use super::data::{Group, Report};
use super::error::ReportError;
use super::figures::{self, Figure};
use super::judge::other_reasons;
use super::sections;
use super::table::{Cell, On, Section};
use super::text::mark;

use bars::{Expected, FailoverRow};
use frame::{Frame, Size};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    r: &'a Report,
    mark: &'static str,
    took: String,
    /// Reasons that the expectations do not show.
    why: Vec<&'a str>,
    expectations: Vec<Expected<'a>>,
    figures: Vec<Figure>,
    charts: Vec<Chart>,
    /// Drawings of both sizes.
    lanes: String,
    /// Drawings of both sizes.
    hits: String,
    /// Drawings of both sizes.
    traffic: String,
    lag: String,
    /// Drawings of both sizes.
    map: String,
    conflicts: String,
    samples: String,
    memory: String,
    ownership: Vec<OwnershipView>,
    /// Some owners are those of most nodes, not of all.
    disagreed: bool,
    groups: Vec<GroupView<'a>>,
    failovers: Vec<FailoverRow>,
    sections: Vec<Section>,
    measures: Section,
    /// The data for the script: JSON that cannot end its element.
    data: String,
}

struct Chart {
    name: String,
    text: String,
    drawings: String,
    /// Drawings of both sizes.
    lost: String,
    /// Drawings of both sizes, of a load that reads through a cache.
    misses: String,
    late: String,
}

struct OwnershipView {
    group: String,
    drawings: String,
    legend: Vec<LegendEntry>,
}

struct LegendEntry {
    colour: u32,
    name: String,
    slots: String,
}

struct GroupView<'a> {
    group: &'a Group,
    shards: Vec<ShardBox<'a>>,
}

struct ShardBox<'a> {
    colour: u32,
    name: String,
    slots: String,
    count: String,
    nodes: &'a [NodeInfo],
}

/// The text of `report.html`.
///
/// # Errors
/// The template cannot be rendered.
pub fn render(r: &Report) -> Result<String, ReportError> {
    let page = Page {
        r,
        mark: mark(r.verdict),
        why: other_reasons(r),
        took: Unit::Millis.show(r.duration_ms),
        expectations: r.expectations.iter().map(Expected::new).collect(),
        figures: figures::figures(r),
        charts: charts(r),
        lanes: drawings(r, |frame| lanes::draw(r, frame)),
        hits: drawings(r, |frame| hits::draw(r, frame)),
        traffic: drawings(r, |frame| traffic::draw(r, frame)),
        lag: drawings(r, |frame| lag::draw(r, frame)),
        map: Size::BOTH.iter().filter_map(|size| map::draw(r, *size)).collect(),
        conflicts: drawings(r, |frame| lag::conflicts(r, frame)),
        samples: drawings(r, |frame| lag::samples(r, frame)),
        memory: Size::BOTH.iter().filter_map(|size| memory::draw(r, *size)).collect(),
        ownership: r.topology.groups.iter().filter_map(|group| ownership(r, group)).collect(),
        disagreed: r.ownership.iter().any(|owned| !owned.agreed),
        groups: r.topology.groups.iter().map(group_view).collect(),
        failovers: r.failovers.iter().map(FailoverRow::new).collect(),
        sections: sections::sections(r, On::Page),
        measures: sections::measures(r),
        data: data(r)?,
    };
    page.render().map_err(bad)
}

pub(super) fn bad(e: askama::Error) -> ReportError {
    ReportError::Render { what: "HTML", why: e.to_string() }
}

/// A sentence in which the text between backticks is shown as code.
pub(super) fn quoting(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return svg::escape(text);
    }
    let show = |(i, part): (usize, &&str)| match i % 2 {
        0 => svg::escape(part),
        _ => format!("<code>{}</code>", svg::escape(part)),
    };
    parts.iter().enumerate().map(show).collect()
}

/// The result of `draw` in both sizes.
fn drawings(r: &Report, draw: impl Fn(&Frame) -> Option<String>) -> String {
    Size::BOTH.iter().filter_map(|size| draw(&Frame::of(r, *size)?)).collect()
}

/// The operations that prove an example, drawn in both sizes.
fn proof(r: &Report, example: &Example) -> String {
    let zero_ms = r.timeline_ms.unwrap_or(0.0);
    let window = &example.window;
    let draw = match window.iter().any(|proof| proof.link.is_some()) {
        true => circle::draw,
        false => window::draw,
    };
    Size::BOTH.iter().filter_map(|size| draw(window, zero_ms, *size)).collect()
}

fn charts(r: &Report) -> Vec<Chart> {
    let pairs = r.series.iter().zip(&r.loads).filter(|(series, _)| !series.at_ms.is_empty());
    let chart = pairs.map(|(series, load)| Chart {
        name: load.name.clone(),
        text: load.text.clone(),
        drawings: drawings(r, |frame| Some(chart::draw(r, series, frame))),
        lost: drawings(r, |frame| counted::lost(r, series, frame)),
        misses: drawings(r, |frame| misses::draw(r, series, frame)),
        late: drawings(r, |frame| counted::late(r, series, frame)),
    });
    chart.filter(|chart| !chart.drawings.is_empty()).collect()
}

fn ownership(r: &Report, group: &Group) -> Option<OwnershipView> {
    let drawings: String =
        Size::BOTH.iter().filter_map(|size| slots::draw(r, &group.name, *size)).collect();
    let of_group = r.shards.iter().filter(|shard| shard.group == group.name);
    let slots = |slots: Option<u32>| slots.map(f64::from);
    let legend = of_group.map(|shard| LegendEntry {
        colour: slots::colour(shard.shard),
        name: format!("{}/{}", shard.group, shard.shard),
        slots: Cell::change(slots(shard.slots_before), slots(shard.slots_after), Unit::Count).shown,
    });
    let legend = legend.collect();
    (!drawings.is_empty()).then(|| OwnershipView { group: group.name.clone(), drawings, legend })
}

fn group_view(group: &Group) -> GroupView<'_> {
    let shards = group.shards.iter().map(|s| ShardBox {
        colour: slots::colour(s.shard),
        name: format!("{}/{}", group.name, s.shard),
        slots: slots::short(&s.slots),
        count: thousands(s.slots.len() as f64),
        nodes: &s.nodes,
    });
    GroupView { group, shards: shards.collect() }
}

/// Rounded, to keep the page small.
fn data(r: &Report) -> Result<String, ReportError> {
    let round = |v: f64| (v * 1e3).round() / 1e3;
    let column = |column: &[Option<f64>]| -> Vec<Option<f64>> {
        column.iter().map(|v| v.map(round)).collect()
    };
    let series: Vec<_> = r
        .series
        .iter()
        .map(|s| {
            json!({
                "name": s.load,
                "every": s.every_ms,
                "at": s.at_ms.iter().copied().map(round).collect::<Vec<_>>(),
                "ok": s.ok,
                "errors": s.errors,
                "p50": column(&s.p50_ms),
                "p99": column(&s.p99_ms),
            })
        })
        .collect();
    let text = serde_json::to_string(&json!({ "from": r.timeline_ms, "series": series }));
    let text = text.map_err(|e| ReportError::Render { what: "HTML", why: e.to_string() })?;
    Ok(text.replace('<', "\\u003c"))
}

#[cfg(test)]
mod tests {
    use super::quoting;

    #[test]
    fn what_is_quoted_is_code_and_nothing_is_markup() {
        assert_eq!(quoting("`a <= 1` is <b>"), "<code>a &lt;= 1</code> is &lt;b&gt;");
        assert_eq!(quoting("odd ` <i>"), "odd ` &lt;i&gt;");
    }
}
