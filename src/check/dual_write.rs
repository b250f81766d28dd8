//! Writes to two groups: at the end both hold the same.
//!
//! A key is **divergent** if its final values differ, and the two writes that left them say why.
//! The write of one may not have been done in the other group, or nobody knows whether it was:
//! it is **one-sided**. Both groups may have acknowledged both writes: then either one group
//! **lost** the write that certainly came last there, or the writes met on their way and the
//! groups took them in different order: **reordered**.

use std::collections::HashMap;

use crate::model::op::{Action, Op, Purpose};

use super::parts::Kept;
use super::per_key::{Found, PerKey, Words};
use super::register::{Fate, Read, Write, answered};

/// Judges every key that is written to two groups.
pub struct DualWrites;

#[derive(Debug, Default)]
pub struct Pair {
    /// By value, what came of it in each group.
    writes: HashMap<u64, [Option<Write>; 2]>,
    /// The last final read of each group that was answered.
    last: [Option<Read>; 2],
}

impl Kept for Pair {
    fn wants(op: &Op) -> bool {
        let last = op.purpose == Purpose::Final && matches!(op.action, Action::Register(_));
        op.group < 2 && (last || op.action.written().is_some())
    }

    fn keep(&mut self, op: &Op) {
        let group = usize::from(op.group);
        if let Some(write) = Write::of(op) {
            self.writes.entry(write.value).or_default()[group] = Some(write);
        }
        let read = answered(op).filter(|read| self.last[group].is_none_or(|l| l.sent < read.sent));
        self.last[group] = read.or(self.last[group]);
    }
}

const WORDS: Words = Words {
    name: "dual writes",
    family: "dual",
    known: &["acknowledged"],
    sums: &[],
    text: "{wrong} keys differ between their two groups: {one_sided} by a write that only one is known \
           to have taken, {lost} by a write that one lost, {reordered} by writes in different order",
    unread: "the final state of {unread} keys could not be read",
};

impl PerKey for DualWrites {
    type Key = Pair;

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn judge(&self, at: (u8, u64), pair: &Pair, found: &mut Found) {
        let done = |write: &Option<Write>| write.is_some_and(|w| w.fate == Fate::Acknowledged);
        let both = pair.writes.values().filter(|halves| halves.iter().all(done)).count();
        found.add("acknowledged", both as u64);
        let [Some(first), Some(second)] = pair.last else {
            if !pair.writes.is_empty() {
                found.unread();
            }
            return;
        };
        if first.value == second.value {
            return;
        }
        let ends = [first.value, second.value];
        let (word, why) = pair.explained(ends);
        found.add(word, 1);
        found.show(at, (first.sent.0, 0), first.done.max(second.done), |zero| {
            let [a, b] = ends.map(|end| end.map_or("no key".to_owned(), |end| end.to_string()));
            let told: Vec<String> = ends
                .iter()
                .flatten()
                .map(|value| {
                    let halves = pair.writes.get(value).copied().unwrap_or_default();
                    let [a, b] = halves.map(|half| {
                        half.map_or("not written".to_owned(), |half| {
                            let fate = match half.fate {
                                Fate::Acknowledged => {
                                    format!("acknowledged at {}", zero.tell(half.done))
                                }
                                Fate::Unknown => "without an answer".to_owned(),
                                Fate::Refused => "refused".to_owned(),
                            };
                            format!("sent at {}, {fate}", zero.tell(half.sent))
                        })
                    });
                    format!("{value} was to the first {a}, to the second {b}")
                })
                .collect();
            let key = at.1;
            format!(
                "key {key} ended with {a} in the first group and {b} in the second: {why}; {}",
                told.join("; ")
            )
        });
    }
}

impl Pair {
    /// Why the groups hold different values at their ends.
    fn explained(&self, [a, b]: [Option<u64>; 2]) -> (&'static str, &'static str) {
        let half = |value: Option<u64>, group: usize| {
            let write = self.writes.get(&value?)?[group];
            write.filter(|write| write.fate == Fate::Acknowledged)
        };
        let missing = |value: Option<u64>, group| value.is_some() && half(value, group).is_none();
        if missing(a, 1) || missing(b, 0) {
            return ("one_sided", "only one is known to have taken it");
        }
        // A value that is the end of one group, and was written to it before the other one.
        let covered = |end: Option<u64>, other: Option<u64>, group: usize| {
            let Some(last) = half(other, group) else { return false };
            // No key at the end is older than any write.
            end.is_none() || half(end, group).is_some_and(|first| first.done < last.sent)
        };
        match (covered(a, b, 0), covered(b, a, 1)) {
            (false, false) => ("reordered", "the groups took two writes in different order"),
            _ => ("lost", "one of them lost the later write"),
        }
    }
}

#[cfg(test)]
mod tests;
