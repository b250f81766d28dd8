//! Two spans of a set that conflict, in O(n log n).
//!
//! A span is the `first` and `last` of a block (see [`super::zones`]). Two spans conflict if
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
    // Of the forward zones up to here, the one that reaches furthest.
    let mut furthest: Vec<usize> = Vec::with_capacity(forward.len());
    let mut least: Option<(Nanos, usize, usize)> = None;
    let mut meet = |zone: usize, other: usize| {
        if spans[other].0 < spans[zone].1 {
            let found = (size(zone, other), zone, other);
            least = Some(least.map_or(found, |least| least.min(found)));
        }
    };
    for &zone in &forward {
        let known = furthest.last().copied();
        known.into_iter().for_each(|known| meet(known, zone));
        furthest.push(known.filter(|known| spans[*known].1 >= spans[zone].1).unwrap_or(zone));
    }
    for zone in backward {
        let begun = forward.partition_point(|other| spans[*other].0 < spans[zone].1);
        begun.checked_sub(1).into_iter().for_each(|last| meet(furthest[last], zone));
    }
    least.map(|(_, a, b)| (a, b))
}
