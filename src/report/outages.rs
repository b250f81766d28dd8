//! Folding outages: the longest and the sum for each canary, and a list for the reader.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::model::Nanos;
use crate::model::event::Canary;
use crate::model::op::{Access, Cause};

use super::data::Outage;
use super::millis;
use super::spans::Span;

/// As many outages are listed; all are counted.
const LISTED: usize = 2_000;
/// So many are kept, for failovers to be found in them.
const KEPT: usize = 200_000;

/// What one canary suffered for one action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Suffered {
    pub longest: Duration,
    pub total: Duration,
    /// The same without the time in which redrill itself was not run.
    pub longest_watched: Duration,
    pub total_watched: Duration,
}

impl Listed {
    fn is_of(&self, span: Span, at: Nanos) -> bool {
        let goes_on = self.from < at && self.to.is_none_or(|to| to > at);
        span.contains(self.from) || goes_on
    }
}

impl Suffered {
    fn add(&mut self, outage: &Listed) {
        let watched = outage.length.saturating_sub(outage.blind);
        self.longest = self.longest.max(outage.length);
        self.total += outage.length;
        self.longest_watched = self.longest_watched.max(watched);
        self.total_watched += watched;
    }

    fn worse(self, other: &Suffered) -> Suffered {
        Suffered {
            longest: self.longest.max(other.longest),
            total: self.total.max(other.total),
            longest_watched: self.longest_watched.max(other.longest_watched),
            total_watched: self.total_watched.max(other.total_watched),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Outages {
    suffered: BTreeMap<(usize, bool), Suffered>,
    open: HashMap<(usize, Access), (Nanos, Cause)>,
    listed: Vec<Listed>,
    left_out: u64,
}

#[derive(Clone, Copy, Debug)]
struct Listed {
    canary: usize,
    action: Access,
    from: Nanos,
    to: Option<Nanos>,
    length: Duration,
    /// Of `length`: redrill itself was not run.
    blind: Duration,
    cause: Option<Cause>,
}

fn key(canary: usize, action: Access) -> (usize, bool) {
    (canary, action == Access::Write)
}

impl Outages {
    pub fn began(&mut self, canary: usize, action: Access, from: Nanos, cause: Cause) {
        self.open.entry((canary, action)).or_insert((from, cause));
    }

    pub fn ended(
        &mut self,
        (canary, action): (usize, Access),
        (from, to): (Nanos, Nanos),
        blind: Duration,
    ) {
        let cause = self.open.remove(&(canary, action)).map(|(_, cause)| cause);
        let length = to.since(from);
        self.count(Listed { canary, action, from, to: Some(to), length, blind, cause });
    }

    /// Counts outages that never ended: until the first of `ends` that lies after their
    /// beginning.
    pub fn close(&mut self, ends: &[Nanos]) {
        let mut open: Vec<_> = self.open.drain().collect();
        open.sort_by_key(|((canary, action), (from, _))| (*from, key(*canary, *action)));
        for ((canary, action), (from, cause)) in open {
            let end = ends.iter().find(|end| **end > from).copied().unwrap_or(from);
            let length = end.since(from);
            let (to, blind, cause) = (None, Duration::ZERO, Some(cause));
            self.count(Listed { canary, action, from, to, length, blind, cause });
        }
    }

    fn count(&mut self, outage: Listed) {
        self.suffered.entry(key(outage.canary, outage.action)).or_default().add(&outage);
        if self.listed.len() < KEPT {
            self.listed.push(outage);
        } else {
            self.left_out += 1;
        }
    }

    /// The worst of the canaries that `of` accepts: their longest outage, and the
    /// greatest sum that any one of them has.
    pub fn worst(&self, action: Access, of: impl Fn(usize) -> bool) -> Suffered {
        self.suffered
            .iter()
            .filter(|((canary, write), _)| *write == (action == Access::Write) && of(*canary))
            .fold(Suffered::default(), |worst, (_, one)| worst.worse(one))
    }

    /// When the first of the canaries that `of` accepts was served again after `at`: each counts
    /// by the longest outage that began within `span`, or was there at `at` already. `None` if
    /// none had one that ended.
    pub fn first_end(
        &self,
        action: Access,
        (span, at): (Span, Nanos),
        of: impl Fn(usize) -> bool,
    ) -> Option<Nanos> {
        let mut longest: BTreeMap<usize, &Listed> = BTreeMap::new();
        let mine = |one: &&Listed| one.action == action && one.is_of(span, at) && of(one.canary);
        for outage in self.listed.iter().filter(mine) {
            let kept = longest.entry(outage.canary).or_insert(outage);
            if outage.length > kept.length {
                *kept = outage;
            }
        }
        longest.values().filter_map(|outage| outage.to).min()
    }

    /// Whether one of the canaries that `of` accepts has such an outage that never ended.
    pub fn is_open(
        &self,
        action: Access,
        (span, at): (Span, Nanos),
        of: impl Fn(usize) -> bool,
    ) -> bool {
        let open = |one: &Listed| one.action == action && one.to.is_none() && one.is_of(span, at);
        self.listed.iter().any(|one| open(one) && of(one.canary))
    }

    /// The outages in the order of their beginnings, and how many were left out.
    pub fn list(&self, canaries: &[Canary]) -> (Vec<Outage>, u64) {
        let mut listed = self.listed.clone();
        listed.sort_by_key(|one| (one.from, key(one.canary, one.action)));
        let left_out = self.left_out + listed.len().saturating_sub(LISTED) as u64;
        let rows = listed.iter().take(LISTED).filter_map(|one| {
            let canary = canaries.get(one.canary)?;
            Some(Outage {
                group: canary.group.clone(),
                shard: canary.shard,
                slot: canary.slot,
                moves: canary.moves,
                action: one.action,
                from_ms: millis(one.from),
                to_ms: one.to.map(millis),
                duration_ms: one.length.as_secs_f64() * 1e3,
                blind_ms: one.blind.as_secs_f64() * 1e3,
                cause: one.cause,
            })
        });
        (rows.collect(), left_out)
    }
}
