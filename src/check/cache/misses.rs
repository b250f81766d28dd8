//! Why readers found no copy in the group.
//!
//! A copy that nobody deleted, and whose time was not over, was let go by a server. If the server that
//! had it evicted keys between the copy's coming and the read, and lost none otherwise, it was
//! evicted; if it lost its data then, or its role, and evicted none, it was lost with it. Else it
//! cannot be told.

use super::entity::{Entity, Put, Read};
use super::over::Over;
use crate::check::checker::{Checked, Context};
use crate::check::keepers::LetGo;

/// Why a reader found no copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nobody had put one there.
    Cold,
    /// Its time was over.
    Expired,
    /// A writer deleted it.
    Invalidated,
    /// The server had no room for it.
    Evicted,
    /// The server lost its data, or its role.
    Lost,
    /// The server evicted keys and lost its data too.
    EvictedOrLost,
    /// None of these was seen.
    Unknown,
}

/// A read that found no copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Miss<'e> {
    pub(super) read: &'e Read,
    pub(super) why: Why,
    /// The place of the last copy that was there before, among those that were left.
    pub(super) put: Option<usize>,
}

/// All reads of an entity that found no copy, with the copies that were left, in their order.
pub(super) fn of<'e>(entity: &'e Entity, load: u8, context: &Context) -> (Vec<Put>, Vec<Miss<'e>>) {
    let mut puts: Vec<Put> = entity.puts().collect();
    puts.sort_unstable_by_key(|put| (put.done, put.asked, put.kept));
    let deletes = context.cache(load).is_some_and(|cache| cache.deletes);
    let miss = |read: &'e Read| {
        let before = puts.partition_point(|put| put.done <= read.sent);
        let put = before.checked_sub(1);
        let why = put.map_or(Why::Cold, |last| why(entity, (read, &puts[last]), deletes, context));
        Miss { read, why, put }
    };
    let misses = entity.reads.iter().filter(|read| read.is_miss()).map(miss).collect();
    (puts, misses)
}

/// Why this copy was not found by that read.
fn why(entity: &Entity, (read, put): (&Read, &Put), deletes: bool, context: &Context) -> Why {
    // Later versions are later.
    let since = entity.writes.partition_point(|write| write.at < put.asked);
    let written = entity.writes.get(since).is_some_and(|write| write.at <= read.done);
    match (read.done >= put.kept, deletes && written) {
        (_, true) if read.sent < put.kept => Why::Invalidated,
        (true, _) => Why::Expired,
        (false, true) => Why::Invalidated,
        (false, false) => {
            let span = (put.done, read.done);
            match context.keepers.let_go(read.instance.0, [put.by, read.by], span) {
                LetGo { evicted: true, lost: false } => Why::Evicted,
                LetGo { evicted: false, lost: true } => Why::Lost,
                LetGo { evicted: true, lost: true } => Why::EvictedOrLost,
                LetGo { evicted: false, lost: false } => Why::Unknown,
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Misses {
    cold: u64,
    expired: u64,
    invalidated: u64,
    evicted: u64,
    lost: u64,
    gone: u64,
}

impl Misses {
    pub(super) fn add(&mut self, misses: &[Miss<'_>], over: &mut Over<'_>) {
        for Miss { read, why, .. } in misses {
            let (count, name) = match why {
                Why::Cold => (&mut self.cold, "cache.misses.cold"),
                Why::Expired => (&mut self.expired, "cache.misses.expired"),
                Why::Invalidated => (&mut self.invalidated, "cache.misses.invalidated"),
                Why::Evicted => (&mut self.evicted, "cache.misses.evicted"),
                Why::Lost => (&mut self.lost, "cache.misses.lost"),
                Why::EvictedOrLost | Why::Unknown => (&mut self.gone, "cache.misses.gone"),
            };
            *count += 1;
            over.count(name, read.instance.0, read.done);
        }
    }

    pub(super) fn join(&mut self, other: Misses) {
        let Misses { cold, expired, invalidated, evicted, lost, gone } = other;
        self.cold += cold;
        self.expired += expired;
        self.invalidated += invalidated;
        self.evicted += evicted;
        self.lost += lost;
        self.gone += gone;
    }

    pub(super) fn told(&self, told: &mut Checked) {
        let Misses { cold, expired, invalidated, evicted, lost, gone } = *self;
        for (name, n) in [
            ("cache.misses", cold + expired + invalidated + evicted + lost + gone),
            ("cache.misses.cold", cold),
            ("cache.misses.expired", expired),
            ("cache.misses.invalidated", invalidated),
            ("cache.misses.evicted", evicted),
            ("cache.misses.lost", lost),
            ("cache.misses.gone", gone),
        ] {
            told.measure(name, Some(n as f64));
        }
    }
}
