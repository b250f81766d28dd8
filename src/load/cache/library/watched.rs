//! What other people's caches have left after a write is seen by reads: each process that may have
//! an older copy is asked for that entity, until it answers with nothing older.
//!
//! A read may leave a copy, and takes time that users want. So nobody is asked who has not read the
//! entity lately, nobody before the write is acknowledged, and of many writes some are watched.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::load::client::Noted;
use crate::load::client::adapter::protocol::Where;
use crate::log::OrUnheard;
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, Ended, FoundIn};

/// One write is watched in so long a time, of all on the same entities.
const WRITES_EVERY: Duration = Duration::from_millis(50);
/// So many of them may wait for a process that is not asked now.
const ROOM: usize = 256;

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(in crate::load::cache) struct Written {
    pub(in crate::load::cache) id: u64,
    pub(in crate::load::cache) version: u64,
    pub(in crate::load::cache) at: Nanos,
}

/// Tells all processes of loads on the same entities which writes are watched.
#[derive(Debug)]
pub(in crate::load::cache) struct Writes {
    told: broadcast::Sender<Written>,
    next: Mutex<Nanos>,
}

impl Writes {
    pub(in crate::load::cache) fn new() -> Writes {
        Writes { told: broadcast::Sender::new(ROOM), next: Mutex::default() }
    }

    /// It is watched, unless another one was just before.
    pub(in crate::load::cache) fn offer(&self, written: Written) {
        let mut next = self.next.lock();
        if written.at >= *next {
            *next = written.at + WRITES_EVERY;
            self.told.send(written).or_unheard();
        }
    }

    pub(in crate::load::cache) fn hear(&self) -> broadcast::Receiver<Written> {
        self.told.subscribe()
    }
}

/// What is known of the copies in the memory of one process, and for which writes it is watched.
#[derive(Debug)]
pub(in crate::load::cache) struct Watched {
    /// How long a copy is kept there; none if nothing is.
    ttl: Option<Duration>,
    /// An older copy is looked for until its time is over, and for so long after that.
    bound: Duration,
    /// What it answered with last.
    read: HashMap<u64, Known>,
    /// The entity that is to be asked for next comes first.
    open: VecDeque<Open>,
    over: Vec<Noted>,
}

/// What a process answered when it was asked for an entity at `sent`.
#[derive(Clone, Copy, Debug)]
pub(in crate::load::cache) struct Told {
    pub(in crate::load::cache) sent: Nanos,
    pub(in crate::load::cache) found: Found,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load::cache) enum Found {
    /// This version, from there, if it tells.
    Version(u64, Option<Where>),
    /// Neither it nor the group has a copy.
    None,
    /// Nothing from which anything follows.
    Nothing,
}

/// What a process answered with last.
#[derive(Clone, Copy, Debug)]
struct Known {
    version: u64,
    from: Option<Where>,
    /// Since when it may have a copy.
    since: Nanos,
    until: Nanos,
}

/// An entity for which the process is asked.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u64,
    /// Copies before that version are older.
    version: u64,
    older: Option<Older>,
    /// It is asked no more after that.
    until: Nanos,
    /// It has not answered yet.
    is_asked: bool,
}

/// An older copy: that the process could answer with it is known from `since` to `last`.
#[derive(Clone, Copy, Debug)]
struct Older {
    version: u64,
    since: Nanos,
    last: Nanos,
}

impl Found {
    /// The version that the process has in its memory. One that does not tell may have it there.
    fn near(self) -> Option<u64> {
        match self {
            Found::Version(version, Some(Where::Near) | None) => Some(version),
            Found::Version(_, Some(Where::Group | Where::Origin | Where::Other))
            | Found::None
            | Found::Nothing => None,
        }
    }
}

impl Watched {
    pub(in crate::load::cache) fn new(ttl: Option<Duration>, bound: Duration) -> Watched {
        let (read, open, over) = (HashMap::new(), VecDeque::new(), Vec::new());
        Watched { ttl, bound, read, open, over }
    }

    /// Somebody asked the process for the entity.
    pub(in crate::load::cache) fn heard(&mut self, id: u64, told: Told) {
        let (Some(ttl), Found::Version(version, from)) = (self.ttl, told.found) else { return };
        let before = self.read.get(&id).filter(|known| known.version == version);
        // What came from elsewhere is kept from then on.
        let before = before.filter(|_| told.found.near().is_some());
        let since = before.map_or(told.sent, |known| known.since);
        self.read.insert(id, Known { version, from, since, until: told.sent + ttl });
        let Some(at) = self.open.iter().position(|open| open.id == id) else { return };
        self.saw(at, told, since);
    }

