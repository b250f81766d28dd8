//! Deadlocks of sessions that take several locks each: which cycles of them closed, whatever their
//! load said, and whether the load found them.
//!
//! A session waits for a lock from the first try that was in vain, until it has the lock or gives
//! back what it has. It has one from the instant at which its client knew so, until it sent the
//! giving back, or its lease was over. Both are spans of redrill's clock. A deadlock closes when a
//! session begins to wait and so comes into a cycle; it is over when one of the cycle does not wait
//! any more, or does not have any more what another one waits for.

mod cycles;
mod takers;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::model::measure::count;
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context, OverTime};
use super::finding::{Example, Examples, Zero};
use super::parts::{History, ReadError};
use super::quantile::quantile;

use cycles::{Deadlock, Lease, Member, chances, deadlocks};
use takers::{Taker, Takers};

/// Looks for deadlocks of loads that take several locks.
pub struct Deadlocks;

/// Sessions begin nothing more once their load has ended, so one that closed so long before it cut
/// them off is neither missed nor unresolved.
const NEW: Duration = Duration::from_secs(1);

/// What was found in all sets of keys.
#[derive(Default)]
struct Found {
    deadlocks: u64,
    reported: u64,
    /// It did not report, though all clients of the cycle knew that they wait.
    missed: u64,
    resolved: u64,
    /// The load's end cut them off so soon that they may have been over at once.
    new: u64,
    /// Reports of a load that no cycle bears out.
    false_alarms: u64,
    /// Waits of sessions that had a lock already.
    chances: u64,
    /// In nanoseconds.
    detect: Vec<u64>,
    lasted: Vec<u64>,
    examples: Examples,
    of_false: Examples,
    over_time: OverTime,
}

impl Checker for Deadlocks {
    fn name(&self) -> &'static str {
        "deadlocks"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let lease = |load: u8| context.lease_of_several(load);
        let mut all: BTreeMap<u8, Takers> = BTreeMap::new();
        history.each_of(&|head| lease(head.load).is_some(), &mut |op| {
            Taker::keep(all.entry(op.keyspace()).or_default(), op);
        })?;
        if context.locks.iter().flatten().all(|locks| locks.lease_of_several().is_none()) {
            return Ok(Checked::default());
        }
        let mut found = Found {
            examples: Examples::counted_from(context.zero),
            of_false: Examples::counted_from(context.zero),
            over_time: OverTime::new(&context.windows),
            ..Found::default()
        };
        for takers in all.values() {
            found.judge(takers, &|taker| lease(taker.load).unwrap_or_default());
        }
        Ok(found.told())
    }
}

impl Found {
    fn judge(&mut self, takers: &Takers, lease: Lease<'_>) {
        let mut deadlocks = deadlocks(takers, lease);
        let mut right = HashSet::new();
        for one in &mut deadlocks {
            for Member { token, .. } in &one.members {
                let Some(at) = takers[token].found.filter(|at| *at <= one.over) else { continue };
                if one.closed <= at {
                    right.insert(*token);
                }
                // Who is to end an earlier one ends this one too.
                let at = at.max(one.closed);
                one.found = Some(one.found.map_or(at, |known| known.min(at)));
            }
        }
        for (token, taker) in takers {
            if let Some(at) = taker.found.filter(|_| !right.contains(token)) {
                self.false_alarm(*token, taker, at);
            }
        }
        self.chances += takers.values().map(|taker| chances(taker, lease)).sum::<u64>();
        deadlocks.iter().for_each(|one| self.deadlock(one, takers));
    }

    fn false_alarm(&mut self, token: u64, taker: &Taker, at: Nanos) {
        self.false_alarms += 1;
        let key = taker.wishes.keys().next().copied().unwrap_or_default();
        self.of_false.offer((at.0, token, taker.load, key), |zero| {
            let text = format!(
                "client {} (token {token}) was in no deadlock at {}",
                taker.process,
                zero.tell_exactly(at)
            );
            Example::new(taker.load, key, at, text)
        });
    }

    fn deadlock(&mut self, one: &Deadlock, takers: &Takers) {
        let Some(first) = one.members.first() else { return };
        let load = takers[&first.token].load;
        let nanos = |until: Nanos| until.since(one.closed).as_nanos() as u64;
        self.deadlocks += 1;
        self.reported += u64::from(one.found.is_some());
        let is_new = !one.resolved && one.over.since(one.closed) < NEW;
        self.new += u64::from(is_new);
        self.missed += u64::from(one.found.is_none() && one.known < one.over && !is_new);
        self.resolved += u64::from(one.resolved);
        self.detect.extend(one.found.map(nanos));
        self.lasted.push(nanos(one.over));
        self.over_time.count(load, one.closed);
        // The longest first.
        let rank = (u64::MAX - nanos(one.over), one.closed.0, load, first.waits_for);
        self.examples.offer(rank, |zero| {
            Example::new(load, first.waits_for, one.closed, told(one, takers, zero))
        });
    }

    fn told(mut self) -> Checked {
        let mut told = Checked::default();
        let verdict = |wrong: u64| if wrong > 0 { Verdict::Fail } else { Verdict::Pass };
        let text = format!(
            "{} deadlocks of sessions that take several locks; the load found {}, {} were resolved",
            count(self.deadlocks),
            count(self.reported),
            count(self.resolved)
        );
        let all = (self.deadlocks, text);
        told.find("lock.deadlocks", verdict(self.deadlocks), all, &self.examples);
        let text =
            format!("{} sessions ended for a deadlock that was none", count(self.false_alarms));
        let alarms = (self.false_alarms, text);
        told.find("lock.deadlocks.false", verdict(self.false_alarms), alarms, &self.of_false);
        for (name, value) in [
            ("lock.deadlocks", self.deadlocks),
            ("lock.deadlocks.found", self.reported),
            ("lock.deadlocks.missed", self.missed),
            ("lock.deadlocks.resolved", self.resolved),
            ("lock.deadlocks.unresolved", self.deadlocks - self.resolved - self.new),
            ("lock.deadlocks.false", self.false_alarms),
            ("lock.deadlocks.chances", self.chances),
        ] {
            told.measure(name, Some(value as f64));
        }
        self.detect.sort_unstable();
        self.lasted.sort_unstable();
        for (name, share, all) in [
            ("lock.deadlocks.detect.p99", 0.99, &self.detect),
            ("lock.deadlocks.detect.max", 1.0, &self.detect),
            ("lock.deadlocks.lasted.p99", 0.99, &self.lasted),
            ("lock.deadlocks.lasted.max", 1.0, &self.lasted),
        ] {
            // Without a deadlock none lasted; one that was not found has no time until then.
            let none = (self.deadlocks == 0).then_some(0);
            told.measure(name, quantile(all, share).or(none).map(|nanos| nanos as f64 / 1e6));
        }
        told.over_time.insert("lock.deadlocks", self.over_time);
        told
    }
}

fn told(one: &Deadlock, takers: &Takers, zero: Zero) -> String {
    let member = |member: &Member| {
        let process = takers[&member.token].process;
        format!("client {process} (token {}) waited for lock {}", member.token, member.waits_for)
    };
    let members: Vec<String> = one.members.iter().map(member).collect();
    let found = match one.found {
        Some(at) => format!("found at {}", zero.tell_exactly(at)),
        None => "not found".to_owned(),
    };
    format!(
        "{}, which the next one had, and the last one the first: closed at {}, {found}, over at {}",
        members.join(", "),
        zero.tell_exactly(one.closed),
        zero.tell_exactly(one.over)
    )
}

#[cfg(test)]
mod tests;
