//! How soon after a write no process could answer with an older version.

use super::entity::{Entity, Held, Read, Write};
use crate::check::checker::Checked;
use crate::check::quantile::quantile;
use crate::model::Nanos;
use crate::model::event::CacheInfo;
use crate::model::op::{Ended, FoundIn};

/// Times are from the acknowledgement of a write, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Invalidations {
    /// Until no process had an older copy in its memory, of writes that met one.
    near: Vec<u64>,
    /// Until no host had one.
    host: Vec<u64>,
    /// Until nothing older came from any layer, of the same writes and of those that something older
    /// came from a group after.
    all: Vec<u64>,
    /// Copies in processes and on hosts that should go, and those that did because of a write.
    due: u64,
    gone: u64,
}

impl Invalidations {
    pub(super) fn add(&mut self, entity: &Entity, cache: Option<&CacheInfo>) {
        let promised = cache.and_then(CacheInfo::old_for);
        self.add_times(entity);
        for held in &entity.held {
            let newer = entity.after(held.version).iter();
            let first = newer.filter_map(|write| Some((write.at, write.done?))).next();
            let Some((_, done)) = first.filter(|(at, _)| held.until > *at) else { continue };
            let heard = matches!(held.ended, Ended::Invalidated | Ended::Replaced);
            // What ended by itself soon enough proves nothing.
            let stayed = matches!(held.ended, Ended::Expired | Ended::Open)
                && promised.is_some_and(|promised| held.until > done + promised);
            self.due += u64::from(heard || stayed);
            self.gone += u64::from(heard);
        }
    }

    fn add_times(&mut self, entity: &Entity) {
        let held = |in_host| {
            let of = entity.held.iter().filter(move |held: &&Held| held.in_host == in_host);
            Last::new(of.map(|Held { version, until, .. }| (*version, *until)))
        };
        let (near, host) = (held(false), held(true));
        let from_group =
            |read: &&Read| read.is_ok && matches!(read.from, FoundIn::Group | FoundIn::NearGroup);
        // Those who watch a library's cache find something there too.
        let served = entity.reads.iter().chain(&entity.beside).filter(from_group);
        let served = Last::new(served.filter_map(|read| Some((read.version?, read.sent))));
        for Write { version, at, done } in &entity.writes {
            let Some(done) = *done else { continue };
            let [near, host] =
                [&near, &host].map(|held: &Last| held.before(*version).filter(|until| until > at));
            let far = served.before(*version).filter(|sent| *sent > done);
            let after = |last: Nanos| last.since(done).as_nanos() as u64;
            self.near.extend(near.map(after));
            self.host.extend(host.map(after));
            self.all.extend(near.max(host).max(far).map(after));
        }
    }

    pub(super) fn join(&mut self, other: Invalidations) {
        let Invalidations { near, host, all, due, gone } = other;
        self.near.extend(near);
        self.host.extend(host);
        self.all.extend(all);
        self.due += due;
        self.gone += gone;
    }

    pub(super) fn told(&mut self, told: &mut Checked) {
        for all in [&mut self.near, &mut self.host, &mut self.all] {
            all.sort_unstable();
        }
        for (name, all, share) in [
            ("invalidation.p99", &self.near, 0.99),
            ("invalidation.max", &self.near, 1.0),
            ("invalidation.host.p99", &self.host, 0.99),
            ("invalidation.cascade", &self.all, 0.99),
        ] {
            told.measure(name, quantile(all, share).map(|nanos| nanos as f64 / 1e6));
        }
        let reached = (self.due > 0).then(|| self.gone as f64 / self.due as f64 * 100.0);
        told.measure("invalidation.reached", reached);
    }
}

/// When versions were there for the last time.
struct Last(Vec<(u64, Nanos)>);

impl Last {
    fn new(all: impl Iterator<Item = (u64, Nanos)>) -> Last {
        let mut all: Vec<(u64, Nanos)> = all.collect();
        all.sort_unstable();
        let mut last = Nanos::ZERO;
        for (_, at) in &mut all {
            last = last.max(*at);
            *at = last;
        }
        Last(all)
    }

    /// When one before `version` was.
    fn before(&self, version: u64) -> Option<Nanos> {
        let before = self.0.partition_point(|(of, _)| *of < version);
        Some(self.0[before.checked_sub(1)?].1)
    }
}
