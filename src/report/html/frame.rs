//! The time axis of all drawings over time: steps as bands, convergence as lines, seconds
//! below.

use crate::model::Unit;
use crate::report::data::{Report, Step};

use super::svg::{Scale, Svg, n, ticks};

/// Steps whose lines are so near on the page share a name.
const TOGETHER: f64 = 12.0;

/// The width of a drawing. Each is made twice, so that its text is as large on a phone as on a
/// wide screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Wide,
    Narrow,
}

impl Size {
    pub const BOTH: [Size; 2] = [Size::Wide, Size::Narrow];

    pub fn class(self) -> &'static str {
        match self {
            Size::Wide => "wide",
            Size::Narrow => "narrow",
        }
    }

    pub fn width(self) -> f64 {
        match self {
            Size::Wide => 1080.0,
            Size::Narrow => 350.0,
        }
    }

    /// Where the time line begins; labels are to its left.
    pub fn left(self) -> f64 {
        match self {
            Size::Wide => 76.0,
            Size::Narrow => 54.0,
        }
    }

    pub fn right(self) -> f64 {
        self.width() - 8.0
    }

    /// The most points worth drawing.
    pub fn points(self) -> usize {
        match self {
            Size::Wide => 500,
            Size::Narrow => 150,
        }
    }
}

/// Milliseconds since the drill's start, on the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub size: Size,
    pub from_ms: f64,
    pub to_ms: f64,
    x: Scale,
}

impl Frame {
    /// `None` if the drill never reached its time line.
    pub fn of(report: &Report, size: Size) -> Option<Frame> {
        let (from_ms, to_ms) = (report.timeline_ms?, report.timeline_end_ms?);
        let x = Scale::linear(from_ms, to_ms, size.left(), size.right());
        (to_ms > from_ms).then_some(Frame { size, from_ms, to_ms, x })
    }

    pub fn x(&self, at_ms: f64) -> f64 {
        self.x.at(at_ms)
    }

    /// An empty drawing over this time line. The page's script finds it by its data.
    pub fn svg(&self, height: f64, label: &str) -> Svg {
        let data = format!(
            r#" data-left="{}" data-right="{}" data-from="{:.1}" data-to="{:.1}""#,
            n(self.size.left()),
            n(self.size.right()),
            self.from_ms,
            self.to_ms
        );
        let class = format!("time {}", self.size.class());
        Svg::with(self.size.width(), height, &class, label, &data)
    }

    /// The steps as bands from `top` to `bottom`, with their numbers if `named`.
    pub fn steps(&self, svg: &mut Svg, report: &Report, top: f64, bottom: f64, named: bool) {
        for (i, step) in report.steps.iter().enumerate() {
            let Some(began) = step.began_ms else { continue };
            let (x, end) = (self.x(began), self.x(step.ended_ms.unwrap_or(self.to_ms)));
            let width = (end - x).max(1.0);
            let title = format!("step {}: {}", i + 1, step.text);
            svg.rect("band", [x, top, width, bottom - top], Some(&title));
            let is_fault = !step.nodes.is_empty();
            if is_fault {
                // It may be over in an instant; the line shows when it happened.
                svg.line("fault", [x, top, x, bottom], Some(&title));
            }
            let begins = |step: &Step| step.began_ms.map(|at| self.x(at));
            let is_first = !report.steps[..i].iter().filter_map(begins).any(|at| x - at < TOGETHER);
            if named && is_first {
                // Up to the next step. Those that begin with this one are only counted.
                let later = || report.steps[i + 1..].iter().filter_map(begins);
                let next =
                    later().filter(|at| at - x >= TOGETHER).fold(self.size.right(), f64::min);
                let more = match later().filter(|at| at - x < TOGETHER).count() {
                    0 => String::new(),
                    more => format!(", +{more}"),
                };
                let space = if is_fault { next - x - 8.0 } else { width };
                let room = (space / 6.4) as usize;
                let names = [format!(" {}", step.text), format!(" {}", step.kind), String::new()];
                let names = names.map(|name| format!("{}{name}{more}", i + 1));
                let name = names.iter().find(|name| name.chars().count() <= room);
                let name = name.map_or("", |name| name);
                // Below the name of the step that it may happen in.
                let line = if is_fault { top + 25.0 } else { top + 12.0 };
                svg.text("bandname", "start", [x + 4.0, line], name);
            }
        }
    }

