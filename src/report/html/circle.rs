//! Operations that come before themselves: a lane for each client, a column for each operation
//! in the order of the proof, and an arrow for each reason why one comes before the next.

use crate::check::{Link, Proof};

use super::frame::Size;
use super::svg::{Svg, n};
use super::window;

const ROW: f64 = 46.0;
const BAR: f64 = 9.0;
/// Where the bar lies in its row.
const TOP: f64 = 24.0;
/// With more operations their labels are short ones on a wide page too.
const ROOMY: usize = 6;
/// Circles with more operations are described and not drawn.
const MOST: usize = 16;

/// The drawing, with instants since `zero_ms`; `None` if there is nothing to draw.
pub(super) fn draw(circle: &[Proof], zero_ms: f64, size: Size) -> Option<String> {
    if circle.is_empty() || circle.len() > MOST {
        return None;
    }
    let mut lanes: Vec<u32> = Vec::new();
    for proof in circle {
        if !lanes.contains(&proof.process) {
            lanes.push(proof.process);
        }
    }
    let places = Places { lanes: &lanes, count: circle.len(), size };
    let (height, label) = (ROW * lanes.len() as f64, "Operations that come before themselves");
    let class = format!("{} window", size.class());
    let mut svg = Svg::new(size.width(), height + 26.0, &class, label);
    for (lane, process) in lanes.iter().enumerate() {
        let y = ROW * lane as f64;
        svg.text("lane", "end", [size.left() - 6.0, y + 31.0], &window::name(*process, size));
        svg.line("grid", [size.left(), y + 40.5, size.right(), y + 40.5], None);
    }
    for (at, proof) in circle.iter().enumerate() {
        let [x, y] = places.of(at, proof);
        let what = label_of(proof, if circle.len() > ROOMY { Size::Narrow } else { size });
        svg.text("title", "start", [x, y + 16.0], &what);
        let colour = window::colour(circle, proof);
        let open = if proof.done_ms.is_none() { " open" } else { "" };
        let title = window::tooltip(proof, zero_ms);
        svg.rect(&format!("call s{colour}{open}"), [x, y + TOP, places.bar(), BAR], Some(&title));
    }
    for (at, proof) in circle.iter().enumerate() {
        let (next, is_last) = ((at + 1) % circle.len(), at + 1 == circle.len());
        if let Some(link) = proof.link {
            let (from, to) = (places.of(at, proof), places.of(next, &circle[next]));
            match is_last {
                true => back(&mut svg, link, (from, to), &places, height),
                false => onward(&mut svg, link, (from, to), &places),
            }
        }
    }
    Some(svg.done())
}

/// Where operations stand.
struct Places<'a> {
    lanes: &'a [u32],
    count: usize,
    size: Size,
}

impl Places<'_> {
    /// The left end of its column, and the top of its row.
    fn of(&self, at: usize, proof: &Proof) -> [f64; 2] {
        let lane = self.lanes.iter().position(|process| *process == proof.process);
        [self.size.left() + self.step() * at as f64, ROW * lane.unwrap_or(0) as f64]
    }

    fn step(&self) -> f64 {
        (self.size.right() - self.size.left()) / self.count as f64
    }

    fn bar(&self) -> f64 {
        self.step() * 0.6
    }
}

/// From the right end of a bar to the left end of the next one.
fn onward(svg: &mut Svg, link: Link, (from, to): ([f64; 2], [f64; 2]), places: &Places) {
    let start = [from[0] + places.bar(), from[1] + TOP + BAR / 2.0];
    let end = [to[0] - 1.0, to[1] + TOP + BAR / 2.0];
    let line = format!("M{} {}L{} {}", n(start[0]), n(start[1]), n(end[0] - 5.0), n(end[1]));
    svg.path(class(link), &line, Some(reason(link)));
    head(svg, link, end, [1.0, 0.0]);
}

/// From the last bar, below all lanes, to the first one.
fn back(svg: &mut Svg, link: Link, (from, to): ([f64; 2], [f64; 2]), places: &Places, height: f64) {
    let (right, left) = (from[0] + places.bar() / 2.0, to[0] + places.bar() / 2.0);
    let (start, end) = (from[1] + TOP + BAR, to[1] + TOP + BAR + 1.0);
    let (below, right, left) = (n(height + 12.0), n(right), n(left));
    let line = format!("M{right} {}V{below}H{left}V{}", n(start), n(end + 5.0));
    svg.path(class(link), &line, Some(reason(link)));
    let middle = to[0] + places.bar() / 2.0;
    head(svg, link, [middle, end], [0.0, -1.0]);
}

/// The head of an arrow that ends there and points that way.
fn head(svg: &mut Svg, link: Link, [x, y]: [f64; 2], [right, down]: [f64; 2]) {
    let (back, side) = (6.0, 3.5);
    let corner = |sign: f64| {
        let (x, y) = (x - back * right + sign * side * down, y - back * down + sign * side * right);
        format!("{} {}", n(x), n(y))
    };
    let d = format!("M{} {}L{}L{}Z", n(x), n(y), corner(1.0), corner(-1.0));
    svg.path(&format!("{} arrowhead", class(link)), &d, None);
}

fn class(link: Link) -> &'static str {
    match link {
        Link::Process | Link::Read | Link::Filled => "arrow",
        Link::Found | Link::FoundNothing => "arrow against",
    }
}

fn reason(link: Link) -> &'static str {
    match link {
        Link::Process => "the same process did it later",
        Link::Read => "its value was found",
        Link::Filled => "it filled the key before the load",
        Link::Found => "it found that value, so what it knew of the key was overwritten by it",
        Link::FoundNothing => "it found no key, so it came before every write",
    }
}

/// With its key, because there may be several.
fn label_of(proof: &Proof, size: Size) -> String {
    let what = window::label(proof, size);
    match (proof.key, size) {
        (Some(key), Size::Wide) => format!("{what} of key {key}"),
        (Some(key), Size::Narrow) => format!("{key}: {what}"),
        (None, _) => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::ProofAction;

    fn proof(process: u32, action: ProofAction, value: Option<u64>, link: Link) -> Proof {
        let (key, link) = (Some(7), Some(link));
        Proof {
            process,
            action,
            value,
            expected: None,
            sent_ms: 1.0,
            done_ms: Some(2.0),
            key,
            link,
            group: None,
        }
    }

    #[test]
    fn a_lane_for_each_client_and_an_arrow_for_each_reason() {
        let circle = [
            proof(3, ProofAction::Write, Some(5), Link::Read),
            proof(4, ProofAction::Read, Some(5), Link::Process),
            proof(4, ProofAction::Read, None, Link::FoundNothing),
        ];
        for size in Size::BOTH {
            let drawn = draw(&circle, 0.0, size).unwrap();
            assert_eq!(drawn.matches("<rect").count(), 3);
            assert_eq!(drawn.matches(r#"class="lane""#).count(), 2);
            assert_eq!(drawn.matches(r#"<path class="arrow" "#).count(), 2, "{drawn}");
            assert_eq!(drawn.matches(r#"<path class="arrow against" "#).count(), 1, "{drawn}");
            assert_eq!(drawn.matches("arrowhead").count(), 3);
            assert!(drawn.contains("it came before every write"), "{drawn}");
        }
        assert!(draw(&circle, 0.0, Size::Wide).unwrap().contains("read no key of key 7"));
        assert_eq!(draw(&[], 0.0, Size::Wide), None);
        assert_eq!(draw(&vec![circle[0].clone(); 17], 0.0, Size::Wide), None);
    }
}
