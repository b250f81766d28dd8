//! The regions with their groups, and the links between them: a picture, and beside it (or below
//! it, on a phone) what is known of each link, by the number that it has in the picture.

use crate::model::Unit;
use crate::report::data::{Region, RegionGroup, RegionLink, Report};

use super::frame::Size;
use super::svg::{Svg, n};

/// Lines of text.
const LINE: f64 = 17.0;
/// The height of a region without its lines.
const BOX: f64 = 34.0;
/// The width of a letter, nearly.
const LETTER: f64 = 5.9;
/// More regions have no room.
const MOST: usize = 6;

/// Both directions of a link; `cut` are the steps that cut it.
struct Pair<'a> {
    ends: [usize; 2],
    ways: [&'a RegionLink; 2],
    cut: &'a [usize],
}

/// Where regions stand.
struct Picture {
    size: Size,
    count: usize,
    /// Of the picture, and of each region in it.
    width: f64,
    height: f64,
    place: [f64; 2],
}

/// The drawing; `None` if there are not several regions, or too many.
pub(super) fn draw(r: &Report, size: Size) -> Option<String> {
    if !(2..=MOST).contains(&r.regions.len()) {
        return None;
    }
    let (pairs, picture) = (pairs(r), Picture::of(r, size));
    let told: Vec<Vec<(&str, String)>> =
        pairs.iter().enumerate().map(|(at, pair)| told(r, at, pair)).collect();
    let lines: usize = told.iter().map(|lines| lines.len() + 1).sum();
    let text = LINE * lines as f64;
    let (height, [left, top]) = match size {
        Size::Wide => (picture.height.max(text), [picture.width + 40.0, 0.0]),
        Size::Narrow => (picture.height + 14.0 + text, [0.0, picture.height + 14.0]),
    };
    let mut svg =
        Svg::new(size.width(), height, size.class(), "Regions and the links between them");
    pairs.iter().for_each(|pair| wire(&mut svg, r, &picture, pair));
    r.regions.iter().enumerate().for_each(|(at, region)| place(&mut svg, &picture, at, region));
    pairs.iter().enumerate().for_each(|(at, pair)| number(&mut svg, &picture, at, pair));
    let mut y = top;
    for lines in &told {
        for (class, line) in lines {
            y += LINE;
            svg.text(class, "start", [left, y - 4.0], line);
        }
        y += LINE;
    }
    Some(svg.done())
}

/// Each link once, as both directions of it stand in the report.
fn pairs(r: &Report) -> Vec<Pair<'_>> {
    let index = |name: &str| r.regions.iter().position(|region| region.name == name);
    let pair = |link: &'_ RegionLink| {
        let ends = [index(&link.from)?, index(&link.to)?];
        let back = r.links.iter().find(|back| back.from == link.to && back.to == link.from)?;
        Some((ends, back)).filter(|([from, to], _)| from < to)
    };
    let each = r.links.iter().filter_map(|link| Some((link, pair(link)?)));
    each.map(|(link, (ends, back))| Pair { ends, ways: [link, back], cut: &link.cut_by }).collect()
}

/// What stands about a link, with the classes of the lines.
fn told<'c>(r: &Report, at: usize, pair: &Pair) -> Vec<(&'c str, String)> {
    let [there, back] = pair.ways;
    let name = format!("{}  {} ↔ {}: {}", at + 1, there.from, there.to, latency(pair));
    let mut lines = vec![("placename", name)];
    for (arrow, way) in [("→", there), ("←", back)] {
        let per_write =
            way.bytes_per_write.map(|bytes| format!("{} a write", Unit::Bytes.show(bytes)));
        let figures = [way.bytes_per_s.map(|rate| Unit::BytesPerSecond.show(rate)), per_write];
        let known: Vec<String> = figures.into_iter().flatten().chain(lag(r, way)).collect();
        lines.push(("title", format!("{arrow} {}", known.join(" · "))));
    }
    if !pair.cut.is_empty() {
        let steps: Vec<String> = pair.cut.iter().map(|step| (step + 1).to_string()).collect();
        lines.push(("cutname", format!("✕ cut by step {}", steps.join(" and "))));
    }
    lines
}

