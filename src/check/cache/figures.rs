//! What the cache of one load was worth.

use super::breakers::Breakers;
use super::entity::{Entity, Read};
use super::formats::Formats;
use super::invalidated::Invalidations;
use super::left::Left;
use super::memory::Memory;
use super::misses::Misses;
use super::names::Names;
use super::origin::OriginRecovery;
use super::over::Over;
use super::recovery::Recovery;
use super::stale::Stale;
use super::stampede::Stampedes;
use super::swept::Sweeps;
use super::warming::Warmings;
use crate::check::checker::Checked;
use crate::check::quantile::quantile;
use crate::model::op::FoundIn;

#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) reads: Reads,
    pub(super) stale: Stale,
    pub(super) stampedes: Stampedes,
    pub(super) misses: Misses,
    pub(super) memory: Memory,
    pub(super) invalidations: Invalidations,
    pub(super) breakers: Breakers,
    pub(super) recovery: Recovery,
    pub(super) names: Names,
    pub(super) formats: Formats,
    pub(super) left: Left,
    pub(super) sweeps: Sweeps,
    pub(super) warmings: Warmings,
    pub(super) origin: OriginRecovery,
}

impl Figures {
    pub(super) fn join(&mut self, other: Figures) {
        let Figures {
            reads,
            stale,
            stampedes,
            misses,
            // It is of one load's servers.
            memory: _,
            invalidations,
            breakers,
            recovery,
            names,
            formats,
            left,
            sweeps,
            warmings,
            origin,
        } = other;
        self.reads.join(reads);
        self.stale.join(stale);
        self.stampedes.join(stampedes);
        self.misses.join(misses);
        self.invalidations.join(invalidations);
        self.breakers.join(breakers);
        self.recovery.join(recovery);
        self.names.join(names);
        self.formats.join(formats);
        self.left.join(left);
        self.sweeps.join(sweeps);
        self.warmings.join(warmings);
        self.origin.join(origin);
    }

    pub(super) fn told(&mut self, told: &mut Checked) {
        self.reads.told(told);
        self.stale.told(told);
        self.stampedes.told(told);
        self.misses.told(told);
        self.invalidations.told(told);
        self.breakers.told(told);
        self.recovery.told(told);
        self.names.told(told);
        self.formats.told(told);
        self.left.told(told);
        self.sweeps.told(told);
        self.warmings.told(told);
        self.origin.told(told);
    }
}

const SECOND: u64 = 1_000_000_000;

/// Times in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Reads {
    sent: u64,
    answered: u64,
    near: u64,
    host: u64,
    near_group: u64,
    /// From due to done.
    hits: Vec<u64>,
    misses: Vec<u64>,
    writes: Vec<u64>,
    /// From sent to done, of hits.
    served: Vec<u64>,
    /// What the origin took.
    origin: Vec<u64>,
    /// When it was asked.
    asked: Vec<u64>,
    refused: u64,
    /// Acknowledged writes that the origin never got.
    lost: u64,
    /// Answers of the origin of which the group took no copy.
    unkept: u64,
    /// Writes whose commands to the group were counted, and how many those were.
    counted: u64,
    commands: u64,
}

impl Reads {
    pub(super) fn add(&mut self, entity: &Entity, over: &mut Over<'_>) {
        self.sent += entity.reads.len() as u64;
        for read in &entity.reads {
            self.answered += u64::from(read.is_ok);
            self.near += u64::from(read.is_ok && read.from == FoundIn::Process);
            self.host += u64::from(read.is_ok && read.from == FoundIn::Host);
            self.near_group += u64::from(read.is_ok && read.from == FoundIn::NearGroup);
            let took = read.done.since(read.intended).as_nanos() as u64;
            if read.is_hit() {
                self.hits.push(took);
                self.served.push(read.done.since(read.sent).as_nanos() as u64);
            } else if read.is_miss() {
                self.misses.push(took);
            }
        }
        for read in entity.reads.iter().chain(&entity.beside) {
            let Some((from, to)) = read.asked else { continue };
            self.asked.push(from.0);
            self.origin.push(to.since(from).as_nanos() as u64);
            over.count("origin.requests", read.instance.0, from);
        }
        self.writes.extend(&entity.wrote);
        self.refused += entity.refused;
        self.lost += entity.lost() as u64;
        let unkept =
            |read: &&Read| read.is_ok && read.from == FoundIn::Origin && read.kept.is_none();
        self.unkept += entity.reads.iter().filter(unkept).count() as u64;
        self.counted += entity.commands.len() as u64;
        self.commands += entity.commands.iter().copied().map(u64::from).sum::<u64>();
    }

