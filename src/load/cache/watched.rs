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
pub(super) struct Written {
    pub(super) id: u64,
    pub(super) version: u64,
    pub(super) at: Nanos,
}

/// Tells all processes of loads on the same entities which writes are watched.
#[derive(Debug)]
pub(super) struct Writes {
    told: broadcast::Sender<Written>,
    next: Mutex<Nanos>,
}

impl Writes {
    pub(super) fn new() -> Writes {
        Writes { told: broadcast::Sender::new(ROOM), next: Mutex::default() }
    }

    /// It is watched, unless another one was just before.
    pub(super) fn offer(&self, written: Written) {
        let mut next = self.next.lock();
        if written.at >= *next {
            *next = written.at + WRITES_EVERY;
            self.told.send(written).or_unheard();
        }
    }

    pub(super) fn hear(&self) -> broadcast::Receiver<Written> {
        self.told.subscribe()
    }
}

/// What is known of the copies in the memory of one process, and for which writes it is watched.
#[derive(Debug)]
pub(super) struct Watched {
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
pub(super) struct Told {
    pub(super) sent: Nanos,
    pub(super) found: Found,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
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
    pub(super) fn new(ttl: Option<Duration>, bound: Duration) -> Watched {
        let (read, open, over) = (HashMap::new(), VecDeque::new(), Vec::new());
        Watched { ttl, bound, read, open, over }
    }

