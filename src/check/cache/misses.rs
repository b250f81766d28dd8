//! Why readers found no copy in the group.

use super::entity::Entity;
use crate::check::checker::Checked;
use crate::model::Nanos;
use crate::model::event::CacheInfo;

#[derive(Debug, Default)]
pub(super) struct Misses {
    /// Nobody had put one there.
    cold: u64,
    /// Its time was over.
    expired: u64,
    /// A writer deleted it.
    invalidated: u64,
    /// None of these: the servers evicted it, or lost it.
    gone: u64,
}

impl Misses {
    pub(super) fn add(&mut self, entity: &Entity, cache: Option<&CacheInfo>) {
        let mut puts: Vec<(Nanos, Nanos, Nanos)> = entity.puts().collect();
        puts.sort_unstable();
        let deletes = cache.is_some_and(|cache| cache.deletes);
        for read in entity.reads.iter().filter(|read| read.is_miss()) {
            let before = puts.partition_point(|(done, ..)| *done <= read.sent);
            let Some((_, asked, kept)) = before.checked_sub(1).map(|last| puts[last]) else {
                self.cold += 1;
                continue;
            };
            // Later versions are later.
            let since = entity.writes.partition_point(|write| write.at < asked);
            let written = entity.writes.get(since).is_some_and(|write| write.at <= read.done);
            match (read.done >= kept, deletes && written) {
                (_, true) if read.sent < kept => self.invalidated += 1,
                (true, _) => self.expired += 1,
                (false, true) => self.invalidated += 1,
                (false, false) => self.gone += 1,
            }
        }
    }

    pub(super) fn join(&mut self, other: Misses) {
        let Misses { cold, expired, invalidated, gone } = other;
        self.cold += cold;
        self.expired += expired;
        self.invalidated += invalidated;
        self.gone += gone;
    }

    pub(super) fn told(&self, told: &mut Checked) {
        let Misses { cold, expired, invalidated, gone } = *self;
        for (name, n) in [
            ("cache.misses", cold + expired + invalidated + gone),
            ("cache.misses.cold", cold),
            ("cache.misses.expired", expired),
            ("cache.misses.invalidated", invalidated),
            ("cache.misses.gone", gone),
        ] {
            told.measure(name, Some(n as f64));
        }
    }
}