/// `40.0 ms`, or both if the way back has another one.
fn latency(pair: &Pair) -> String {
    let mut shown = pair.ways.map(|way| Unit::Millis.show(way.latency_ms)).to_vec();
    shown.dedup();
    shown.join(" and ")
}

/// The latest of the groups that have their primaries at the ends of the link.
fn lag(r: &Report, way: &RegionLink) -> Option<String> {
    let leads = |group: &str, region: &str| {
        let region = r.regions.iter().find(|known| known.name == region);
        let of_group = |one: &RegionGroup| one.name == group && one.primaries > 0;
        region.is_some_and(|region| region.groups.iter().any(of_group))
    };
    let pairs =
        r.sync.iter().filter(|pair| leads(&pair.from, &way.from) && leads(&pair.to, &way.to));
    let latest = pairs.max_by(|a, b| a.p99_ms.total_cmp(&b.p99_ms))?;
    let least = if latest.is_open(latest.p99_ms) { "≥ " } else { "" };
    Some(format!("lag p99 {least}{}", Unit::Millis.show(latest.p99_ms)))
}

impl Picture {
    fn of(r: &Report, size: Size) -> Picture {
        let count = r.regions.len();
        let lines = r.regions.iter().map(|region| text_of(region).len()).max().unwrap_or(0);
        let tall = BOX + LINE * lines as f64;
        let (width, wide) = match (size, count) {
            (Size::Wide, _) => (580.0, 200.0),
            (Size::Narrow, 2) => (size.width(), 260.0),
            (Size::Narrow, _) => (size.width(), 160.0),
        };
        let height = match (size, count) {
            (Size::Wide, 2) => tall + 4.0,
            (Size::Narrow, 2) => tall * 2.0 + 60.0,
            _ => tall * 2.0 + 110.0,
        };
        Picture { size, count, width, height, place: [wide, tall] }
    }

    /// The middle of a region: on a circle, or four in the corners.
    fn at(&self, index: usize) -> [f64; 2] {
        let from = match (self.size, self.count) {
            (Size::Wide, 2) => -180.0,
            (_, 4) => -135.0,
            _ => -90.0,
        };
        let angle = (from + 360.0 * index as f64 / self.count as f64).to_radians();
        let widest = if self.count == 4 { std::f64::consts::SQRT_2 } else { 1.0 };
        let [wide, tall] = self.place;
        let (x, y) = ((self.width - wide) / 2.0 - 1.0, (self.height - tall) / 2.0 - 1.0);
        let [right, down] = [angle.cos(), angle.sin()].map(|share| share * widest);
        // Two of three are below the first, in the corners: a circle has them too close.
        let is_corner = self.count == 3 && index > 0;
        let [right, down] = if is_corner { [right.signum(), 1.0] } else { [right, down] };
        [self.width / 2.0 + x * right, self.height / 2.0 + y * down]
    }

    /// Where the number of a link stands: in the middle, or a little before, where the diagonals of
    /// four would meet.
    fn on_link(&self, ends: [usize; 2]) -> [f64; 2] {
        let [[x1, y1], [x2, y2]] = ends.map(|end| self.at(end));
        let is_slanting = (x2 - x1).abs() > 1.0 && (y2 - y1).abs() > 1.0;
        let share = if self.count > 3 && is_slanting { 0.36 } else { 0.5 };
        [x1 + (x2 - x1) * share, y1 + (y2 - y1) * share]
    }
}