    /// Somebody asked the process for the entity.
    pub(super) fn heard(&mut self, id: u64, told: Told) {
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
    pub(super) fn begin(&mut self, Written { id, version, at }: Written) {
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
    pub(super) fn next(&mut self) -> Option<u64> {
        let at = self.open.iter().position(|open| !open.is_asked)?;
        let open = self.open.remove(at)?;
        self.open.push_back(Open { is_asked: true, ..open });
        Some(open.id)
    }

    /// What came of that at `now`.
    pub(super) fn answered(&mut self, id: u64, told: Told, now: Nanos) {
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
    pub(super) fn forget_all(&mut self) {
        self.read.clear();
        let older = |open: Open| Some(open.older?.held(open.id, Ended::Lost));
        self.over.extend(self.open.drain(..).filter_map(older));
    }

    /// Older copies that are gone since the last call; with `last`, those that are there too.
    pub(super) fn take(&mut self, last: bool) -> Vec<Noted> {
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
mod tests {
    use super::*;

    const NEAR: Option<Where> = Some(Where::Near);
    const GROUP: Option<Where> = Some(Where::Group);

    fn ms(n: u64) -> Nanos {
        Nanos(n * 1_000_000)
    }

    fn told(at: u64, version: u64, from: Option<Where>) -> Told {
        Told { sent: ms(at), found: Found::Version(version, from) }
    }

    /// Copies are kept for a second, and looked for for 100 ms more.
    fn watched() -> Watched {
        Watched::new(Some(Duration::from_secs(1)), Duration::from_millis(100))
    }

    fn written(at: u64, version: u64) -> Written {
        Written { id: 1, version, at: ms(at) }
    }

    /// Asks at these instants, and is told that at once.
    fn look(watched: &mut Watched, told: Told) {
        assert_eq!(watched.next(), Some(1));
        assert_eq!(watched.next(), None, "it has not answered");
        watched.answered(1, told, told.sent);
    }

    /// The version, how its time ended, and until when it was seen.
    fn held(watched: &mut Watched) -> Vec<(u64, Ended, Nanos)> {
        let held = watched.take(true).into_iter().filter_map(|noted| match noted.action {
            Action::Cache(CacheOp::Held { version, ended, in_host: false }) => {
                Some((version, ended, noted.to))
            }
            _ => None,
        });
        held.collect()
    }

    #[test]
    fn a_process_is_asked_until_it_answers_with_nothing_older() {
        let mut watched = watched();
        watched.heard(1, told(10, 4, GROUP));
        watched.begin(written(100, 5));
        look(&mut watched, told(101, 4, NEAR));
        look(&mut watched, told(102, 4, NEAR));
        look(&mut watched, told(103, 5, GROUP));
        assert_eq!(watched.next(), None);
        assert_eq!(held(&mut watched), [(4, Ended::Invalidated, ms(102))]);
        // An answer without a copy is one too.
        watched.heard(1, told(110, 5, NEAR));
        watched.begin(written(200, 6));
        look(&mut watched, told(201, 5, NEAR));
        look(&mut watched, Told { sent: ms(202), found: Found::Nothing });
        look(&mut watched, Told { sent: ms(203), found: Found::None });
        assert_eq!(held(&mut watched), [(5, Ended::Invalidated, ms(201))]);
    }

    #[test]
    fn nobody_is_asked_who_has_not_read_the_entity_lately() {
        let mut watched = watched();
        watched.begin(written(100, 5));
        assert_eq!(watched.next(), None, "it would leave a copy");
        watched.heard(1, told(110, 4, NEAR));
        watched.begin(written(1_200, 5));
        assert_eq!(watched.next(), None, "its time is over");
        watched.heard(1, told(1_300, 5, GROUP));
        watched.begin(written(1_301, 5));
        assert_eq!(watched.next(), None, "it has nothing older");
        let mut none = Watched::new(None, Duration::ZERO);
        none.heard(1, told(10, 4, GROUP));
        none.begin(written(20, 5));
        assert_eq!(none.next(), None, "nothing is kept there");
    }

    /// What the first look does not find was there only if the process had answered with it, and
    /// nothing had happened to it since.
    #[test]
    fn a_copy_that_nobody_saw_is_none_that_went() {
        let went = |before: Told, version| {
            let mut watched = watched();
            watched.heard(1, told(before.sent.0 / 1_000_000 - 5, 4, GROUP));
            watched.heard(1, before);
            watched.begin(written(900, version));
            look(&mut watched, told(900, version, GROUP));
            held(&mut watched)
        };
        assert_eq!(went(told(100, 4, NEAR), 5), [(4, Ended::Invalidated, ms(900))]);
        assert_eq!(went(told(100, 4, GROUP), 5), [], "whether it was kept?");
        assert_eq!(went(told(100, 4, None), 5), [], "it does not tell");
        assert_eq!(went(told(100, 4, NEAR), 6), [], "version 5 may have driven it out");
    }

    #[test]
    fn a_copy_that_stays_is_told_with_how_it_ended() {
        let mut watched = watched();
        watched.heard(1, told(10, 4, GROUP));
        watched.begin(written(100, 5));
        look(&mut watched, told(1_000, 4, NEAR));
        look(&mut watched, told(1_011, 5, GROUP));
        assert_eq!(held(&mut watched), [(4, Ended::Expired, ms(1_000))], "its own time was over");
        watched.heard(1, told(1_012, 5, GROUP));
        watched.begin(written(1_100, 6));
        look(&mut watched, told(2_100, 5, NEAR));
        look(&mut watched, told(2_201, 5, NEAR));
        assert_eq!(watched.next(), None, "long enough");
        assert_eq!(held(&mut watched), [(5, Ended::Open, ms(2_201))]);
        watched.heard(1, told(2_300, 6, NEAR));
        watched.begin(written(2_400, 7));
        look(&mut watched, told(2_401, 6, NEAR));
        watched.forget_all();
        assert_eq!(held(&mut watched), [(6, Ended::Lost, ms(2_401))]);
    }

    /// A user's read counts as a look does, and so does what a library that does not tell answers.
    #[test]
    fn what_users_find_counts() {
        let mut watched = watched();
        watched.heard(1, told(10, 4, None));
        watched.begin(written(100, 5));
        look(&mut watched, told(100, 4, None));
        watched.heard(1, told(140, 4, None));
        look(&mut watched, told(150, 5, None));
        assert_eq!(held(&mut watched), [(4, Ended::Invalidated, ms(140))]);
    }

    #[test]
    fn an_older_copy_in_the_group_is_told_apart() {
        let mut watched = watched();
        watched.heard(1, told(10, 4, NEAR));
        watched.begin(written(100, 5));
        look(&mut watched, told(101, 4, GROUP));
        let noted = watched.take(false);
        let is_group = |noted: &Noted| {
            matches!(noted.action, Action::Cache(CacheOp::Read { from: FoundIn::Group, .. }))
        };
        assert_eq!(noted.iter().filter(|noted| is_group(noted)).count(), 1, "{noted:?}");
        look(&mut watched, told(102, 5, GROUP));
        assert_eq!(watched.next(), None);
    }

    #[test]
    fn of_many_writes_some_are_watched() {
        let writes = Writes::new();
        let mut heard = writes.hear();
        for n in 0..100 {
            writes.offer(written(n * 5, n));
        }
        let mut versions = Vec::new();
        while let Ok(written) = heard.try_recv() {
            versions.push(written.version);
        }
        assert_eq!(versions, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
}