    /// From now on, or for longer, the process is asked for the entity, if it may have an older copy.
    pub(in crate::load::cache) fn begin(&mut self, Written { id, version, at }: Written) {
        let Some(ttl) = self.ttl else { return };
        let until = at + ttl + self.bound;
        if let Some(open) = self.open.iter_mut().find(|open| open.id == id) {
            open.version = open.version.max(version);
            open.until = until;
            return;
        }
        let Some(known) = self.read.get(&id) else { return };
        if known.version < version && known.until > at {
            // Whether the library kept what it did not have, and what it dropped since, nobody knows.
            let was_there = known.from == Some(Where::Near)
                && known.version + 1 == version
                && known.since + ttl > at;
            let older = Older { version: known.version, since: known.since, last: at };
            let older = was_there.then_some(older);
            self.open.push_back(Open { id, version, older, until, is_asked: false });
        }
    }

    /// The entity for which the process is to be asked next.
    pub(in crate::load::cache) fn next(&mut self) -> Option<u64> {
        let at = self.open.iter().position(|open| !open.is_asked)?;
        let open = self.open.remove(at)?;
        self.open.push_back(Open { is_asked: true, ..open });
        Some(open.id)
    }

    /// What came of that at `now`.
    pub(in crate::load::cache) fn answered(&mut self, id: u64, told: Told, now: Nanos) {
        self.heard(id, told);
        let Some(at) = self.open.iter().position(|open| open.id == id) else { return };
        let Open { version: newer, until, .. } = self.open[at];
        self.open[at].is_asked = false;
        let is_over = match told.found {
            Found::Version(version, _) if version >= newer => true,
            Found::Version(version, from) => {
                if from == Some(Where::Group) {
                    self.over.push(in_group(id, version, (told.sent, now)));
                }
                now > until
            }
            Found::None => {
                self.saw(at, told, told.sent);
                true
            }
            Found::Nothing => now > until,
        };
        if is_over && let Some(Open { older, .. }) = self.open.remove(at) {
            self.over.extend(older.map(|older| older.held(id, Ended::Open)));
        }
    }

    /// It could answer with that, from its memory or not.
    fn saw(&mut self, at: usize, told: Told, since: Nanos) {
        let open = &mut self.open[at];
        let near = told.found.near().filter(|version| *version < open.version);
        if let (Some(older), Some(version)) = (&mut open.older, near)
            && older.version == version
        {
            older.last = older.last.max(told.sent);
            return;
        }
        let now = near.map(|version| Older { version, since, last: told.sent });
        let gone = std::mem::replace(&mut open.older, now);
        let ttl = self.ttl.unwrap_or_default();
        self.over.extend(gone.map(|older| {
            let is_expired = told.sent >= older.since + ttl;
            let ended = if is_expired { Ended::Expired } else { Ended::Invalidated };
            older.held(open.id, ended)
        }));
    }

    /// The process has ended, and its memory with it.
    pub(in crate::load::cache) fn forget_all(&mut self) {
        self.read.clear();
        let older = |open: Open| Some(open.older?.held(open.id, Ended::Lost));
        self.over.extend(self.open.drain(..).filter_map(older));
    }

    /// Older copies that are gone since the last call; with `last`, those that are there too.
    pub(in crate::load::cache) fn take(&mut self, last: bool) -> Vec<Noted> {
        if last {
            let older = |open: Open| Some(open.older?.held(open.id, Ended::Open));
            self.over.extend(self.open.drain(..).filter_map(older));
        }
        std::mem::take(&mut self.over)
    }
}

impl Older {
    fn held(self, key: u64, ended: Ended) -> Noted {
        let Older { version, since, last } = self;
        let action = Action::Cache(CacheOp::Held { version, ended, in_host: false });
        Noted::new(key, action, (since, last))
    }
}

/// An older copy that the process found in the group.
fn in_group(key: u64, version: u64, (from, to): (Nanos, Nanos)) -> Noted {
    let (version, from_there) = (Some(version), FoundIn::Group);
    let read = CacheOp::Read { version, from: from_there, asked: None, kept: None, met: None };
    Noted::new(key, Action::Cache(read), (from, to))
}

#[cfg(test)]
mod tests;