fn wire(svg: &mut Svg, r: &Report, picture: &Picture, pair: &Pair) {
    let [[x1, y1], [x2, y2]] = pair.ends.map(|end| picture.at(end));
    let steps = pair.cut.iter().filter_map(|step| Some((step + 1, &r.steps.get(*step)?.text)));
    let steps: Vec<String> = steps.map(|(number, text)| format!("step {number}: {text}")).collect();
    let class = if pair.cut.is_empty() { "wire" } else { "wire cut" };
    svg.line(class, [x1, y1, x2, y2], (!steps.is_empty()).then(|| steps.join(", ")).as_deref());
}

fn place(svg: &mut Svg, picture: &Picture, at: usize, region: &Region) {
    let ([x, y], [wide, tall]) = (picture.at(at), picture.place);
    let (left, top) = (x - wide / 2.0, y - tall / 2.0);
    let lines = text_of(region);
    svg.rect("place", [left, top, wide, tall], Some(&lines.join("; ")));
    svg.text("placename", "start", [left + 12.0, top + 21.0], &fit(&region.name, wide));
    for (at, line) in lines.iter().enumerate() {
        svg.text("title", "start", [left + 12.0, top + 39.0 + LINE * at as f64], &fit(line, wide));
    }
}

fn number(svg: &mut Svg, picture: &Picture, at: usize, pair: &Pair) {
    let [x, y] = picture.on_link(pair.ends);
    let mark = if pair.cut.is_empty() { "" } else { "✕ " };
    let label = match (picture.size, picture.count) {
        (Size::Wide, _) | (_, 2) => format!("{mark}{} · {}", at + 1, latency(pair)),
        (Size::Narrow, _) => format!("{mark}{}", at + 1),
    };
    let wide = label.chars().count() as f64 * LETTER + 8.0;
    svg.rect("plate", [x - wide / 2.0, y - 10.0, wide, 20.0], None);
    let class = if pair.cut.is_empty() { "lane" } else { "cutname" };
    svg.text(class, "middle", [x, y + 4.0], &label);
}

