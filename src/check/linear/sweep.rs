//! Two spans of a set that conflict, in O(n log n).
//!
//! A span is the `first` and `last` of a block (see `zones`). Two spans conflict if
//! each has its `first` before the other's `last`. Gibbons and Korach call a span with
//! first < last a *forward zone*: two of them conflict if they overlap. One with
//! last ≤ first is a *backward zone*: two of these never conflict, and one conflicts with a
//! forward zone if it lies within it.

use crate::model::Nanos;

/// `first` and `last`; what is before all instants is `None`.
pub(super) type Span = (Option<Nanos>, Option<Nanos>);

/// Of the conflicts that a sweep meets (at least one, if there is any) the one of least `size`.
pub(super) fn conflict(
    spans: &[Span],
    size: impl Fn(usize, usize) -> Nanos,
) -> Option<(usize, usize)> {
    let (mut forward, backward): (Vec<usize>, Vec<usize>) =
        (0..spans.len()).partition(|i| spans[*i].0 < spans[*i].1);
    forward.sort_unstable_by_key(|i| spans[*i]);
    let mut least: Option<(Nanos, usize, usize)> = None;
    let mut meet = |zone: usize, other: usize| {
        if spans[other].0 < spans[zone].1 {
            let found = (size(zone, other), zone, other);
            least = Some(least.map_or(found, |least| least.min(found)));
        }
    };
    let mut furthest: Option<usize> = None;
    for &zone in &forward {
        furthest.into_iter().for_each(|other| meet(other, zone));
        furthest = furthest.filter(|other| spans[*other].1 >= spans[zone].1).or(Some(zone));
    }
    // Only the last forward zone that began before it can hold it: those before have ended, or
    // else two of them conflict, and that has been met.
    for zone in backward {
        let begun = forward.partition_point(|other| spans[*other].0 < spans[zone].1);
        begun.checked_sub(1).into_iter().for_each(|last| meet(forward[last], zone));
    }
    least.map(|(_, a, b)| (a, b))
}
