//! Which cycles of sessions that wait for each other closed, and how long they lasted.

use std::time::Duration;

use super::takers::{Taker, Takers};
use crate::load::WaitsFor;
use crate::model::Nanos;

/// A cycle that closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deadlock {
    pub closed: Nanos,
    pub over: Nanos,
    /// Each of its sessions' clients knew that it has to wait.
    pub known: Nanos,
    /// Each waits for the next one, and the last one for the first.
    pub members: Vec<Member>,
    /// When the load found it, if it did.
    pub found: Option<Nanos>,
    /// It was over before the load's end cut one of its sessions off.
    pub resolved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub token: u64,
    pub waits_for: u64,
}

/// How long a session has a lock at most.
pub(super) type Lease<'a> = &'a dyn Fn(&Taker) -> Duration;

/// Something that a session did at an instant. Of several at one instant the giving back comes
/// first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Did {
    HasNoMore,
    WaitsNoMore,
    Has,
    Waits,
}

/// The cycles that closed, in their order.
pub(super) fn deadlocks(takers: &Takers, lease: Lease<'_>) -> Vec<Deadlock> {
    let mut all: Vec<(Nanos, Did, u64, u64)> = Vec::new();
    let end = takers.values().map(Taker::tried).max().unwrap_or_default();
    for (token, taker) in takers {
        let mut did = |(from, to), lock, begins, ends| {
            if from < to {
                all.extend([(from, begins, *token, lock), (to, ends, *token, lock)]);
            }
        };
        taker.waits(end).for_each(|one| did(one.span, one.lock, Did::Waits, Did::WaitsNoMore));
        let had = taker.had(lease(taker));
        had.for_each(|(lock, span)| did(span, lock, Did::Has, Did::HasNoMore));
    }
    all.sort_unstable();
    let (mut graph, mut found) = (WaitsFor::default(), Vec::new());
    for (at, did, token, lock) in all {
        match did {
            Did::HasNoMore => graph.gives_back(token, lock),
            Did::WaitsNoMore => graph.waits_no_more(token),
            // Its end is told.
            Did::Has => graph.has(token, lock, Nanos(u64::MAX)),
            Did::Waits => {
                let cycle = graph.waits(token, lock, at);
                found.extend(cycle.map(|cycle| deadlock((at, end), &cycle, takers, lease)));
            }
        }
    }
    found
}

fn deadlock(
    (closed, end): (Nanos, Nanos),
    cycle: &[u64],
    takers: &Takers,
    lease: Lease<'_>,
) -> Deadlock {
    let (mut over, mut cut_off) = (Nanos(u64::MAX), Nanos(u64::MAX));
    let (mut known, mut members) = (closed, Vec::new());
    for (place, token) in cycle.iter().enumerate() {
        let holder = &takers[&cycle[(place + 1) % cycle.len()]];
        // It waits for one lock at a time.
        let mut waits = takers[token].waits(end);
        let Some(one) = waits.find(|one| one.span.0 <= closed && closed < one.span.1) else {
            continue;
        };
        let until = if one.cut_off { &mut cut_off } else { &mut over };
        *until = one.span.1.min(*until);
        known = known.max(one.known);
        let had = holder.had(lease(holder)).find(|(had, _)| *had == one.lock);
        over = over.min(had.map_or(closed, |(_, (_, to))| to));
        members.push(Member { token: *token, waits_for: one.lock });
    }
    let resolved = over <= cut_off;
    Deadlock { closed, known, over: over.min(cut_off), members, found: None, resolved }
}

/// How often the session waited for a lock while it had another one.
pub(super) fn chances(taker: &Taker, lease: Lease<'_>) -> u64 {
    let had = |at: Nanos| {
        let mut spans = taker.had(lease(taker));
        spans.any(|(_, (from, to))| from <= at && at < to)
    };
    taker.waits(taker.tried()).filter(|one| had(one.span.0)).count() as u64
}