    fn join(&mut self, other: Reads) {
        let Reads {
            sent,
            answered,
            near,
            host,
            near_group,
            hits,
            misses,
            writes,
            served,
            origin,
            asked,
            refused,
            lost,
            unkept,
            counted,
            commands,
        } = other;
        self.sent += sent;
        self.answered += answered;
        self.near += near;
        self.host += host;
        self.near_group += near_group;
        self.hits.extend(hits);
        self.misses.extend(misses);
        self.writes.extend(writes);
        self.served.extend(served);
        self.origin.extend(origin);
        self.asked.extend(asked);
        self.refused += refused;
        self.lost += lost;
        self.unkept += unkept;
        self.counted += counted;
        self.commands += commands;
    }

    fn told(&mut self, told: &mut Checked) {
        let Reads { hits, misses, writes, served, origin, asked, .. } = self;
        for all in [&mut *hits, misses, writes, served, origin, asked] {
            all.sort();
        }
        let share = |part: usize, of: u64| (of > 0).then(|| part as f64 / of as f64 * 100.0);
        told.measure("cache.hits", share(hits.len(), self.answered));
        let [near, host, near_group] =
            [self.near, self.host, self.near_group].map(|hits| hits as usize);
        told.measure("cache.hits.near", share(near, self.answered));
        told.measure("cache.hits.host", share(host, self.answered));
        told.measure("cache.hits.near_group", share(near_group, self.answered));
        let group = hits.len() - near - host - near_group;
        told.measure("cache.hits.group", share(group, self.answered));
        for (name, all) in
            [("cache.hit.p95", &*hits), ("cache.miss.p95", &*misses), ("cache.write.p95", &*writes)]
        {
            told.measure(name, quantile(all, 0.95).map(|nanos| nanos as f64 / 1e6));
        }
        let saved = quantile(served, 0.5).zip(quantile(origin, 0.5).filter(|took| *took > 0));
        let saved = saved.map(|(hit, took)| (1.0 - hit as f64 / took as f64) * 100.0);
        told.measure("cache.time_saved", saved);
        told.measure("origin.saved", share(asked.len(), self.sent).map(|asked| 100.0 - asked));
        told.measure("origin.requests", Some(asked.len() as f64));
        told.measure("origin.worst", Some(in_worst_second(asked) as f64));
        let of_each = (self.counted > 0).then(|| self.commands as f64 / self.counted as f64);
        told.measure("cache.write.commands", of_each);
        told.measure("cache.lost", Some(self.lost as f64));
        told.measure("cache.unkept", Some(self.unkept as f64));
        told.measure("origin.shed", Some(self.refused as f64));
    }
}

/// The most instants, which are in order, within one second.
fn in_worst_second(asked: &[u64]) -> usize {
    let mut from = 0;
    let mut most = 0;
    for (at, instant) in asked.iter().enumerate() {
        while asked[from] + SECOND <= *instant {
            from += 1;
        }
        most = most.max(at + 1 - from);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_second_is_any_second() {
        let at = |tenths: &[u64]| -> Vec<u64> { tenths.iter().map(|n| n * SECOND / 10).collect() };
        assert_eq!(in_worst_second(&at(&[])), 0);
        assert_eq!(in_worst_second(&at(&[0, 9, 10, 11, 12, 20, 40])), 4);
    }
}
