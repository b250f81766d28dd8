//! Operations that no order explains: a lane for each client, in the order of their first
//! operations, a bar for each operation, and a colour for each value.
//!
//! Instants are in their order and not to scale: the drawing shows what was over before
//! something else began, and that may be a microsecond beside ten seconds.

use crate::check::{Proof, ProofAction};

use super::frame::Size;
use super::svg::Svg;

const ROW: f64 = 36.0;
const BAR: f64 = 9.0;
/// Windows with more operations are described and not drawn.
const MOST: usize = 12;
const COLOURS: usize = 12;

/// The drawing, with instants since `zero_ms`; `None` if there is nothing to draw.
pub(super) fn draw(window: &[Proof], zero_ms: f64, size: Size) -> Option<String> {
    if window.is_empty() || window.len() > MOST {
        return None;
    }
    let mut lanes: Vec<u32> = Vec::new();
    for proof in window {
        if !lanes.contains(&proof.process) {
            lanes.push(proof.process);
        }
    }
    let (height, label) = (ROW * lanes.len() as f64, "Operations that no order explains");
    let class = format!("{} window", size.class());
    let mut svg = Svg::new(size.width(), height + 4.0, &class, label);
    let axis = Axis::of(window, size);
    for (lane, process) in lanes.iter().enumerate() {
        let y = ROW * lane as f64;
        let group = window.iter().find(|proof| proof.process == *process);
        let group = group.and_then(|proof| proof.group.clone());
        let name = group.unwrap_or_else(|| name(*process, size));
        svg.text("lane", "end", [size.left() - 6.0, y + 27.0], &name);
        svg.line("grid", [size.left(), y + 32.5, size.right(), y + 32.5], None);
        for proof in window.iter().filter(|proof| proof.process == *process) {
            let title = tooltip(proof, zero_ms);
            bar(&mut svg, (proof, &title), &axis, y, size, colour(window, proof));
        }
    }
    Some(svg.done())
}

pub(super) fn name(process: u32, size: Size) -> String {
    match size {
        Size::Wide => format!("process {process}"),
        Size::Narrow => process.to_string(),
    }
}

pub(super) fn tooltip(proof: &Proof, zero_ms: f64) -> String {
    let seconds = |at_ms: f64| format!("{:.6} s", (at_ms - zero_ms) / 1e3);
    let done = proof.done_ms.map(|at| format!("done at {}", seconds(at)));
    let done = done.unwrap_or_else(|| "never answered".to_owned());
    format!("{}: sent at {}, {done}", label(proof, Size::Wide), seconds(proof.sent_ms))
}

fn bar(
    svg: &mut Svg,
    (proof, title): (&Proof, &str),
    axis: &Axis,
    y: f64,
    size: Size,
    colour: usize,
) {
    let (from, to) = (axis.x(Some(proof.sent_ms)), axis.x(proof.done_ms));
    svg.text("title", "start", [from, y + 15.0], &label(proof, size));
    let open = if proof.done_ms.is_none() { " open" } else { "" };
    let class = format!("call s{colour}{open}");
    svg.rect(&class, [from, y + 20.0, (to - from).max(3.0), BAR], Some(title));
}

pub(super) fn label(proof: &Proof, size: Size) -> String {
    let shown = |value: Option<u64>| value.map_or("no key".to_owned(), |value| value.to_string());
    let value = shown(proof.value);
    match (proof.action, size) {
        (ProofAction::Cas, _) => format!("{} → {value}", shown(proof.expected)),
        (ProofAction::Write, Size::Wide) => format!("wrote {value}"),
        (ProofAction::Write, Size::Narrow) => format!("w {value}"),
        (ProofAction::Held, Size::Wide) => format!("had it, token {value}"),
        (ProofAction::Held, Size::Narrow) => value,
        (_, Size::Wide) => format!("read {value}"),
        (_, Size::Narrow) => format!("r {value}"),
    }
}

/// The index of its value among those of the window.
pub(super) fn colour(window: &[Proof], proof: &Proof) -> usize {
    let mut values: Vec<Option<u64>> = window.iter().map(|proof| proof.value).collect();
    values.sort_unstable();
    values.dedup();
    values.iter().position(|value| *value == proof.value).unwrap_or(0) % COLOURS
}

/// All instants of a window, in their order.
struct Axis {
    instants: Vec<f64>,
    left: f64,
    step: f64,
}

impl Axis {
    fn of(window: &[Proof], size: Size) -> Axis {
        let ends = |proof: &Proof| [Some(proof.sent_ms), proof.done_ms].into_iter().flatten();
        let mut instants: Vec<f64> = window.iter().flat_map(ends).collect();
        instants.sort_unstable_by(f64::total_cmp);
        instants.dedup();
        let step = (size.right() - size.left()) / instants.len().max(1) as f64;
        Axis { instants, left: size.left(), step }
    }

    /// An instant that never comes is at the right end.
    fn x(&self, at: Option<f64>) -> f64 {
        let place = at.and_then(|at| self.instants.iter().position(|other| *other >= at));
        self.left + self.step * place.unwrap_or(self.instants.len()) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(process: u32, action: ProofAction, value: u64, sent: f64, done: Option<f64>) -> Proof {
        let (value, expected) = (Some(value), None);
        let (key, link) = (None, None);
        Proof {
            process,
            action,
            value,
            expected,
            sent_ms: sent,
            done_ms: done,
            key,
            link,
            group: None,
        }
    }

    #[test]
    fn a_bar_for_each_operation_and_a_lane_for_each_client() {
        let window = [
            proof(3, ProofAction::Write, 5, 1.0, Some(2.0)),
            proof(4, ProofAction::Cas, 6, 3.0, None),
            proof(3, ProofAction::Read, 5, 9_000.0, Some(9_001.0)),
        ];
        let drawn = draw(&window, 1_000.0, Size::Wide).unwrap();
        assert_eq!(drawn.matches("<rect").count(), 3);
        assert_eq!(drawn.matches("process ").count(), 2);
        assert_eq!(drawn.matches(r#""call s0""#).count(), 2, "the same value, the same colour");
        assert!(drawn.contains("call s1 open") && drawn.contains("never answered"), "{drawn}");
        assert!(drawn.contains("no key → 6"), "{drawn}");
        let of_group = |proof: &Proof| Proof { group: Some("eu".to_owned()), ..proof.clone() };
        let drawn = draw(&window.each_ref().map(of_group), 1_000.0, Size::Wide).unwrap();
        assert!(drawn.contains(">eu<") && !drawn.contains("process "), "{drawn}");
        assert!(drawn.contains("read 5: sent at 8.000000 s, done at 8.001000 s"), "{drawn}");
        assert_eq!(draw(&[], 0.0, Size::Wide), None);
        assert_eq!(draw(&vec![window[0].clone(); 13], 0.0, Size::Wide), None);
    }
}