/// `us: 1 primary, 1 replica` for each group, and whose clients are there.
fn text_of(region: &Region) -> Vec<String> {
    let some = |count: usize, one: &str, more: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{} {more}", n(count as f64))),
    };
    let group = |group: &RegionGroup| {
        let parts = [
            some(group.primaries, "primary", "primaries"),
            some(group.replicas, "replica", "replicas"),
            some(group.sentinels, "sentinel", "sentinels"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{}: {}", group.name, parts.join(", "))
    };
    let groups = region.groups.iter().map(group);
    let loads = (!region.loads.is_empty()).then(|| format!("clients: {}", region.loads.join(", ")));
    groups.chain(loads).collect()
}

/// As much of the text as fits.
fn fit(text: &str, wide: f64) -> String {
    let room = ((wide - 16.0) / LETTER) as usize;
    match text.chars().count() <= room {
        true => text.to_owned(),
        false => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::SyncLag;

    fn region(name: &str, group: &str) -> Region {
        let (name, group) = (name.to_owned(), group.to_owned());
        let group = RegionGroup { name: group, primaries: 1, replicas: 2, sentinels: 0 };
        Region { name, groups: vec![group], loads: vec!["app".to_owned()] }
    }

    fn link(from: &str, to: &str, latency_ms: f64, cut_by: Vec<usize>) -> RegionLink {
        let (from, to) = (from.to_owned(), to.to_owned());
        let (bytes_per_s, bytes_per_write) = (Some(2_500.0), Some(25.0));
        RegionLink { from, to, latency_ms, bytes_per_s, bytes_per_write, cut_by }
    }

    fn lag(from: &str, to: &str, p99_ms: f64) -> SyncLag {
        let (from, to) = (from.to_owned(), to.to_owned());
        let (p50_ms, max_ms, seconds) = (1.0, p99_ms, Vec::new());
        let (writes, unseen, unseen_after_ms) = (1, 0, None);
        SyncLag {
            from,
            to,
            link_ms: 40.0,
            writes,
            unseen,
            unseen_after_ms,
            p50_ms,
            p99_ms,
            max_ms,
            backlog_max: None,
            backlog_max_bytes: None,
            seconds,
        }
    }

    /// The first of two links is cut.
    fn report() -> Report {
        let mut r = crate::report::json::read("tests/pure/report/before.json".as_ref()).unwrap();
        r.regions = [("east", "us"), ("west", "eu"), ("south", "ap")]
            .map(|(name, group)| region(name, group))
            .to_vec();
        r.links = vec![
            link("east", "west", 40.0, vec![0]),
            link("west", "east", 40.0, vec![0]),
            link("south", "west", 120.0, vec![]),
            link("west", "south", 130.0, vec![]),
        ];
        r.sync = vec![lag("us", "eu", 43.0), lag("eu", "us", 44.0), lag("us", "ap", 99.0)];
        r
    }

    #[test]
    fn each_link_is_drawn_once_with_the_figures_of_both_directions() {
        for size in Size::BOTH {
            let drawn = draw(&report(), size).unwrap();
            assert_eq!(drawn.matches(r#"class="place""#).count(), 3);
            assert_eq!(drawn.matches("<line ").count(), 2, "{drawn}");
            assert_eq!(drawn.matches(r#"<line class="wire cut""#).count(), 1, "{drawn}");
            for line in [
                "1  east ↔ west: 40.0 ms",
                "→ 2.5 kB/s · 25 B a write · lag p99 43.0 ms",
                "← 2.5 kB/s · 25 B a write · lag p99 44.0 ms",
                "✕ cut by step 1",
                "2  west ↔ south: 130 ms and 120 ms",
                "us: 1 primary, 2 replicas",
            ] {
                assert!(drawn.contains(line), "`{line}` is not in {drawn}");
            }
            // Nothing links `us` and `ap`.
            assert!(!drawn.contains("99.0 ms"), "{drawn}");
        }
    }

    #[test]
    fn regions_do_not_touch_each_other_and_stay_within_the_drawing() {
        for (size, count) in Size::BOTH.into_iter().flat_map(|size| (2..=4).map(move |n| (size, n)))
        {
            let mut r = report();
            r.regions = (0..count).map(|n| region(&n.to_string(), "us")).collect();
            let picture = Picture::of(&r, size);
            let [wide, tall] = picture.place;
            let at: Vec<[f64; 2]> = (0..count).map(|index| picture.at(index)).collect();
            for (index, [x, y]) in at.iter().enumerate() {
                assert!(*x >= wide / 2.0 && *x <= picture.width - wide / 2.0, "{size:?} {at:?}");
                assert!(*y >= tall / 2.0 && *y <= picture.height - tall / 2.0, "{size:?} {at:?}");
                for [left, top] in &at[..index] {
                    let apart = (x - left).abs() >= wide + 16.0 || (y - top).abs() >= tall + 16.0;
                    assert!(apart, "{size:?} {at:?}");
                }
            }
        }
    }

    #[test]
    fn the_numbers_of_diagonals_are_apart_and_others_in_the_middle() {
        let mut r = report();
        r.regions = (0..4).map(|n| region(&n.to_string(), "us")).collect();
        for size in Size::BOTH {
            let picture = Picture::of(&r, size);
            let ([left, _], [right, _]) = (picture.at(0), picture.at(1));
            let [x, _] = picture.on_link([0, 1]);
            assert!((x - (left + right) / 2.0).abs() < 1.0, "{x}");
            let ([one, _], [other, _]) = (picture.on_link([0, 2]), picture.on_link([1, 3]));
            assert!((one - other).abs() > 20.0, "{one} and {other}");
        }
    }

    #[test]
    fn one_region_is_no_map() {
        let mut r = report();
        r.regions.truncate(1);
        assert_eq!(draw(&r, Size::Wide), None);
    }
}
