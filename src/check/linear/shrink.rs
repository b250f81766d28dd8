//! The smallest window: from calls that no order explains, a few that no order explains.
//!
//! A part of a history that has an order need not have one: a read without its write has none.
//! But two kinds of calls may be left out of any order: a read, and a write that no other
//! remaining call finds (it is followed by a write, or by the end). So the rest proves as much
//! as the whole did. This leaves out halves, quarters and so on down to single calls, as delta
//! debugging does (Zeller and Hildebrandt, 2002), as long as the rest still has no order.

use std::collections::HashSet;

use super::call::Call;
use crate::model::op::RegisterOp;

/// Leaves out of `calls` what can be left out. Asks `broken` at most `tries` times whether the
/// rest certainly has no order.
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

/// `calls` without those of the `size` calls from `at` on that can be left out.
fn without(calls: &[Call], at: usize, size: usize) -> Vec<Call> {
    let chunk = at..at + size;
    let is_read = |call: &Call| matches!(call.act, RegisterOp::Read(_));
    let stays = |(i, call): &(usize, &Call)| !(chunk.contains(i) && is_read(call));
    let mut left: Vec<(usize, &Call)> = calls.iter().enumerate().filter(stays).collect();
    // If a compare-and-set is left out, the write that it found may be left out as well.
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
