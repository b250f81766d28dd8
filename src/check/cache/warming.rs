//! What it was worth to make copies before anybody asked for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::entity::Entity;
use crate::check::checker::Checked;
use crate::model::Nanos;

/// For so long after a step that warms, misses are compared with those of loads that were not warmed.
const COMPARED: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Warmings {
    /// By load and step: from its first entity to its last one.
    steps: BTreeMap<(u8, u32), (Nanos, Nanos)>,
    wanted: u64,
    /// Those that had a copy after it.
    had: u64,
    /// Copies that were made, and those of them that were read before their time was over.
    left: u64,
    used: u64,
    /// Answered reads: whose, when they were sent, and whether they found no copy.
    reads: Vec<(u8, Nanos, bool)>,
}

impl Warmings {
    pub(super) fn add(&mut self, entity: &Entity) {
        for one in &entity.wanted {
            let span = self.steps.entry((one.load, one.step)).or_insert((one.from, one.to));
            *span = (span.0.min(one.from), span.1.max(one.to));
            self.wanted += 1;
            self.had += u64::from(one.has);
            let Some((version, until)) = one.left else { continue };
            self.left += 1;
            let used = entity.reads.iter().any(|read| {
                let in_time = one.to <= read.sent && read.sent < until;
                in_time && read.is_hit() && read.version == Some(version)
            });
            self.used += u64::from(used);
        }
        let answered = entity.reads.iter().filter(|read| read.is_ok);
        self.reads.extend(answered.map(|read| (read.instance.0, read.sent, read.is_miss())));
    }

    pub(super) fn join(&mut self, other: Warmings) {
        let Warmings { steps, wanted, had, left, used, reads } = other;
        self.steps.extend(steps);
        self.wanted += wanted;
        self.had += had;
        self.left += left;
        self.used += used;
        self.reads.extend(reads);
    }

    pub(super) fn told(&self, told: &mut Checked) {
        let took = self.steps.values().map(|(from, to)| to.since(*from)).max();
        told.measure("warm.time", took.map(|took| took.as_secs_f64() * 1e3));
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64 * 100.0);
        told.measure("warm.done", share(self.had, self.wanted));
        told.measure("warm.used", share(self.used, self.left));
        let warm: BTreeSet<u8> = self.steps.keys().map(|(load, _)| *load).collect();
        let misses = |is_warm: bool| {
            let is_soon =
                |at: Nanos| self.steps.values().any(|(_, end)| *end <= at && at < *end + COMPARED);
            let of = self
                .reads
                .iter()
                .filter(|(load, at, _)| warm.contains(load) == is_warm && is_soon(*at));
            let (all, missed) = of.fold((0, 0), |(all, missed), (.., is_miss)| {
                (all + 1, missed + u64::from(*is_miss))
            });
            share(missed, all)
        };
        let gain = misses(true).zip(misses(false).filter(|cold| *cold > 0.0));
        told.measure("warm.gain", gain.map(|(warm, cold)| (1.0 - warm / cold) * 100.0));
    }
}
