//! The smallest window: of calls that no order explains, a few that none explains.
//!
//! Not every part of a history that has an order has one itself: a read without its
//! write has none. But two things may be left out of any order: a read, and a write that no other
//! call that is left finds (what follows it is a write, or the end). So what is left
//! proves as much as the whole did. This leaves out halves, quarters and so on
//! down to single calls, as delta debugging does (Zeller and Hildebrandt, 2002), as long
//! as what is left has no order still.

use std::collections::HashSet;

use super::call::{Act, Call};

/// Leaves out of `calls` what can be left out, asking `broken` at most `tries` times whether what
/// is left has certainly no order.
pub(super) fn shrink(
    mut calls: Vec<Call>,
    mut tries: u32,
    mut broken: impl FnMut(&[Call]) -> bool,
) -> Vec<Call> {
    calls.sort_by_key(|call| (call.sent, call.done));
    let mut size = calls.len().div_ceil(2).max(1);
    loop {
        let before = calls.len();
        let mut at = 0;
        while at < calls.len() && tries > 0 {
            let fewer = without(&calls, at, size);
            if fewer.len() == calls.len() {
                at += size;
                continue;
            }
            tries -= 1;
            if broken(&fewer) { calls = fewer } else { at += size }
        }
        let again = size == 1 && calls.len() < before;
        if tries == 0 || (size == 1 && !again) {
            return calls;
        }
        size = size.div_ceil(2);
    }
}

/// `calls` without those of the `size` from `at` on that can be left out.
fn without(calls: &[Call], at: usize, size: usize) -> Vec<Call> {
    let chunk = at..at + size;
    let is_read = |call: &Call| matches!(call.act, Act::Read(_));
    let stays = |(i, call): &(usize, &Call)| !(chunk.contains(i) && is_read(call));
    let mut left: Vec<(usize, &Call)> = calls.iter().enumerate().filter(stays).collect();
    // A compare-and-set that goes lets go what it found: then that can go as well.
    loop {
        let before = left.len();
        let found: HashSet<u64> = left.iter().filter_map(|(_, call)| call.found()?).collect();
        left.retain(|(i, call)| {
            !chunk.contains(i) || call.written().is_none_or(|value| found.contains(&value))
        });
        if left.len() == before {
            return left.into_iter().map(|(_, call)| *call).collect();
        }
    }
}