    /// When the machine was too busy, hatched.
    pub fn starved(&self, svg: &mut Svg, report: &Report, top: f64, bottom: f64) {
        for time in &report.starved {
            let inside = |at: f64| self.x(at.clamp(self.from_ms, self.to_ms));
            let (x, end) = (inside(time.from_ms), inside(time.to_ms));
            let title = match (&time.node, time.waited_percent) {
                (Some(node), Some(percent)) => {
                    format!("{node} waited for a processor for {percent:.0} % of this second")
                }
                _ => {
                    let lost = Unit::Millis.show(time.lost_ms);
                    format!("redrill itself was not run for {lost} of this second")
                }
            };
            if end > x {
                svg.rect("starved", [x, top, end - x, bottom - top], Some(&title));
                svg.path("hatch", &hatch([x, top, end, bottom]), None);
            }
        }
    }

    /// When servers crashed.
    pub fn crashes(&self, svg: &mut Svg, report: &Report, top: f64, bottom: f64) {
        for crash in &report.crashes {
            let (x, title) = (self.x(crash.at_ms), crash.text(self.from_ms));
            svg.line("crash", [x, top, x, bottom], Some(&title));
        }
    }

    /// When nodes agreed, and when replicas were linked as well.
    pub fn convergence(&self, svg: &mut Svg, report: &Report, top: f64, bottom: f64) {
        for step in &report.steps {
            let since = |at: f64| (at - step.began_ms.unwrap_or(at)) / 1e3;
            let mut mark = |at: Option<f64>, class: &str, what: &str| {
                let Some(at) = at else { return };
                let title = format!("{what} {:.3} s after the step's start", since(at));
                svg.line(class, [self.x(at), top, self.x(at), bottom], Some(&title));
            };
            mark(step.view_converged_ms, "agreed", "all nodes agree");
            mark(step.converged_ms, "converged", "converged");
        }
    }

    /// A grid line at the height `y`, with its label.
    pub fn level(&self, svg: &mut Svg, y: f64, label: &str) {
        svg.line("grid", [self.size.left(), y, self.size.right(), y], None);
        svg.text("tick", "end", [self.size.left() - 6.0, y + 4.0], label);
    }

    /// Seconds since the load's start, with their grid lines.
    pub fn seconds(&self, svg: &mut Svg, top: f64, bottom: f64, labels: bool) {
        let length = (self.to_ms - self.from_ms) / 1e3;
        let count = if self.size == Size::Wide { 12 } else { 5 };
        for second in ticks(0.0, length, count) {
            let x = self.x(self.from_ms + second * 1e3);
            svg.line("grid", [x, top, x, bottom], None);
            if labels {
                let anchor = if x > self.size.right() - 16.0 { "end" } else { "middle" };
                svg.text("tick", anchor, [x, bottom + 15.0], &format!("{} s", n(second)));
            }
        }
    }
}

/// Slanting lines within a box: left, top, right, bottom.
fn hatch([left, top, right, bottom]: [f64; 4]) -> String {
    const APART: f64 = 8.0;
    let width = right - left;
    let lines = ((bottom - top + width) / APART) as usize;
    let line = |i: usize| {
        // It rises from the left edge, and from the bottom where that is before.
        let y = top + i as f64 * APART;
        let (from, to) = ((y - bottom).max(0.0), (y - top).min(width));
        format!("M{} {}L{} {}", n(left + from), n(y - from), n(left + to), n(y - to))
    };
    (1..=lines).map(line).collect()
}
