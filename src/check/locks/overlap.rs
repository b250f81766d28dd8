//! Finds overlaps: a client got a lock that already had all the holders it allows.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::session::Held;
use crate::model::Nanos;

/// `then` got the lock while `first` had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overlap<'a> {
    pub first: &'a Held,
    /// Those that had it too, of a lock that several may have.
    pub besides: Vec<&'a Held>,
    pub then: &'a Held,
    /// They used it afterwards. Else they only gave it back afterwards.
    pub is_certain: bool,
}

/// When one that has a lock does not any more: its last use, or the giving back.
type End = fn(&Held) -> Nanos;

/// The overlaps on one lock that so many `holders` may have at once. `held` is in the order of
/// getting it: one overlap at most for each that got it, with those that used it for the longest,
/// or else had it for the longest. Several readers may have it besides.
pub(super) fn overlaps(held: &[Held], holders: usize) -> Vec<Overlap<'_>> {
    let mut found = Vec::new();
    // Of readers, and of those alone.
    let mut until = [Longest::default(), Longest::default()];
    for then in held {
        let others = if then.shared { &until[1..] } else { &until[..] };
        let too_many = |used, end: End| {
            let still = others.iter().flat_map(|longest| longest.still(used, end, then.got));
            let mut still: Vec<&Held> = still.collect();
            still.sort_by_key(|one| Reverse(end(one)));
            still.truncate(holders);
            (still.len() == holders).then_some((still, used))
        };
        let overlap =
            too_many(true, |one| one.used).or_else(|| too_many(false, |one| one.given_back));
        if let Some((mut still, is_certain)) = overlap {
            let first = still.remove(0);
            found.push(Overlap { first, besides: still, then, is_certain });
        }
        until[usize::from(!then.shared)].hear(then, holders);
    }
    found
}

/// As many as may have the lock, each time the one that ends first in front: those that used it for
/// the longest so far, and those that had it. Others do not matter.
#[derive(Clone, Default)]
struct Longest<'a> {
    used: VecDeque<&'a Held>,
    had: VecDeque<&'a Held>,
}

impl<'a> Longest<'a> {
    fn hear(&mut self, held: &'a Held, most: usize) {
        let keep = |all: &mut VecDeque<&'a Held>, end: End| {
            all.insert(all.partition_point(|one| end(one) <= end(held)), held);
            all.drain(..all.len().saturating_sub(most));
        };
        keep(&mut self.used, |one| one.used);
        keep(&mut self.had, |one| one.given_back);
    }

    /// Those that did not end by `at`.
    fn still(&self, used: bool, end: End, at: Nanos) -> impl Iterator<Item = &'a Held> {
        let all = if used { &self.used } else { &self.had };
        all.iter().rev().take_while(move |one| end(one) > at).copied()
    }
}
