//! What each process may count on: to see its own writes, and never to go back in time.
//!
//! Terry and others, "Session guarantees for weakly consistent replicated data" (1994), call
//! these **read your writes** and **monotonic reads**. They are defined by the order of
//! versions. Clients do not see that order, they see instants. So only this counts as known: a
//! version certainly precedes another if some operation on it (its write, or a read that found
//! it) had ended before the write of the other was sent. The state without a key precedes every
//! version.

use std::collections::HashMap;

use crate::model::measure;
use crate::model::op::RegisterOp;
use crate::model::{Nanos, Verdict};

use super::checker::Checked;
use super::finding::{Example, Examples, Zero};
use super::linear::Call;
use super::register::NEVER;

/// The results for each process.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    /// Answered reads. Final reads are left out: they are redrill's own, by any free process.
    pub reads: u64,
    /// Reads of a version that precedes one that the same process had written before.
    pub own_missed: u64,
    /// Reads of a version that precedes one that the same process had read before.
    pub not_monotonic: u64,
    missed: Examples,
    back: Examples,
}

/// What is known about the instant at which a version appeared.
#[derive(Clone, Copy, Debug)]
struct Version {
    /// Not before its write was sent.
    from: Nanos,
    /// Not after the first operation on it had ended. If a value was written twice, nothing
    /// certainly comes after it.
    by: Nanos,
    once: bool,
}

/// The version that certainly came last among those that one process has seen and written.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    wrote: Option<(Nanos, u64)>,
    read: Option<(Nanos, u64)>,
}

impl Known {
    /// From a call that was done.
    fn learn(&mut self, call: &Call, versions: &HashMap<u64, Version>) {
        if let RegisterOp::Read(found) = call.act {
            let version = found.and_then(|value| Some((versions.get(&value)?.from, value)));
            self.read = self.read.max(version);
        } else if let Some(value) = call.written() {
            self.wrote = self.wrote.max(Some((call.sent, value)));
        }
    }
}

impl Sessions {
    /// Sorts `calls`, which are all calls to one key.
    pub(super) fn judge(&mut self, load: u8, key: u64, calls: &mut [Call]) {
        let versions = versions(calls);
        calls.sort_unstable_by_key(|call| (call.process, call.sent, call.done));
        for calls in calls.chunk_by(|a, b| a.process == b.process) {
            let (mut known, mut open): (Known, Vec<&Call>) = Default::default();
            for call in calls {
                open.retain(|earlier| {
                    let is_done = earlier.done < call.sent;
                    if is_done {
                        known.learn(earlier, &versions);
                    }
                    !is_done
                });
                if let RegisterOp::Read(found) = call.act {
                    self.read(load, key, call, found, &versions, &known);
                }
                open.extend(Some(call).filter(|call| call.is_answered()));
            }
        }
    }

    fn read(
        &mut self,
        load: u8,
        key: u64,
        read: &Call,
        found: Option<u64>,
        versions: &HashMap<u64, Version>,
        known: &Known,
    ) {
        self.reads += 1;
        // No key is before all versions. A value that nobody wrote proves nothing.
        let by = match found.map(|value| versions.get(&value)) {
            None => None,
            Some(Some(version)) => Some(version.by),
            Some(None) => return,
        };
        let newer = |seen: Option<(Nanos, u64)>| seen.filter(|(from, _)| by < Some(*from));
        if let Some((_, own)) = newer(known.wrote) {
            self.own_missed += 1;
            let what = format!("had written {own} there before");
            offer(&mut self.missed, load, key, read, &what);
        }
        if let Some((_, seen)) = newer(known.read) {
            self.not_monotonic += 1;
            let what = format!("had read the newer {seen} there before");
            offer(&mut self.back, load, key, read, &what);
        }
    }

    /// Reads that saw what their session cannot have seen.
    pub(super) fn wrong(&self) -> u64 {
        self.own_missed + self.not_monotonic
    }

    pub(super) fn counted_from(zero: Zero) -> Sessions {
        let examples = || Examples::counted_from(zero);
        Sessions { missed: examples(), back: examples(), ..Sessions::default() }
    }

    pub(super) fn told(&self) -> Checked {
        let mut told = Checked::default();
        let mut tell = |name, count: u64, what: &str, examples: &Examples| {
            let verdict = if count == 0 { Verdict::Pass } else { Verdict::Fail };
            let text =
                format!("{} of {} reads {what}", measure::count(count), measure::count(self.reads));
            told.find(name, verdict, (count, text), examples);
            told.measure(name, Some(count as f64));
        };
        let missed = "missed a write of the same client";
        tell("reads.own_missed", self.own_missed, missed, &self.missed);
        let back = "went back behind an earlier read of the same client";
        tell("reads.not_monotonic", self.not_monotonic, back, &self.back);
        told
    }
}

/// By value.
fn versions(calls: &[Call]) -> HashMap<u64, Version> {
    let mut versions: HashMap<u64, Version> = HashMap::new();
    for call in calls {
        let Some(value) = call.written() else { continue };
        let version = Version { from: call.sent, by: call.done, once: true };
        let again = |known: &mut Version| {
            *known = Version { from: known.from.min(call.sent), by: NEVER, once: false };
        };
        versions.entry(value).and_modify(again).or_insert(version);
    }
    for call in calls.iter().filter(|call| call.is_answered()) {
        // A read before its write is found by another check and proves nothing here.
        if let Some(version) = call.found().flatten().and_then(|value| versions.get_mut(&value))
            && version.once
            && version.from <= call.done
        {
            version.by = version.by.min(call.done);
        }
    }
    versions
}

fn offer(examples: &mut Examples, load: u8, key: u64, read: &Call, what: &str) {
    let process = u64::from(read.process);
    examples.offer((read.sent.0, process, load, key), |zero| {
        Example::new(load, key, read.done, format!("key {key}: {}, but {what}", read.told(zero)))
    });
}

#[cfg(test)]
mod tests;
